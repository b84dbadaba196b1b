"""Reaching the broker, with a word when that takes long."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pbf_ray.cli.streams import tell
from pbf_ray.errors import TopicMissingError

if TYPE_CHECKING:
    from pbf_ray.config import Settings

__all__ = ["reach_broker", "require_topics"]

_SILENT_S: Final = 2.0


def reach_broker(settings: Settings) -> dict[str, Any]:
    """Wait until the broker answers.

    Args:
        settings: Address, client settings, and how long to try.

    Returns:
        The settings of a librdkafka client, as ``pbf_ray.kafka`` takes them.

    Raises:
        BrokerUnavailableError: Nobody answers within ``kafka.connect_timeout_s``.
        AccessDeniedError: The broker refuses the credentials.
    """
    from pbf_ray.kafka.client import client_config, wait_for_broker

    kafka = settings.kafka
    config = client_config(kafka.bootstrap_servers, kafka.client_config())
    patience_s = kafka.connect_timeout_s
    notice = threading.Timer(
        _SILENT_S,
        tell,
        [f"no answer from {kafka.bootstrap_servers} yet, trying for {patience_s:.0f} s"],
    )
    notice.daemon = True
    notice.start()
    try:
        wait_for_broker(config, patience_s)
    finally:
        notice.cancel()
    return config


def require_topics(config: Mapping[str, Any], names: Sequence[str]) -> None:
    """See that topics exist, with no more rights than reading needs.

    Args:
        config: From :func:`reach_broker`.
        names: The topics.

    Raises:
        TopicMissingError: One does not exist, or this user may not see it.
    """
    from pbf_ray.kafka.topics import list_topics

    there = set(list_topics(config))
    for name in names:
        if name not in there:
            raise TopicMissingError(name, str(config["bootstrap.servers"]))
