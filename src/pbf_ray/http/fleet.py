"""Machines and builds in short: where each stands, and how good it is."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.errors import BuildFileError
from pbf_ray.http.build_files import BuildFiles
from pbf_ray.http.decisions import Decisions
from pbf_ray.http.layer_rows import worst_severity
from pbf_ray.http.machines import MachineNames
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.logs import get_logger
from pbf_ray.monitoring.rules import SEVERITIES

__all__ = ["Fleet"]

_log = get_logger(__name__)
_FOLLOWED: Final = frozenset({"active", "silent", "settled", "quiet"})


class Fleet:
    """The machines and builds of a snapshot.

    Args:
        snapshot: The results.
        decisions: What people said of them.
        files: Build files.
        machines: Which machine a sensor belongs to.
    """

    def __init__(
        self, snapshot: Snapshot, decisions: Decisions, files: BuildFiles, machines: MachineNames
    ) -> None:
        self._snapshot = snapshot
        self._decisions = decisions
        self._files = files
        self._machines = machines
        self._sensors = self._find_sensors()
        self._open_alerts = self._count_open_alerts()

    def machines(self) -> list[dict[str, Any]]:
        """Every machine with the build that it works on, or worked on last."""
        newest: dict[str, str] = {}
        for build_id in self._snapshot.builds:  # the newest first
            for machine in self._machines.machines(self._sensors.get(build_id, ())):
                newest.setdefault(machine, build_id)
        return [self._machine(machine, build) for machine, build in sorted(newest.items())]

    def build_ids(self, machine: str | None = None) -> list[str]:
        """The builds, the newest first; of a machine, if one is named."""
        builds = self._snapshot.builds
        if machine is None:
            return builds
        return [
            build
            for build in builds
            if machine in self._machines.machines(self._sensors.get(build, ()))
        ]

    def sensors(self, build_id: str) -> list[str]:
        """The sensors that are known of a build."""
        return sorted(self._sensors.get(build_id, set()))

    def build(self, build_id: str) -> dict[str, Any]:
        """A build in short."""
        snapshot = self._snapshot
        rows = snapshot.build_layers(build_id)
        tail = snapshot.tails.get(build_id)
        open_layers = (
            tail.open_layers if tail is not None else pa.table({"n": pa.array([], pa.int64())})
        )
        counts = snapshot.severities_by_build.get(build_id, dict.fromkeys(SEVERITIES, 0))
        layers = self._layers(build_id)
        records = _number(pc.sum(rows["n"]).as_py()) + _number(pc.sum(open_layers["n"]).as_py())
        first = _number_or_none(pc.min(rows["first_timestamp"]).as_py())
        if first is None and open_layers.num_rows:
            first = pc.min(open_layers["first_timestamp"]).as_py()
        last = snapshot.last_timestamp(build_id)
        return {
            "build_id": build_id,
            "machine_ids": self._machines.machines(self._sensors.get(build_id, ())),
            "first_layer": min(layers, default=None),
            "last_layer": max(layers, default=None),
            "layers_closed": rows.num_rows,
            "layers_open": open_layers.num_rows,
            "planned_layers": self._planned(build_id),
            "records": records,
            "first_timestamp": first,
            "last_timestamp": last or None,
            "quality_score_mean": _weighted_mean(rows),
            "quality_score_min": pc.min(rows["quality_score"]).as_py(),
            "anomalies": sum(counts.values()),
            "anomalies_by_severity": dict(counts),
            "phase": self._phase(build_id),
            "build_file": self._files.path(build_id) is not None,
            "open_alerts": self._open_alerts.get(build_id, dict.fromkeys(SEVERITIES, 0)),
            "disposition": self._decisions.disposition(build_id),
        }

    def _machine(self, machine: str, build_id: str) -> dict[str, Any]:
        snapshot = self._snapshot
        layers = self._layers(build_id)
        layer = max(layers, default=None)
        counts = snapshot.severities_by_build.get(build_id, {})
        latest = snapshot.severities.get((build_id, layer), {}) if layer is not None else {}
        return {
            "machine_id": machine,
            "sensors": [
                sensor
                for sensor in self.sensors(build_id)
                if self._machines.machine(sensor) == machine
            ],
            "build_id": build_id,
            "phase": self._phase(build_id),
            "layer": layer,
            "planned_layers": self._planned(build_id),
            "layers_closed": snapshot.build_layers(build_id).num_rows,
            "last_timestamp": snapshot.last_timestamp(build_id) or None,
            "quality_score": self._latest_quality(build_id),
            "severity": worst_severity(latest),
            "anomalies": sum(counts.values()),
            "open_alerts": self._open_alerts.get(build_id, dict.fromkeys(SEVERITIES, 0)),
        }

    def _latest_quality(self, build_id: str) -> float | None:
        tail = self._snapshot.tails.get(build_id)
        if tail is not None and tail.open_layers.num_rows:
            newest = tail.open_layers.sort_by("layer")["quality_score"][-1].as_py()
            if newest is not None:
                return float(newest)
        rows = self._snapshot.build_layers(build_id)
        return float(rows["quality_score"][-1].as_py()) if rows.num_rows else None

    def _layers(self, build_id: str) -> set[int]:
        rows = self._snapshot.build_layers(build_id)
        found: set[int] = set()
        if rows.num_rows:
            found |= {rows["layer"][0].as_py(), rows["layer"][-1].as_py()}
        tail = self._snapshot.tails.get(build_id)
        if tail is not None:
            found |= set(tail.open_layers["layer"].to_pylist())
        return found

    def _phase(self, build_id: str) -> str | None:
        status = self._snapshot.status
        if status is None or status.progress.state in {"finished", "stopped", "failed"}:
            return None
        phase = self._snapshot.phases.get(build_id)
        return phase if phase in _FOLLOWED else None

    def _planned(self, build_id: str) -> int | None:
        try:
            return self._files.layers(build_id)
        except BuildFileError as error:
            # The list of builds is not to fail for one bad file; its plan says what is wrong.
            _log.warning("a build file cannot be read", build=build_id, problem=error.what)
            return None

    def _find_sensors(self) -> dict[str, set[str]]:
        found = {build: set(tail.sensors) for build, tail in self._snapshot.tails.items()}
        pairs = self._snapshot.anomalies.group_by(["build_id", "sensor_id"]).aggregate([])
        for row in pairs.to_pylist():
            if row["build_id"] is not None and row["sensor_id"] is not None:
                found.setdefault(row["build_id"], set()).add(row["sensor_id"])
        return found

    def _count_open_alerts(self) -> dict[str, dict[str, int]]:
        seen = self._decisions.acknowledged()
        counts: dict[str, dict[str, int]] = {}
        for alert in self._snapshot.alerts.values():
            if alert.build_id is None or alert.alert_id in seen:
                continue
            place = counts.setdefault(alert.build_id, dict.fromkeys(SEVERITIES, 0))
            place[alert.severity] += 1
        return counts


def _weighted_mean(rows: pa.Table) -> float | None:
    """Mean quality of layers, each weighted by its records."""
    if not rows.num_rows:
        return None
    weight = pc.sum(rows["n"]).as_py()
    total = pc.sum(pc.multiply(rows["quality_score"], pc.cast(rows["n"], pa.float64()))).as_py()
    return float(total / weight) if weight else None


def _number(value: int | None) -> int:
    return value or 0


def _number_or_none(value: float | None) -> float | None:
    return None if value is None else float(value)
