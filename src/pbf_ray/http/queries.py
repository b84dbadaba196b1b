"""Everything that can be asked, as plain calls with JSON-ready answers; knows no web framework."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.buildplan import MachineTimes
from pbf_ray.config import Settings
from pbf_ray.http.build_files import BuildFiles, LayerVectors
from pbf_ray.http.cursor import decode_cursor, encode_cursor
from pbf_ray.http.decisions import Decisions
from pbf_ray.http.fleet import Fleet
from pbf_ray.http.inbox import Inbox
from pbf_ray.http.layer_rows import layer_columns
from pbf_ray.http.ledger import open_ledger
from pbf_ray.http.live_results import LiveResults
from pbf_ray.http.machines import MachineNames
from pbf_ray.http.pipeline import pipeline_plain
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.record_pages import RecordFilter, page_of, select_records
from pbf_ray.http.series import SERIES_FIELDS, SeriesRequest, read_series
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.http.tokens import Tokens
from pbf_ray.http.values import plain_rows
from pbf_ray.jobs.status import JobStatus, job_status
from pbf_ray.storage.layout import JobStores
from pbf_ray.streaming.status import read_status

__all__ = ["Queries"]

BUILD_FILES: Final = "build-files"
"""Where the build files of a job are, in the folder of its stores, if no setting says otherwise."""

_FIRST_LAYER: Final = -(2**31)
_LAST_LAYER: Final = 2**31 - 1
_ANOMALY: Final = (
    "record_key", "build_id", "layer", "sensor_id", "timestamp", "temperature", "pressure",
    "laser_power", "scan_speed", "anomaly_type", "severity", "late", "processing_timestamp",
    "epoch", "topic", "partition", "offset",
)  # fmt: skip
_LATE: Final = (
    *(name for name in _ANOMALY if name not in {"anomaly_type", "severity", "late"}),
    "watermark",
)
_DEAD: Final = (
    "record_key", "topic", "partition", "offset", "reason", "detail", "kafka_timestamp",
    "processing_timestamp", "epoch", "value_text", "value_bytes",
)  # fmt: skip


class Queries:
    """What one job has written, what people said of it, and how it is.

    Safe to call from many threads.

    Args:
        settings: The settings that the job runs with.
        stores: Its stores; made from the settings if not given.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stores: JobStores | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.job_id = settings.job.name
        self.results = LiveResults(settings, stores=stores, clock=clock)
        self.ledger = open_ledger(settings)
        self.decisions = Decisions(self.ledger, self.job_id)
        self.tokens = Tokens(self.ledger)
        self.machine_names = MachineNames(settings.http.machine_pattern)
        self.machine_times = MachineTimes(
            recoat_time_s=settings.builds.recoat_time_s,
            point_delay_us=settings.builds.point_delay_us,
            jump_speed_mm_s=settings.builds.jump_speed_mm_s,
            jump_delay_us=settings.builds.jump_delay_us,
        )
        folder = settings.http.build_files or settings.stores_root / BUILD_FILES
        self.files = BuildFiles(folder, self.machine_times)
        self._fleet_lock = threading.Lock()
        self._fleet: tuple[str, Fleet] | None = None

    # -- versions --------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The results now."""
        return self.results.snapshot()

    def version(self) -> str:
        """Changes whenever an answer about results may."""
        return f"{self.snapshot().mark}.{self.decisions.seq()}.{self.files.version():x}"

    # -- machines, builds, layers ----------------------------------------------------------

    def machines(self) -> list[dict[str, Any]]:
        """Every machine with its latest build."""
        return self.fleet().machines()

    def builds(
        self, machine: str | None, limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of builds, newest first, and the cursor of the next."""
        fleet = self.fleet()
        names = fleet.build_ids(machine)
        filters = {"list": "builds", "machine": machine}
        start = 0
        if cursor is not None:
            (last,) = decode_cursor(cursor, filters, (str,))
            if last not in names:
                raise ProblemError(410, "cursor-gone", "the build where the page ended is gone")
            start = names.index(last) + 1
        page = names[start : start + limit]
        more = start + limit < len(names)
        following = encode_cursor([page[-1]], filters) if more else None
        return [fleet.build(name) for name in page], following

    def build(self, build_id: str) -> dict[str, Any]:
        """One build, with its sensors."""
        self._known(build_id)
        fleet = self.fleet()
        return {**fleet.build(build_id), "sensors": fleet.sensors(build_id)}

    def layers(self, build_id: str, first: int | None = None, last: int | None = None) -> pa.Table:
        """The layers of a build, as ``LAYER_COLUMNS``."""
        snapshot = self._known(build_id)
        return layer_columns(
            snapshot,
            build_id,
            first=_FIRST_LAYER if first is None else first,
            last=_LAST_LAYER if last is None else last,
        )

    def layer(self, build_id: str, layer: int) -> dict[str, Any]:
        """One layer: its figures, what was found in it, and its plan."""
        snapshot = self._known(build_id)
        rows = layer_columns(snapshot, build_id, first=layer, last=layer)
        if not rows.num_rows:
            raise ProblemError(
                404,
                "not-found",
                f"build {build_id!r} has no layer {layer} yet",
                advice=f"GET /api/v1/builds/{build_id}/layers lists those that it has",
            )
        found = [
            alert
            for alert in snapshot.alerts.values()
            if alert.build_id == build_id and alert.layer == layer
        ]
        found.sort(key=lambda alert: (-alert.count, alert.anomaly_type))
        return {
            "build_id": build_id,
            **plain_rows(rows)[0],
            "anomalies_by_type": {alert.anomaly_type: alert.count for alert in found},
            "findings": [alert.finding() for alert in found],
            "plan": self._layer_plan(build_id, layer),
        }

    def plan(self, build_id: str, first: int | None, last: int | None) -> pa.Table:
        """What the build file means, a row per layer."""
        plan = self.files.plan(build_id)
        low = _FIRST_LAYER if first is None else first
        high = _LAST_LAYER if last is None else last
        return plan.filter((pc.field("layer") >= low) & (pc.field("layer") <= high))

    def vectors(self, build_id: str, layer: int) -> LayerVectors:
        """The scan vectors of a layer."""
        return self.files.vectors(build_id, layer)

    # -- records ---------------------------------------------------------------------------

    def series(
        self, wanted: SeriesRequest, *, machine: str | None = None, sensor: str | None = None
    ) -> dict[str, Any]:
        """Time series; see :func:`~pbf_ray.http.series.read_series`."""
        unknown = [name for name in wanted.fields if name not in SERIES_FIELDS]
        if unknown:
            raise ProblemError(
                422,
                "unknown-field",
                f"there is no series of {', '.join(unknown)}",
                advice=f"the fields are {', '.join(SERIES_FIELDS)}",
            )
        fleet = self.fleet()
        builds = list(wanted.builds) or fleet.build_ids(machine)
        sensors: list[str] | None = None
        if machine is not None or sensor is not None:
            known = {name for build in builds for name in fleet.sensors(build)}
            sensors = [
                name
                for name in sorted(known)
                if (machine is None or self.machine_names.machine(name) == machine)
                and (sensor is None or name == sensor)
            ]
            builds = [build for build in builds if set(fleet.sensors(build)) & set(sensors)]
        chosen = SeriesRequest(**{**vars(wanted), "builds": builds, "sensors": sensors})
        return read_series(
            self.results.stores,
            self.job_id,
            chosen,
            self.results.profile,
            max_rows=self.settings.http.max_series_rows,
        )

    def anomalies(self, wanted: RecordFilter, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of anomalies, newest first."""
        rows = self.snapshot().anomalies
        return self._records("anomalies", rows, wanted, _ANOMALY, limit, cursor)

    def late_records(self, wanted: RecordFilter, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of late records, newest first."""
        return self._records("late", self.snapshot().late_records, wanted, _LATE, limit, cursor)

    def dead_letters(self, wanted: RecordFilter, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of dead letters, newest first, and how many there are by reason."""
        rows = self.snapshot().dead_letters
        time = "processing_timestamp"
        chosen = select_records(rows, wanted, self.machine_names, time=time)
        items, following = page_of(
            chosen, wanted, name="dead", time=time, limit=limit, cursor=cursor, columns=_DEAD
        )
        counted = chosen.group_by("reason").aggregate([([], "count_all")]).to_pylist()
        reasons = {row["reason"]: row["count_all"] for row in counted}
        return {
            "items": items,
            "next_cursor": following,
            "total": chosen.num_rows,
            "reasons": dict(sorted(reasons.items())),
        }

    def _records(
        self,
        name: str,
        rows: pa.Table,
        wanted: RecordFilter,
        columns: tuple[str, ...],
        limit: int,
        cursor: str | None,
    ) -> dict[str, Any]:
        chosen = select_records(rows, wanted, self.machine_names, time="timestamp")
        items, following = page_of(
            chosen, wanted, name=name, time="timestamp", limit=limit, cursor=cursor, columns=columns
        )
        for item in items:
            sensor = item["sensor_id"]
            item["machine_id"] = None if sensor is None else self.machine_names.machine(sensor)
        return {"items": items, "next_cursor": following, "total": chosen.num_rows}

    # -- alerts and health -----------------------------------------------------------------

    def inbox(self) -> Inbox:
        """The alerts."""
        return Inbox(self.snapshot(), self.decisions, self.machine_names)

    def job(self) -> JobStatus | None:
        """How the job is; None if it has never run."""
        if read_status(self.settings.checkpoint_path) is None:
            return None
        return job_status(self.settings, ask_broker=False)

    def pipeline(self) -> dict[str, Any]:
        """Lag and health of the job."""
        job = self.job()
        if job is None:
            raise ProblemError(
                404,
                "no-job",
                f"job {self.job_id!r} has never run here",
                advice="start it with pbf-ray stream, or name another with --job",
            )
        return pipeline_plain(job, self.snapshot(), self.machine_names)

    # -- inside ----------------------------------------------------------------------------

    def fleet(self) -> Fleet:
        """Machines and builds; made anew when something has changed."""
        with self._fleet_lock:
            version, snapshot = self.version(), self.snapshot()
            if self._fleet is None or self._fleet[0] != version:
                made = Fleet(snapshot, self.decisions, self.files, self.machine_names)
                self._fleet = (version, made)
            return self._fleet[1]

    def _known(self, build_id: str) -> Snapshot:
        snapshot = self.snapshot()
        if build_id not in set(snapshot.builds):
            raise ProblemError(
                404,
                "not-found",
                f"there is no build {build_id!r}",
                advice="GET /api/v1/builds lists them",
            )
        return snapshot

    def _layer_plan(self, build_id: str, layer: int) -> dict[str, Any] | None:
        if self.files.path(build_id) is None:
            return None
        rows = self.plan(build_id, layer, layer)
        return plain_rows(rows)[0] if rows.num_rows else None

    def close(self) -> None:
        """Let go of stores and files."""
        self.results.close()
        self.ledger.close()
