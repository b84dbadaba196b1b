"""Making clients of librdkafka: a setting that it does not take is named, never a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException

from pbf_ray.errors import SettingError
from pbf_ray.logs import looks_secret, mask_text

__all__ = ["connection_settings", "new_client"]

_T = TypeVar("_T")

_UNKNOWN: Final = re.compile(r'No such configuration property: "([^"]+)"')
_VALUE: Final = re.compile(r'(?:onfiguration property|Expected \w+ value for) "([^"]+)"(.*)')
_RANGE: Final = re.compile(r"outside allowed range (\S+)")
_FAILED: Final = re.compile(r"(?:Failed to create [\w ]+: )?([a-z]+(?:\.[a-z]+)+) failed: (.*)")
_MECHANISM: Final = re.compile(r"(?:Unsupported SASL mechanism: |No provider for SASL mechanism )")
_ALIASES: Final = {
    "compression.codec": "compression.type",
    "queue.buffering.max.ms": "linger.ms",
    "max.in.flight.requests.per.connection": "max.in.flight",
    "message.send.max.retries": "retries",
    "message.timeout.ms": "delivery.timeout.ms",
    "sasl.mechanisms": "sasl.mechanism",
}
"""Librdkafka's own names of settings, and those that people write."""
_OF_CONNECTIONS: Final = (
    "bootstrap.", "broker.", "client.", "enable.sasl", "enable.sparse.", "enable.ssl", "https.",
    "logger", "reconnect.", "sasl.", "security.", "socket.", "ssl.",
)  # fmt: skip
_KNOWN_MECHANISMS: Final = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"


def new_client(kind: Callable[[dict[str, Any]], _T], config: Mapping[str, Any]) -> _T:
    """Make a client.

    Args:
        kind: ``Producer``, ``Consumer`` or ``AdminClient``.
        config: From ``client_config``.

    Raises:
        SettingError: If librdkafka does not know a setting, or cannot use its value.
    """
    try:
        return kind(dict(config))
    except (KafkaException, TypeError, ValueError) as error:
        told = error.args[0] if error.args else error
        text = str(told.str() if hasattr(told, "str") else told)
        raise _refused(text, config) from None  # the original may show a secret


def connection_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What another client needs to reach the same brokers as the same user.

    Args:
        config: The settings of a client of any kind.
    """
    return {key: value for key, value in config.items() if key.startswith(_OF_CONNECTIONS)}


def _refused(text: str, config: Mapping[str, Any]) -> SettingError:
    if found := _UNKNOWN.search(text):
        return _setting(
            found[1],
            "librdkafka knows no such setting",
            "its names stand in librdkafka's CONFIGURATION.md",
        )
    if found := _VALUE.search(text):
        key = found[1] if found[1] in config else _ALIASES.get(found[1], found[1])
        shown = "its value" if looks_secret(key) else repr(str(config.get(key)))
        limits = _RANGE.search(found[2])
        problem = f"is not within {limits[1]}" if limits else "is none that librdkafka takes"
        return _setting(key, f"{shown} {problem}", "")
    if _MECHANISM.search(text):
        mechanism = config.get("sasl.mechanism", config.get("sasl.mechanisms"))
        problem = "is not set" if mechanism is None else f"{mechanism!r} is not supported"
        return _setting("sasl.mechanism", problem, f"set it to {_KNOWN_MECHANISMS}")
    if "sasl.username and sasl.password must be set" in text:
        missing = [key for key in ("sasl.username", "sasl.password") if not config.get(key)]
        return _setting(
            missing[0] if missing else "sasl.username",
            "is not set",
            "PBF_RAY_KAFKA__CLIENT__SASL_PASSWORD keeps the password out of files",
        )
    if found := _FAILED.search(text):
        key, why = found[1], found[2]
        place = config.get(key)
        if key.endswith(".location") and place is not None:
            if not Path(str(place)).is_file():
                why = "there is no such file"
            return _setting(key, f"{place}: {why}", "name a PEM file that this user may read")
        return _setting(key, why, "")
    return SettingError("kafka.client", "kafka.client", mask_text(text))


def _setting(key: str, problem: str, advice: str) -> SettingError:
    return SettingError(f"kafka.client.{key}", "kafka.client", problem, advice=advice)
