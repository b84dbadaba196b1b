"""Anomaly rules as data: profiles per machine and material."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

import numpy as np

from pbf_ray.contracts import CHANNEL_UNITS, CHANNELS
from pbf_ray.errors import SettingError
from pbf_ray.kernels.anomaly import OPERATORS, CompiledRules

__all__ = ["DEFAULT_PROFILE", "SEVERITIES", "Rule", "RuleProfile"]

SEVERITIES: Final[tuple[str, ...]] = ("critical", "warning", "info")


@dataclass(frozen=True)
class Rule:
    """``channel op threshold`` is an anomaly of this type.

    Attributes:
        channel: Name of a channel.
        op: ``>``, ``>=``, ``<`` or ``<=``.
        threshold: Finite, in the unit that the profile states for the channel.
        anomaly_type: What the anomaly is called.
        severity: ``critical``, ``warning`` or ``info``.
    """

    channel: str
    op: str
    threshold: float
    anomaly_type: str
    severity: str = "info"

    def covers(self, later: Rule) -> bool:
        """Whether this rule holds wherever the later one does."""
        if self.channel != later.channel or self.op[0] != later.op[0]:
            return False
        if self.threshold == later.threshold:
            return self.op == later.op or self.op.endswith("=")
        if self.op[0] == ">":
            return self.threshold < later.threshold
        return self.threshold > later.threshold


@dataclass(frozen=True)
class RuleProfile:
    """Rules in order of precedence: the first that is true names the anomaly of a record.

    Two rules may share an anomaly type (two channels can show the same thing), but then also the
    severity: severity belongs to the type. A rule that an earlier one covers could never be the
    first, which is a mistake in the profile and refused.

    Attributes:
        name: Name of the profile.
        rules: The rules.
        description: For people.
        units: Unit of the values of each channel that rules may use. For the channels of the ISPM
            record it has to be the unit of the record; further channels are known by being here.
        source: Where the profile comes from, for messages; no part of its identity.

    Raises:
        SettingError: If a rule cannot be used; the key names it, as ``rules[0].threshold``.
    """

    name: str
    rules: tuple[Rule, ...]
    description: str = ""
    units: Mapping[str, str] = field(default_factory=lambda: dict(CHANNEL_UNITS), hash=False)
    source: str = field(default="code", compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise SettingError("name", self.source, "a profile needs a name")
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "units", {**CHANNEL_UNITS, **self.units})
        for channel, unit in self.units.items():
            expected = CHANNEL_UNITS.get(channel, unit)
            if not unit.strip():
                raise SettingError(f"units.{channel}", self.source, "a channel needs a unit")
            if unit != expected:
                raise SettingError(
                    f"units.{channel}",
                    self.source,
                    f"{unit!r}, but the records have {expected!r}",
                    advice="convert the thresholds of the profile",
                )
        for index, rule in enumerate(self.rules):
            self._check(index, rule)

    def _check(self, index: int, rule: Rule) -> None:
        def refuse(key: str, problem: str, advice: str = "") -> SettingError:
            return SettingError(f"rules[{index}].{key}", self.source, problem, advice=advice)

        if rule.channel not in self.units:
            raise refuse(
                "channel",
                f"unknown channel {rule.channel!r}",
                f"one of {', '.join(self.units)}, or state the unit of a further channel in units",
            )
        if rule.op not in OPERATORS:
            raise refuse("op", f"unknown comparison {rule.op!r}", f"one of {' '.join(OPERATORS)}")
        if not isfinite(rule.threshold):
            raise refuse("threshold", f"{rule.threshold} is not a finite number")
        if not rule.anomaly_type.strip():
            raise refuse("anomaly_type", "an anomaly needs a type")
        if rule.severity not in SEVERITIES:
            raise refuse(
                "severity",
                f"unknown severity {rule.severity!r}",
                f"one of {', '.join(SEVERITIES)}",
            )
        for earlier_index, earlier in enumerate(self.rules[:index]):
            if earlier.anomaly_type == rule.anomaly_type and earlier.severity != rule.severity:
                raise refuse(
                    "severity",
                    f"{rule.anomaly_type!r} is {rule.severity} here "
                    f"and {earlier.severity} in rules[{earlier_index}]",
                    "give the two another type, or one severity",
                )
            if earlier.covers(rule):
                raise refuse(
                    "threshold",
                    f"can never match first: rules[{earlier_index}] ({earlier.channel} "
                    f"{earlier.op} {earlier.threshold}) holds wherever this rule does",
                    "put the narrower rule first",
                )

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that the rules use, each once, in order of first use."""
        return tuple(dict.fromkeys(rule.channel for rule in self.rules))

    @property
    def anomaly_types(self) -> tuple[str, ...]:
        """Anomaly types, each once, in order of first use."""
        return tuple(dict.fromkeys(rule.anomaly_type for rule in self.rules))

    def compile(self, channels: Sequence[str] = CHANNELS) -> CompiledRules:
        """The rules as arrays for :func:`pbf_ray.kernels.anomaly.first_match`.

        Args:
            channels: Names of the rows of the value array.

        Raises:
            SettingError: If a rule uses a channel that is not there.
        """
        for index, rule in enumerate(self.rules):
            if rule.channel not in channels:
                raise SettingError(
                    f"rules[{index}].channel",
                    self.source,
                    f"the records have no channel {rule.channel!r}",
                    advice=f"they have {', '.join(channels)}",
                )
        rows = list(channels)
        return CompiledRules(
            channel=np.array([rows.index(rule.channel) for rule in self.rules], np.int64),
            op=np.array([OPERATORS.index(rule.op) for rule in self.rules], np.int8),
            threshold=np.array([rule.threshold for rule in self.rules], np.float64),
        )

    @classmethod
    def from_toml(cls, text: str, *, source: str = "profile") -> RuleProfile:
        """Read a profile; see :mod:`pbf_ray.monitoring.profile_toml` for the form.

        Args:
            text: TOML.
            source: Where it comes from, for messages: a file name.

        Raises:
            SettingError: If it is not TOML, or something in it is wrong; it names the key.
        """
        from pbf_ray.monitoring.profile_toml import read

        return read(text, source=source)

    def to_toml(self) -> str:
        """The profile as TOML; :meth:`from_toml` gives back an equal one."""
        from pbf_ray.monitoring.profile_toml import write

        return write(self)


DEFAULT_PROFILE: Final = RuleProfile(
    name="default",
    description="The six rules of the pipeline that pbf_ray replaces",
    rules=(
        Rule("temperature", ">", 1700.0, "high_temperature", "critical"),
        Rule("temperature", "<", 1500.0, "low_temperature", "warning"),
        Rule("pressure", ">", 1.0, "high_pressure", "critical"),
        Rule("pressure", "<", 0.9, "low_pressure", "warning"),
        Rule("laser_power", ">", 250.0, "high_laser_power", "info"),
        Rule("laser_power", "<", 150.0, "low_laser_power", "info"),
    ),
    source="pbf_ray",
)
"""Semantics.md, section 2."""
