"""Setting a stopped job to other offsets, so that its tables still mean something.

Forward: the records between are never read. That is one more epoch in the plan log, without
records, which notes the skipped ranges; state and outputs stay, and hold what a batch over all
records that were read would hold.

Back: records would be read again whose rows, statistics and counts are there already. So the job
begins anew: its rows are removed from the stores, its state and books are dropped, and the next
epoch begins at the new offsets. Its tables are then those of a batch over what is read from
there on. An intent in the checkpoint comes first, the new commit last; a start in between is
refused, and the reset can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pbf_ray.errors import CheckpointError
from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.event_time import EventTimeTracker
from pbf_ray.streaming.manifest import JobIdentity, Manifest
from pbf_ray.streaming.plan import EpochPlan, LostRange, PartitionId
from pbf_ray.streaming.planner import EpochPlanner, PlanLimits
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["OffsetMove", "Resettable", "begin_anew", "moves_to", "next_offsets", "skip_forward"]


class Resettable(Protocol):
    """The stores of a job (``storage.JobStores``)."""

    def claim(self, job_id: str, incarnation: int) -> None:
        """Fence older runs off."""

    def clear(self, job_id: str, incarnation: int) -> None:
        """Remove all rows of the job."""

    def commit(self, write: EpochCommit) -> bool:
        """Apply an epoch."""

    def applied_epochs(self, job_id: str) -> dict[str, int | None]:
        """The last epoch in each store."""


@dataclass(frozen=True)
class OffsetMove:
    """What a reset means to a partition.

    Attributes:
        where: The partition.
        start: Next offset to be read as things stand.
        stop: Next offset to be read after the reset.
        known: Whether the job has read this partition before.
    """

    where: PartitionId
    start: int
    stop: int
    known: bool = True

    @property
    def skipped(self) -> int:
        """Offsets that will not be read."""
        return max(0, self.stop - self.start)

    @property
    def again(self) -> int:
        """Offsets that will be read again."""
        return max(0, self.start - self.stop)


def next_offsets(log: CheckpointLog) -> dict[PartitionId, int]:
    """Where reading would go on, once the epochs that are planned already are done."""
    return dict(_planner(log).positions)


def moves_to(
    targets: Mapping[PartitionId, int],
    positions: Mapping[PartitionId, int],
    held: Mapping[PartitionId, tuple[int, int]],
) -> list[OffsetMove]:
    """What a reset means to each partition.

    Args:
        targets: Wanted next offsets; partitions that are not named stay where they are.
        positions: From :func:`next_offsets`.
        held: First offset and end of every partition on the broker.
    """
    moves = []
    for where, (first, _) in sorted(held.items()):
        start = positions.get(where, first)
        moves.append(OffsetMove(where, start, targets.get(where, start), where in positions))
    return moves


def skip_forward(
    log: CheckpointLog,
    moves: list[OffsetMove],
    held: Mapping[PartitionId, tuple[int, int]],
    semantics: StreamSemantics,
    *,
    clock_us: int,
) -> int:
    """Plan an epoch that passes over the offsets between; the next start carries it out.

    Args:
        log: The checkpoint, in a run of its own.
        moves: None of them goes back.
        held: First offset and end of every partition on the broker.
        semantics: What the epoch decides by.
        clock_us: Processing time, microseconds since 1970 UTC.

    Returns:
        Number of the epoch.

    Raises:
        CheckpointError: If somebody has planned something meanwhile.
        FencedError: If a newer run has started.
    """
    if any(move.again for move in moves):
        raise ValueError("a move that goes back needs begin_anew()")
    planner = _planner(log)
    plan = EpochPlan(
        epoch=planner.next_epoch,
        clock_us=max(clock_us, _last_clock_us(log)),
        ranges={},
        ends={where: end for where, (_, end) in held.items()},
        begins={move.where: move.start for move in moves if not move.known},
        semantics=semantics,
        lost=tuple(
            LostRange(*move.where, move.start, move.stop, cause="reset")
            for move in moves
            if move.skipped
        ),
    )
    if not log.write_plan(plan):
        raise _moved(log)
    return plan.epoch


def begin_anew(
    log: CheckpointLog,
    stores: Resettable,
    identity: JobIdentity,
    offsets: Mapping[PartitionId, int],
    *,
    clock_us: int,
) -> int:
    """Drop rows, state and books of the job, and let the next epoch begin at other offsets.

    Args:
        log: The checkpoint, in a run of its own.
        stores: The stores, claimed by that run.
        identity: The job.
        offsets: Next offset of every partition.
        clock_us: Processing time, microseconds since 1970 UTC.

    Returns:
        Number of the epoch that stands for the reset.

    Raises:
        StoreError: If a store cannot be cleared; the reset can be repeated.
        FencedError: If a newer run has started.
        CheckpointError: If somebody has committed something meanwhile.
    """
    applied = stores.applied_epochs(identity.job_id).values()
    planned = _planner(log).next_epoch - 1
    epoch = max(planned, log.reset_epoch(), *(number or 0 for number in applied)) + 1
    log.begin_reset(epoch)
    stores.clear(identity.job_id, log.run)
    stores.commit(EpochCommit(identity.job_id, log.run, epoch))
    tracker = EventTimeTracker()
    tracker.positions = dict(offsets)
    manifest = Manifest(
        epoch=epoch,
        run=log.run,
        clock_us=max(clock_us, _last_clock_us(log)),
        tracker=tracker,
        books=Books(),
        windows=(),
    )
    if not log.commit(manifest):
        raise _moved(log)
    return epoch


def _planner(log: CheckpointLog) -> EpochPlanner:
    """A planner that has seen everything in the log."""
    commit = log.last_commit()
    committed = commit.epoch if commit is not None else 0
    planner = EpochPlanner(
        PlanLimits(),
        next_epoch=committed + 1,
        positions=commit.tracker.positions if commit is not None else {},
    )
    for plan in log.planned_after(committed):
        planner.planned(log.amendment(plan.epoch) or plan)
    return planner


def _last_clock_us(log: CheckpointLog) -> int:
    commit = log.last_commit()
    if commit is None:
        return 0
    return max([commit.clock_us, *(plan.clock_us for plan in log.planned_after(commit.epoch))])


def _moved(log: CheckpointLog) -> CheckpointError:
    return CheckpointError(
        str(log.folder.path), "another run wrote to it just now", advice="look again, and repeat"
    )
