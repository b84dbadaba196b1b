"""How a job is: what its run says of itself, whether it still lives, and what the broker holds."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pbf_ray.config import Settings
from pbf_ray.errors import BrokerError, PbfRayError
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.plan import LostRange
from pbf_ray.streaming.status import ENDED, PartitionStanding, Status, read_status

__all__ = ["JobStatus", "job_status", "process_lives", "prometheus_text"]

_SILENT_S: Final = 10.0
"""A run beats every second: after so long without, something is wrong."""
_RECOVERS_S: Final = 60.0
"""So long a driver may take to replace a coordinator that died."""
_HANGS_S: Final = 90.0
"""Longer than any question to a broker takes."""

Verdict = Literal["running", "hindered", "hanging", "silent", "failed", "stopped", "finished"]


@dataclass(frozen=True)
class JobStatus:
    """How a job is.

    Attributes:
        job_id: The job.
        verdict: ``running``; ``hindered``: it runs and waits for the broker, a store or room;
            ``hanging``: its process lives and its loop does not; ``silent``: no heartbeat, though
            it never said that it had ended; or how it ended.
        healthy: Whether nobody has to do anything.
        explanation: The verdict in a sentence.
        heartbeat_age_s: Time since it said anything.
        status: What it said last.
        partitions: Every partition, with the ends that the broker has now, if it was asked.
        lag: Over all partitions.
        lag_from: Who said so: ``"broker"`` now, or the ``"run"`` when it looked last.
        broker_problem: Why the broker could not be asked; empty if it answered, or was not asked.
    """

    job_id: str
    verdict: Verdict
    healthy: bool
    explanation: str
    heartbeat_age_s: float
    status: Status
    partitions: tuple[PartitionStanding, ...]
    lag: int
    lag_from: Literal["broker", "run"]
    broker_problem: str = ""

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def job_status(
    settings: Settings, *, ask_broker: bool = True, clock_s: float | None = None
) -> JobStatus:
    """How the job of the settings is, without talking to its processes.

    Args:
        settings: The settings that the job runs with: its name, its checkpoint, its broker.
        ask_broker: Whether to ask the broker for the ends of the partitions.
        clock_s: Seconds since 1970 UTC; the machine's clock if not given.

    Raises:
        PbfRayError: If the job has never run here.
    """
    status = read_status(settings.checkpoint_path)
    if status is None:
        raise PbfRayError(
            f"job {settings.job.name} has never run at {settings.checkpoint_path}",
            advice="check --job and --data-dir, or run pbf-ray stream first",
            job=settings.job.name,
        )
    now_s = time.time() if clock_s is None else clock_s
    age_s = max(0.0, now_s - status.heartbeat_us / 1e6)
    verdict, explanation = _judged(status, age_s)
    skips = _planned_skips(settings) if status.progress.state in ENDED else {}
    if skips:
        passed = sum(gap.stop - gap.start for gap in skips.values())
        explanation += f"; by a reset it then passes over {passed:,} offsets"
    partitions, problem = status.partitions, ""
    lag_from: Literal["broker", "run"] = "run"
    if ask_broker:
        try:
            partitions = _with_ends(settings, status, skips)
            lag_from = "broker"
        except BrokerError as error:
            problem = error.what
    return JobStatus(
        job_id=status.progress.job_id,
        verdict=verdict,
        healthy=verdict in {"running", "stopped", "finished"},
        explanation=explanation,
        heartbeat_age_s=age_s,
        status=status,
        partitions=partitions,
        lag=sum(place.lag for place in partitions),
        lag_from=lag_from,
        broker_problem=problem,
    )


def prometheus_text(job: JobStatus) -> str:
    """The metrics of a job in Prometheus' text format; ``pbf_ray_up`` is 0 if it is gone."""
    from pbf_ray.streaming.metrics import metrics_text

    status = replace(job.status, partitions=job.partitions)
    if job.verdict == "silent":
        status = replace(status, progress=replace(status.progress, state="failed"))
    return metrics_text(status)


def _judged(status: Status, age_s: float) -> tuple[Verdict, str]:
    state, facts = status.progress.state, status.facts
    if state in ENDED:
        return _ended(status)
    here = socket.gethostname()
    gone = facts.host == here and not process_lives(facts.pid)
    if (
        gone
        and age_s < _RECOVERS_S
        and facts.driver_host == here
        and process_lives(facts.driver_pid)
    ):
        return "hindered", "its coordinator died, and its driver is about to start another"
    if gone or age_s > _SILENT_S:
        process = f"coordinator (process {facts.pid} on {facts.host})"
        why = f"{process} is gone" if gone else f"{process} does not write its heartbeat"
        return "silent", (
            f"no sign of life for {age_s:.0f} s, and it never said that it had ended: {why}; "
            "nothing is lost, start it again"
        )
    hangs_s = (status.heartbeat_us - status.turned_us) / 1e6
    if hangs_s > _HANGS_S and state not in {"starting", "recovering", "closing"}:
        return "hanging", f"its process lives, but its loop has not come round for {hangs_s:.0f} s"
    if state in {"running", "starting", "recovering", "closing"}:
        return "running", state
    return "hindered", state


def _ended(status: Status) -> tuple[Verdict, str]:
    if status.progress.state == "failed":
        error = status.error or {}
        return "failed", f"{error.get('type', 'Error')}: {error.get('what', 'unknown')}"
    if status.progress.state == "stopped":
        return "stopped", "it was told to stop; a start goes on from there"
    return "finished", "its bounded input is done"


def process_lives(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _planned_skips(settings: Settings) -> dict[tuple[str, int], LostRange]:
    """What a reset passes over, which is carried out at the next start."""
    log = CheckpointLog(CheckpointFolder(settings.checkpoint_path))
    commit = log.last_commit()
    skips: dict[tuple[str, int], LostRange] = {}
    for plan in log.planned_after(commit.epoch if commit is not None else 0):
        for gap in plan.lost:
            if gap.cause == "reset":
                at = (gap.topic, gap.partition)
                # One reset goes on from where the last one went to.
                skips[at] = gap._replace(start=skips.get(at, gap).start)
    return skips


def _with_ends(
    settings: Settings, status: Status, skips: Mapping[tuple[str, int], LostRange]
) -> tuple[PartitionStanding, ...]:
    """The partitions with the ends that the broker has now, new ones too."""
    from pbf_ray.kafka.client import client_config, wait_for_broker
    from pbf_ray.kafka.offsets import ClusterView

    kafka = settings.kafka
    patience_s = min(3.0, kafka.connect_timeout_s)
    client = kafka.client_config()
    wait_for_broker(client_config(kafka.bootstrap_servers, client), patience_s)
    view = ClusterView(kafka.bootstrap_servers, kafka.topics, client, timeout_s=patience_s)
    held = view.ranges(view.describe().partitions)
    commit = CheckpointLog(CheckpointFolder(settings.checkpoint_path)).last_commit()
    positions = {(at.topic, at.partition): at.position for at in status.partitions}
    if commit is not None:
        positions.update(
            {(at.topic, at.partition): n for at, n in commit.tracker.positions.items()}
        )
    standings = []
    for at, (first, end) in sorted(held.items()):
        position, gap = positions.get(at, first), skips.get(at)
        lag = end - position
        if gap is not None:
            lag -= gap.stop - gap.start
            position = gap.stop if position == gap.start else position
        standings.append(PartitionStanding(*at, position, end, max(0, lag)))
    return tuple(standings)
