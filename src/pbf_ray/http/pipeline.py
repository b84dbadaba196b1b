"""Lag and health of the job, as clients see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pbf_ray.http.machines import MachineNames
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.jobs.status import JobStatus

__all__ = ["live_status", "pipeline_plain"]

_BOOKS: Final = (
    "consumed", "accepted", "dead_letters", "late", "dropped", "duplicates", "pending",
    "anomalies", "layers",
)  # fmt: skip


def live_status(job: JobStatus) -> dict[str, Any]:
    """The status in short, for live events."""
    progress = job.status.progress
    return {
        "verdict": job.verdict,
        "state": progress.state,
        "healthy": job.healthy,
        "epoch": progress.epoch,
        "lag": job.lag,
        "records_per_s": round(progress.records_per_s, 1),
        "heartbeat_at": _moment(job.status.heartbeat_us),
    }


def pipeline_plain(job: JobStatus, snapshot: Snapshot, machines: MachineNames) -> dict[str, Any]:
    """The status of a job as JSON-ready values.

    Names of hosts and processes stay behind, and so does what only the log should say.
    """
    status = job.status
    progress = status.progress
    plain = status.to_plain()
    return {
        "job_id": job.job_id,
        "explanation": job.explanation if job.verdict != "silent" else _silent(job),
        **live_status(job),
        "run": progress.run,
        "books": {name: getattr(progress, name) for name in _BOOKS},
        "restarts": progress.restarts,
        "state_bytes": progress.state_bytes,
        "watermark_delay_s": status.watermark_delay_s,
        "partitions": plain["partitions"],
        "builds": plain["builds"],
        "builds_open": status.builds_open,
        "stages": status.stages,
        "waits": status.waits,
        "passed_over": status.passed_over,
        "error": status.error,
        "sources": _sources(snapshot, machines),
    }


def _silent(job: JobStatus) -> str:
    return (
        f"no sign of life for {job.heartbeat_age_s:.0f} s, and it never said that it had ended; "
        "nothing is lost, start it again"
    )


def _sources(snapshot: Snapshot, machines: MachineNames) -> list[dict[str, Any]]:
    newest: dict[str, tuple[float, str]] = {}
    for build_id, tail in snapshot.tails.items():
        for sensor, at in tail.sensors.items():
            if sensor not in newest or newest[sensor][0] < at:
                newest[sensor] = (at, build_id)
    return [
        {
            "sensor_id": sensor,
            "machine_id": machines.machine(sensor),
            "build_id": build_id,
            "last_timestamp": at,
        }
        for sensor, (at, build_id) in sorted(newest.items())
    ]


def _moment(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds / 1e6, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
