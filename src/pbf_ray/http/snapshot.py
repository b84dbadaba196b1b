"""What the stores hold of a job at one moment, in memory, and what follows from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.http.alerts import Alert, find_alerts
from pbf_ray.http.running import BuildTail
from pbf_ray.monitoring.rules import SEVERITIES, RuleProfile
from pbf_ray.streaming.status import Status

__all__ = ["LayerCounts", "Snapshot", "standing"]

LayerCounts = dict[tuple[str, int], dict[str, int]]
"""Anomalies by severity, by (build, layer)."""


@dataclass(frozen=True)
class Snapshot:
    """The results of a job at one moment; never changed.

    Attributes:
        job_id: The job.
        epoch: The last epoch that every small table has; None before the first.
        layers: ``layer_quality`` of rows that name a build and a layer, ordered by these.
        anomalies: ``ispm_anomalies``, the newest first.
        late_records: ``late_records``, the newest first.
        dead_letters: ``dead_letters`` without keys and whole values, the newest first.
        tails: What is known of each build beyond its closed layers.
        status: What the job says of itself; None if it has never run.
        profile: The rules that judge.
    """

    job_id: str
    epoch: int | None
    layers: pa.Table
    anomalies: pa.Table
    late_records: pa.Table
    dead_letters: pa.Table
    profile: RuleProfile
    tails: Mapping[str, BuildTail] = field(default_factory=dict)
    status: Status | None = None

    @cached_property
    def mark(self) -> str:
        """The same where the results are, in every process that serves them."""
        sizes = [
            table.num_rows
            for table in (self.layers, self.anomalies, self.late_records, self.dead_letters)
        ]
        text = repr((self.epoch, sizes, standing(self.status)))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def closed(self) -> dict[str, tuple[int, int]]:
        """The rows ``[start, stop)`` of each build in ``layers``."""
        listed = self.layers["build_id"]
        if not len(listed):
            return {}
        codes = listed.combine_chunks().dictionary_encode().indices.to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        stops = [*starts[1:].tolist(), len(codes)]
        return {
            listed[start].as_py(): (start, stop)
            for start, stop in zip(starts.tolist(), stops, strict=True)
        }

    @cached_property
    def alerts(self) -> dict[str, Alert]:
        """What deserves attention, by id."""
        return find_alerts(self.anomalies, self.profile, job_id=self.job_id)

    @cached_property
    def severities(self) -> LayerCounts:
        """Anomalies by severity, by build and layer."""
        counts: LayerCounts = {}
        grouped = self.anomalies.group_by(["build_id", "layer", "severity"]).aggregate(
            [([], "count_all")]
        )
        for row in grouped.to_pylist():
            if row["build_id"] is None or row["layer"] is None:
                continue
            place = counts.setdefault((row["build_id"], row["layer"]), dict.fromkeys(SEVERITIES, 0))
            place[row["severity"]] = place.get(row["severity"], 0) + row["count_all"]
        return counts

    @cached_property
    def severities_by_build(self) -> dict[str, dict[str, int]]:
        """Anomalies by severity, by build; those without a layer too."""
        counts: dict[str, dict[str, int]] = {}
        grouped = self.anomalies.group_by(["build_id", "severity"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            if row["build_id"] is not None:
                place = counts.setdefault(row["build_id"], dict.fromkeys(SEVERITIES, 0))
                place[row["severity"]] = place.get(row["severity"], 0) + row["count_all"]
        return counts

    @cached_property
    def phases(self) -> dict[str, str]:
        """The phase of each build that the job still follows."""
        if self.status is None:
            return {}
        return {at.build_id: at.phase for at in self.status.builds if at.build_id is not None}

    @cached_property
    def builds(self) -> list[str]:
        """All builds, the newest first."""
        names = {*self.closed, *self.severities_by_build, *self.tails}
        return sorted(names, key=lambda build: (-self.last_timestamp(build), build))

    def last_timestamp(self, build_id: str) -> float:
        """Event time of the newest record that is known of a build; 0 if none is."""
        found = [0.0]
        if build_id in self.closed:
            rows = self.build_layers(build_id)
            newest = pc.max(rows["last_timestamp"]).as_py()
            found.append(newest if newest is not None else 0.0)
        tail = self.tails.get(build_id)
        if tail is not None and tail.last_timestamp is not None:
            found.append(tail.last_timestamp)
        return max(found)

    def build_layers(self, build_id: str) -> pa.Table:
        """The closed layers of a build, in their order; empty if there are none."""
        start, stop = self.closed.get(build_id, (0, 0))
        return self.layers.slice(start, stop - start)


def standing(status: Status | None) -> tuple[object, ...]:
    """What of a status shows in results."""
    if status is None:
        return ()
    builds = tuple((at.build_id, at.phase) for at in status.builds)
    return (status.progress.run, status.progress.state, status.builds_open, builds)
