"""Planning of epochs: how far each partition is read next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pbf_ray.errors import OffsetsVanishedError
from pbf_ray.streaming.event_time import EventTimeTracker
from pbf_ray.streaming.plan import EpochPlan, LostRange, OffsetRange, PartitionId
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["EpochPlanner", "PlanLimits", "amend"]


@dataclass(frozen=True)
class PlanLimits:
    """How large an epoch may be, and how much may wait.

    Attributes:
        epoch_max_rows: Offsets in one epoch, over all partitions.
        pending_rows_limit: Rows waiting for the watermark; beyond it only the partitions
            that hold watermarks back are read.
        max_state_bytes: Window state; beyond it nothing is read.
        start_from: ``"earliest"`` or ``"latest"``: where a new job begins.
        accept_loss: Go on past offsets that the broker no longer has.
    """

    epoch_max_rows: int = 100_000
    pending_rows_limit: int = 2_000_000
    max_state_bytes: int = 8 << 30
    start_from: str = "earliest"
    accept_loss: bool = False


class EpochPlanner:
    """Makes the next plan from what the broker holds; pure but for its own counters.

    Args:
        limits: Sizes.
        next_epoch: Number of the first epoch to plan.
        positions: Where reading goes on; partitions not named here are new.
    """

    def __init__(
        self, limits: PlanLimits, *, next_epoch: int, positions: Mapping[PartitionId, int]
    ) -> None:
        self._limits = limits
        self.next_epoch = next_epoch
        self.positions: dict[PartitionId, int] = dict(positions)
        self.stop_at: dict[PartitionId, int] | None = None
        """Where bounded input ends; None for endless input."""

    def lag(self, ends: Mapping[PartitionId, int]) -> int:
        """Offsets on the broker that no plan has named yet."""
        return sum(max(0, end - self.positions.get(where, 0)) for where, end in ends.items())

    def next_plan(
        self,
        *,
        clock_us: int,
        held: Mapping[PartitionId, tuple[int, int]],
        tracker: EventTimeTracker,
        pending_rows: int,
        state_bytes: int,
        semantics: StreamSemantics,
        away_us: int = 0,
    ) -> EpochPlan | None:
        """The next plan, or None when there is nothing to do.

        Args:
            clock_us: Processing time, microseconds since 1970 UTC.
            held: First offset and last stable offset of every partition on the broker.
            tracker: Event time after the last epoch that has been read.
            pending_rows: Rows waiting for the watermark.
            state_bytes: Size of the window state.
            semantics: What the epoch will decide by.
            away_us: How long the brokers were away since the last plan, microseconds.

        Raises:
            OffsetsVanishedError: If unread offsets are gone, or the log has become shorter.
        """
        begins = self._begins(held)
        positions = {**self.positions, **begins}
        lost = self._lost(held, positions)
        for gap in lost:
            positions[PartitionId(gap.topic, gap.partition)] = gap.stop
        ends = {where: end for where, (_, end) in held.items()}
        ranges = self._ranges(positions, ends, tracker, pending_rows, state_bytes)
        after = positions | {where: offsets.stop for where, offsets in ranges.items()}
        plan = EpochPlan(
            epoch=self.next_epoch,
            clock_us=clock_us,
            ranges=ranges,
            ends=ends,
            begins=begins,
            semantics=semantics,
            final=self.stop_at is not None
            and all(after.get(where, 0) >= stop for where, stop in self.stop_at.items()),
            lost=tuple(lost),
            away_us=away_us,
        )
        news = ranges or begins or lost or plan.final or away_us
        if not news and not tracker.would_move(plan):
            return None
        self.planned(plan)
        return plan

    def planned(self, plan: EpochPlan) -> None:
        """Note a plan that is in the log, of this run or of an earlier one."""
        self.next_epoch = plan.epoch + 1
        self.positions.update(plan.begins)
        for gap in plan.lost:
            self.positions[PartitionId(gap.topic, gap.partition)] = gap.stop
        for where, offsets in plan.ranges.items():
            self.positions[where] = offsets.stop

    def _begins(self, held: Mapping[PartitionId, tuple[int, int]]) -> dict[PartitionId, int]:
        # Partitions that appear later are read whole, wherever the job itself began.
        from_end = self._limits.start_from == "latest" and not self.positions
        return {
            where: end if from_end else first
            for where, (first, end) in sorted(held.items())
            if where not in self.positions
        }

    def _lost(
        self, held: Mapping[PartitionId, tuple[int, int]], positions: Mapping[PartitionId, int]
    ) -> list[LostRange]:
        lost = []
        for where, (first, end) in sorted(held.items()):
            wanted = positions[where]
            if first <= wanted <= end:
                continue
            if wanted > end or not self._limits.accept_loss:
                raise OffsetsVanishedError(
                    where.topic, where.partition, wanted=wanted, first=first, last=end - 1
                )
            lost.append(LostRange(where.topic, where.partition, wanted, first))
        return lost

    def _ranges(
        self,
        positions: Mapping[PartitionId, int],
        ends: Mapping[PartitionId, int],
        tracker: EventTimeTracker,
        pending_rows: int,
        state_bytes: int,
    ) -> dict[PartitionId, OffsetRange]:
        unread = {}
        for where, end in ends.items():
            if self.stop_at is not None:
                end = min(end, self.stop_at.get(where, 0))
            if end > positions[where]:
                unread[where] = end - positions[where]
        if not unread or state_bytes > self._limits.max_state_bytes:
            return {}
        holders = [where for where in tracker.holding_back() if where in unread]
        # Without anything that holds watermarks back, waiting would not help.
        if pending_rows > self._limits.pending_rows_limit and holders:
            unread = {where: unread[where] for where in holders}
        budget = self._limits.epoch_max_rows
        taken = _share(unread, holders, budget // 2)
        left = {where: rows - taken.get(where, 0) for where, rows in unread.items()}
        for where, rows in _share(left, sorted(left), budget - sum(taken.values())).items():
            taken[where] = taken.get(where, 0) + rows
        return {
            where: OffsetRange(positions[where], positions[where] + rows)
            for where, rows in sorted(taken.items())
            if rows
        }


def amend(
    plan: EpochPlan,
    held: Mapping[PartitionId, tuple[int, int]],
    semantics: StreamSemantics,
    *,
    accept_loss: bool,
) -> EpochPlan:
    """A planned epoch, changed where it could not be replayed as it is.

    Args:
        plan: The plan.
        held: First offset and end of every partition on the broker, now.
        semantics: The settings, now.
        accept_loss: Whether vanished offsets are left out; they are recorded as lost.

    Returns:
        The same plan if nothing has to change.
    """
    ranges, lost = dict(plan.ranges), list(plan.lost)
    for where, (start, stop) in plan.ranges.items():
        first = min(held.get(where, (start, stop))[0], stop)
        if accept_loss and first > start:
            lost.append(LostRange(where.topic, where.partition, start, first))
            ranges[where] = OffsetRange(first, stop)
    rules = plan.semantics
    if rules.malformed == "fail" and semantics.malformed != "fail":
        rules = replace(rules, malformed=semantics.malformed)
    if ranges == plan.ranges and rules == plan.semantics:
        return plan
    return replace(plan, ranges=ranges, lost=tuple(lost), semantics=rules)


def _share(
    wanted: Mapping[PartitionId, int], among: list[PartitionId], budget: int
) -> dict[PartitionId, int]:
    """Split a budget evenly; what one does not need goes to the others."""
    shares: dict[PartitionId, int] = {}
    for done, where in enumerate(sorted(among, key=lambda where: wanted[where])):
        shares[where] = min(wanted[where], budget // (len(among) - done))
        budget -= shares[where]
    return shares
