"""Rule profiles as TOML.

name = "Ti-6Al-4V"
description = "..."                 # optional

[units]                             # optional; states further channels, or checks known ones
oxygen = "ppm"

[[rules]]                           # in order of precedence
channel = "temperature"
above = 1700                        # or below, at_least, at_most
anomaly_type = "high_temperature"
severity = "critical"               # critical, warning, or info (the default)
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pbf_ray.errors import SettingError
from pbf_ray.monitoring.rules import Rule, RuleProfile

__all__ = ["read", "write"]

_WORDS: Final[dict[str, str]] = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
_RULE_KEYS: Final = ("channel", *_WORDS, "anomaly_type", "severity")
_PROFILE_KEYS: Final = ("name", "description", "units", "rules")


def read(text: str, *, source: str) -> RuleProfile:
    """Read a profile.

    Args:
        text: TOML of the form above.
        source: Where it comes from, for messages.

    Raises:
        SettingError: If it is not TOML, or something in it is wrong; it names the key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError("(file)", source, f"not TOML: {error}") from error
    _refuse_unknown(document, _PROFILE_KEYS, prefix="", source=source)
    rules = document.get("rules")
    if not isinstance(rules, list):
        raise SettingError("rules", source, "a profile needs [[rules]]")
    units = document.get("units", {})
    if not isinstance(units, dict):
        raise SettingError("units", source, "must be a table of channel = unit")
    return RuleProfile(
        name=_text(document, "name", prefix="", source=source),
        description=_text(document, "description", prefix="", source=source, default=""),
        units={name: _text(units, name, prefix="units.", source=source) for name in units},
        rules=tuple(_rule(rule, index, source) for index, rule in enumerate(rules)),
        source=source,
    )


def _rule(entry: Any, index: int, source: str) -> Rule:
    prefix = f"rules[{index}]."
    if not isinstance(entry, dict):
        raise SettingError(f"rules[{index}]", source, "a rule must be a table")
    _refuse_unknown(entry, _RULE_KEYS, prefix=prefix, source=source)
    words = [word for word in _WORDS if word in entry]
    if len(words) != 1:
        raise SettingError(
            prefix + (words[1] if words else "above"),
            source,
            f"a rule needs exactly one of {', '.join(_WORDS)}, not {len(words)}",
        )
    threshold = entry[words[0]]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise SettingError(prefix + words[0], source, f"{threshold!r} is not a number")
    try:
        number = float(threshold)
    except OverflowError as error:
        raise SettingError(prefix + words[0], source, f"{threshold} is too large") from error
    return Rule(
        channel=_text(entry, "channel", prefix=prefix, source=source),
        op=_WORDS[words[0]],
        threshold=number,
        anomaly_type=_text(entry, "anomaly_type", prefix=prefix, source=source),
        severity=_text(entry, "severity", prefix=prefix, source=source, default="info"),
    )


def _text(
    table: Mapping[str, Any], key: str, *, prefix: str, source: str, default: str | None = None
) -> str:
    value = table.get(key, default)
    if value is None:
        raise SettingError(prefix + key, source, "is missing")
    if not isinstance(value, str):
        raise SettingError(prefix + key, source, f"{value!r} is not a text")
    return value


def _refuse_unknown(
    table: Mapping[str, Any], known: tuple[str, ...], *, prefix: str, source: str
) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            raise SettingError(
                prefix + key,
                source,
                "unknown key",
                advice=f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}",
            )


def write(profile: RuleProfile) -> str:
    """The profile as TOML of the form above, units included."""
    words = {op: word for word, op in _WORDS.items()}
    lines = [f"name = {_quoted(profile.name)}"]
    if profile.description:
        lines.append(f"description = {_quoted(profile.description)}")
    if not profile.rules:
        lines.append("rules = []")
    lines += ["", "[units]"]
    lines += [f"{_quoted(channel)} = {_quoted(unit)}" for channel, unit in profile.units.items()]
    for rule in profile.rules:
        lines += [
            "",
            "[[rules]]",
            f"channel = {_quoted(rule.channel)}",
            f"{words[rule.op]} = {float(rule.threshold)!r}",
            f"anomaly_type = {_quoted(rule.anomaly_type)}",
            f"severity = {_quoted(rule.severity)}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which only TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
