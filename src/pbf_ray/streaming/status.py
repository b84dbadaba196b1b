"""What a running job says of itself to other processes: one small file, replaced as a whole.

The file lies in the checkpoint (``status.json``) and decides nothing. It carries a heartbeat:
whoever reads it can tell a job that has nothing to do from one that is gone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from pbf_ray.errors import CheckpointCorruptError, CheckpointError
from pbf_ray.streaming.copies import CopyStanding
from pbf_ray.streaming.event_time import Phase
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.vitals import Vitals

__all__ = [
    "ENDED",
    "BuildStanding",
    "PartitionStanding",
    "RunFacts",
    "Status",
    "read_status",
    "take_status",
    "write_status",
]

ENDED: Final = frozenset({"finished", "stopped", "failed"})
"""States after which nothing runs any more."""

_FILE: Final = "status.json"
_MOST_BUILDS: Final = 20


@dataclass(frozen=True)
class PartitionStanding:
    """A partition: committed position, end on the broker when it was asked last, and the gap."""

    topic: str
    partition: int
    position: int
    end: int
    lag: int


@dataclass(frozen=True)
class BuildStanding:
    """A build: its watermark (None before it starts), how far that is behind the clock, phase."""

    build_id: str | None
    watermark: float | None
    delay_s: float | None
    phase: str


@dataclass(frozen=True)
class RunFacts:
    """What does not change while a run lasts.

    Attributes:
        pid: Process of the coordinator, which beats.
        host: Its machine.
        driver_pid: Process that the job belongs to: the one to send a signal to.
        driver_host: Its machine.
        started_us: When the run started, microseconds since 1970 UTC.
        group_id: Consumer group that progress is reported to.
    """

    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    driver_pid: int = field(default_factory=os.getpid)
    driver_host: str = field(default_factory=socket.gethostname)
    started_us: int = field(default_factory=lambda: time.time_ns() // 1000)
    group_id: str = ""


@dataclass(frozen=True)
class Status:
    """A run at one moment; counts are those of its last commit.

    Attributes:
        facts: Which run, where.
        progress: State, books, lag, rate.
        heartbeat_us: When this was written, microseconds since 1970 UTC.
        turned_us: When the run's loop came round last; a heartbeat without it means that it hangs.
        replayed: Consumed records that were replays of dead letters or late records.
        partitions: All partitions.
        builds: Builds that are not retired, the most delayed first; at most 20.
        builds_open: How many there are.
        watermark_delay_s: The longest delay of a build that still brings rows; None without one.
        stages: Seconds by stage: ``total_s`` of this run, ``recent_s`` per epoch.
        epochs: Epochs committed by this run.
        in_flight: Epochs under way.
        waits: Waits for the broker and for stores: ``count`` and ``total_s`` of this run.
        copies: Copies of dead letters and late records.
        passed_over: Offsets that were lost or skipped, over the life of the job.
        error: Type, what and advice of the error that ended the run.
    """

    facts: RunFacts
    progress: Progress
    heartbeat_us: int
    turned_us: int = 0
    replayed: int = 0
    partitions: tuple[PartitionStanding, ...] = ()
    builds: tuple[BuildStanding, ...] = ()
    builds_open: int = 0
    watermark_delay_s: float | None = None
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    epochs: int = 0
    in_flight: int = 0
    waits: dict[str, dict[str, float]] = field(default_factory=dict)
    copies: tuple[CopyStanding, ...] = ()
    passed_over: int = 0
    error: dict[str, str] | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Inverse of ``to_plain``; fields of other versions are passed over."""
        given = _known(cls, plain)
        given["facts"] = RunFacts(**_known(RunFacts, plain["facts"]))
        given["progress"] = Progress(**_known(Progress, plain["progress"]))
        for name, kind in (
            ("partitions", PartitionStanding),
            ("builds", BuildStanding),
            ("copies", CopyStanding),
        ):
            given[name] = tuple(kind(**_known(kind, item)) for item in plain.get(name, ()))
        return cls(**given)


def take_status(
    vitals: Vitals,
    facts: RunFacts,
    copies: Sequence[CopyStanding] = (),
    *,
    error: dict[str, str] | None = None,
    clock_us: int | None = None,
) -> Status:
    """The status of a run, now.

    Args:
        vitals: Its notes.
        facts: Which run it is.
        copies: How far the copies are.
        error: What ended it.
        clock_us: The clock, microseconds since 1970 UTC; the machine's if not given.
    """
    now_us = time.time_ns() // 1000 if clock_us is None else clock_us
    commit, held = vitals.commit, vitals.held
    positions = commit.tracker.positions if commit is not None else {}
    partitions = tuple(
        PartitionStanding(*at, position, end, max(0, end - position))
        for at, (first, end) in sorted(held.items())
        for position in (positions.get(at, first),)
    )
    builds = _builds(commit.tracker.builds() if commit is not None else [], now_us)
    delays = [
        build.delay_s
        for build in builds
        if build.delay_s is not None and build.phase in {"active", "silent"}
    ]
    lost = commit.lost if commit is not None else ()
    return Status(
        facts=facts,
        progress=vitals.progress(),
        heartbeat_us=now_us,
        turned_us=vitals.turned_us,
        replayed=commit.books.replayed if commit is not None else 0,
        partitions=partitions,
        builds=tuple(builds[:_MOST_BUILDS]),
        builds_open=len(builds),
        watermark_delay_s=max(delays, default=None),
        stages={
            name: {"total_s": spent.total_s, "recent_s": spent.recent_s}
            for name, spent in vitals.stages.items()
        },
        epochs=vitals.epochs,
        in_flight=vitals.in_flight,
        waits={name: asdict(wait) for name, wait in vitals.waits().items()},
        copies=tuple(copies),
        passed_over=sum(gap.stop - gap.start for gap in lost),
        error=error,
    )


def write_status(checkpoint: Path, status: Status) -> None:
    """Replace the status file.

    Raises:
        CheckpointError: If it cannot be written.
    """
    target = checkpoint / _FILE
    draft = target.with_name(f".{_FILE}.{secrets.token_hex(4)}")
    try:
        draft.write_text(json.dumps(status.to_plain(), separators=(",", ":")), encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        raise CheckpointError(
            str(checkpoint), f"the status cannot be written: {error}", advice="make room"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def read_status(checkpoint: Path) -> Status | None:
    """What the last run said last; None if none has said anything.

    Raises:
        CheckpointCorruptError: If the file is not a status.
    """
    path = checkpoint / _FILE
    try:
        return Status.from_plain(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointCorruptError(
            str(path), f"is no status: {error!r}", advice="remove it: the next run writes it anew"
        ) from error


def _builds(found: Sequence[tuple[str | None, float, Phase]], now_us: int) -> list[BuildStanding]:
    builds = []
    for name, watermark, phase in found:
        started = math.isfinite(watermark)
        builds.append(
            BuildStanding(
                build_id=name,
                watermark=watermark if started else None,
                delay_s=now_us / 1e6 - watermark if started else None,
                phase=phase.name.lower(),
            )
        )
    # Those that bring rows first, then the most delayed; one that has not started holds rows.
    order = {"active": 0, "silent": 1}
    builds.sort(
        key=lambda build: (
            order.get(build.phase, 2),
            -math.inf if build.delay_s is None else -build.delay_s,
        )
    )
    return builds


def _known(kind: Any, plain: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in plain.items() if name in names}
