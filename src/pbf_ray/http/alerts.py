"""Alerts: what deserves a look, one per build, layer and type of anomaly."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from pbf_ray.contracts import CHANNELS, layer_key
from pbf_ray.monitoring.rules import Rule, RuleProfile

__all__ = ["Alert", "alert_id", "find_alerts"]

_ID_DIGITS: Final = 16
_WORDS: Final = {">": "above", ">=": "at or above", "<": "below", "<=": "at or below"}


@dataclass(frozen=True)
class Alert:
    """Anomalies of one type in one layer.

    Attributes:
        alert_id: The same in every process and after every restart.
        build_id: None for records without a build.
        layer: None for records without a layer.
        anomaly_type: As the profile calls it.
        severity: ``critical``, ``warning`` or ``info``.
        count: Records.
        first_timestamp: Event time of the first one, s since 1970 UTC.
        last_timestamp: Of the last one.
        sensors: Who measured them.
        rule: The rule of the profile that has this type; None if the profile has none (any more).
        extreme: The value of the rule's channel that is furthest beyond its threshold.
    """

    alert_id: str
    build_id: str | None
    layer: int | None
    anomaly_type: str
    severity: str
    count: int
    first_timestamp: float | None
    last_timestamp: float | None
    sensors: tuple[str, ...]
    rule: Rule | None
    extreme: float | None
    unit: str = ""

    @property
    def text(self) -> str:
        """In a sentence."""
        records = f"{self.count:,} record" + "s" * (self.count != 1)
        if self.rule is None:
            return f"{self.anomaly_type} in {records}"
        worst = "highest" if self.rule.op.startswith(">") else "lowest"
        found = "" if self.extreme is None else f"; {worst} {self.extreme:.6g} {self.unit}"
        if self.extreme is not None and math.isnan(self.extreme):
            # Which is above every threshold, as for Spark.
            found = "; the values are not numbers (NaN)"
        return (
            f"{self.rule.channel} {_WORDS[self.rule.op]} {self.rule.threshold:g} {self.unit} "
            f"in {records}{found}"
        )

    def finding(self) -> dict[str, Any]:
        """What was found, as JSON-ready values."""
        rule = self.rule
        return {
            "alert_id": self.alert_id,
            "anomaly_type": self.anomaly_type,
            "severity": self.severity,
            "count": self.count,
            "channel": rule.channel if rule is not None else None,
            "op": rule.op if rule is not None else None,
            "threshold": rule.threshold if rule is not None else None,
            "unit": self.unit if rule is not None else None,
            "extreme": self.extreme,
            "first_timestamp": self.first_timestamp,
            "last_timestamp": self.last_timestamp,
            "sensors": list(self.sensors),
            "text": self.text,
        }


def alert_id(job_id: str, build_id: str | None, layer: int | None, anomaly_type: str) -> str:
    """The id of an alert: a hash of what it is about."""
    key = layer_key(job_id, build_id, layer) + anomaly_type
    return hashlib.sha256(key.encode()).hexdigest()[:_ID_DIGITS]


def find_alerts(anomalies: pa.Table, profile: RuleProfile, *, job_id: str) -> dict[str, Alert]:
    """The alerts of anomalies, by id.

    Args:
        anomalies: Rows of ``ispm_anomalies``.
        profile: The rules that judged, for what is said of them.
        job_id: The job.
    """
    rules: dict[str, list[Rule]] = {}
    for each in profile.rules:
        rules.setdefault(each.anomaly_type, []).append(each)
    grouped = anomalies.group_by(["build_id", "layer", "anomaly_type"]).aggregate(
        [
            ([], "count_all"),
            ("severity", "min"),
            ("timestamp", "min"),
            ("timestamp", "max"),
            ("sensor_id", "distinct"),
            *[(name, which) for name in CHANNELS for which in ("min", "max")],
        ]
    )
    found: dict[str, Alert] = {}
    for row in grouped.to_pylist():
        # Where two rules share a type, which of them held is not known: then none is named.
        of_type = rules.get(row["anomaly_type"], [])
        rule = of_type[0] if len(of_type) == 1 else None
        key = alert_id(job_id, row["build_id"], row["layer"], row["anomaly_type"])
        found[key] = Alert(
            alert_id=key,
            build_id=row["build_id"],
            layer=row["layer"],
            anomaly_type=row["anomaly_type"],
            severity=row["severity_min"],
            count=row["count_all"],
            first_timestamp=row["timestamp_min"],
            last_timestamp=row["timestamp_max"],
            sensors=tuple(sorted(name for name in row["sensor_id_distinct"] if name is not None)),
            rule=rule,
            extreme=_extreme(rule, row) if rule is not None else None,
            unit=profile.units[rule.channel] if rule is not None else "",
        )
    return found


def _extreme(rule: Rule, row: dict[str, Any]) -> float | None:
    which = "max" if rule.op.startswith(">") else "min"
    value: float | None = row.get(f"{rule.channel}_{which}")
    return value
