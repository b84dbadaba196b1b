"""Event time: a watermark per build, decided from plans and from what was read, nothing else.

The tracker is a pure state machine. It is fed, in order, each plan and the summary of what the
readers found in its ranges, and says how far event time has come. Processing time enters only
through the plan's clock, so a replay of the same plans decides the same.

The watermark of a build is the minimum, over the partitions that have carried the build, of the
newest timestamp seen there, minus the allowed lateness. It never falls. It starts only when
every partition has been read up to the end that it had when the build first appeared.

A partition is *silent* for a build once everything that stood on the broker ``idle_timeout_s``
after the build's last row there has been read, and held nothing more of the build. (An idle
partition, whose end is confirmed to be our position, is silent for all its builds; a lagging or
unreachable one for none.) Silent partitions hold the watermark back no longer. When all of them
are silent, the build goes on through the phases below; a new row brings it back to ACTIVE and
gives every partition its idle timeout again. A partition that falls behind (an epoch leaves
some of it unread) and does not hold a build back by itself does so until that much is read, for it
may hold rows of the build: a backlog makes no row late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from pbf_ray.streaming.plan import EpochPlan, PartitionId
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = [
    "BuildId",
    "EventTimeStep",
    "EventTimeTracker",
    "Phase",
    "ReadSummary",
]

BuildId = str | None


class Phase(IntEnum):
    """How far a build has come."""

    ACTIVE = 0
    SILENT = 1
    """No partition brings rows any more; the watermark follows the newest of them."""
    SETTLED = 2
    """Silent for the allowed lateness too: all rows are released."""
    QUIET = 3
    """Silent for the layer gap too: all layers close; rows may still reopen them."""
    RETIRED = 4
    """Silent for ``build_retire_after_s``: state is dropped, whatever still comes is late."""


@dataclass
class ReadSummary:
    """What the readers found in the ranges of one epoch.

    Attributes:
        newest: Highest event time per build and partition, of rows that can be placed.
        layer_first: Lowest event time per build and layer (layer not null).
        replayed: Places (topic, partition, offset) of the records that are replays of this job's
            own; they are never late.
    """

    newest: dict[tuple[BuildId, PartitionId], float] = field(default_factory=dict)
    layer_first: dict[tuple[BuildId, int], float] = field(default_factory=dict)
    replayed: set[tuple[str, int, int]] = field(default_factory=set)

    def merge(self, other: ReadSummary) -> None:
        """Take in the summary of another reader; the order does not matter."""
        for where, newest in other.newest.items():
            self.newest[where] = max(newest, self.newest.get(where, -math.inf))
        for layer, first in other.layer_first.items():
            self.layer_first[layer] = min(first, self.layer_first.get(layer, math.inf))
        self.replayed |= other.replayed


@dataclass(frozen=True)
class EventTimeStep:
    """How event time moved in one epoch; only the builds for which it did.

    Attributes:
        watermarks: W(n), s since 1970 UTC; ``inf`` for a retired build.
        moved_on: Layer that the watermark has reached; lower ones may close.
        phases: Phase after the epoch.
    """

    watermarks: dict[BuildId, float]
    moved_on: dict[BuildId, int]
    phases: dict[BuildId, Phase]

    @property
    def moves(self) -> bool:
        """Whether anything moved."""
        return bool(self.watermarks or self.moved_on or self.phases)


@dataclass
class _PartitionClock:
    newest: float
    seen_us: int


@dataclass
class _BuildClock:
    partitions: dict[PartitionId, _PartitionClock] = field(default_factory=dict)
    barrier: dict[PartitionId, int] = field(default_factory=dict)
    watermark: float = -math.inf
    phase: Phase = Phase.ACTIVE
    moved_on: int | None = None
    layers_ahead: dict[int, float] = field(default_factory=dict)


@dataclass
class _CaughtUp:
    """Up to which plan clock everything on the broker has been read."""

    clock_us: int = -1
    marker_us: int = -1
    marker_end: int = -1


class EventTimeTracker:
    """Watermarks, phases and positions after the last epoch fed in."""

    def __init__(self) -> None:
        self.positions: dict[PartitionId, int] = {}
        self._builds: dict[BuildId, _BuildClock] = {}
        self._caught_up: dict[PartitionId, _CaughtUp] = {}
        self._retired: frozenset[BuildId] = frozenset()

    # -- feeding ---------------------------------------------------------------------------

    def advance(self, plan: EpochPlan, summary: ReadSummary) -> EventTimeStep:
        """Take in one epoch; epochs come in order, without gaps."""
        for clock in (c for build in self._builds.values() for c in build.partitions.values()):
            clock.seen_us += plan.away_us
        new_partitions = plan.ends.keys() - self._caught_up.keys()
        self._read_up_to(plan)
        self._note_rows(plan, summary)
        lagging = {where: end for where, end in plan.ends.items() if self.positions[where] < end}
        for build in self._builds.values():
            build.barrier.update({where: plan.ends[where] for where in new_partitions})
            for where, end in lagging.items():
                # What lags is never silent, and may hold rows of any build.
                if not self._is_active(build, where, plan.semantics):
                    build.barrier[where] = end
            build.barrier = {
                where: end for where, end in build.barrier.items() if self.positions[where] < end
            }
        return self._move(plan)

    def finish(self, plan: EpochPlan, summary: ReadSummary) -> EventTimeStep:
        """Take in the final epoch of bounded input: every build is released and closed.

        The watermark comes to stand just behind the newest row, so that the job can go on
        with more input later.
        """
        self._read_up_to(plan)
        self._note_rows(plan, summary)
        watermarks: dict[BuildId, float] = {}
        phases: dict[BuildId, Phase] = {}
        for name, build in self._builds.items():
            newest = max(clock.newest for clock in build.partitions.values())
            build.barrier, build.layers_ahead = {}, {}
            build.watermark = max(build.watermark, math.nextafter(newest, math.inf))
            build.phase = Phase.QUIET
            watermarks[name], phases[name] = build.watermark, build.phase
        return EventTimeStep(watermarks, {}, phases)

    def would_move(self, plan: EpochPlan) -> bool:
        """Whether an epoch without records, planned so, would move event time."""
        caught_up = {
            where: plan.clock_us
            if self.positions[where] >= end
            else self._caught_up[where].clock_us
            for where, end in plan.ends.items()
            if where in self._caught_up
        }
        return any(
            self._outlook(build, caught_up, plan) != (build.watermark, build.phase)
            for build in self._builds.values()
        )

    # -- asking ----------------------------------------------------------------------------

    def watermark(self, build: BuildId) -> float:
        """W of a build, s since 1970 UTC; ``-inf`` before it starts."""
        clock = self._builds.get(build)
        if clock is not None:
            return clock.watermark
        return math.inf if build in self._retired else -math.inf

    def builds(self) -> list[tuple[BuildId, float, Phase]]:
        """Every build that is not retired, with its watermark and its phase."""
        return [(name, build.watermark, build.phase) for name, build in self._builds.items()]

    def standing(self) -> EventTimeStep:
        """All of it, as one step: what a window operator starts from."""
        builds = self._builds.items()
        return EventTimeStep(
            {name: build.watermark for name, build in builds}
            | dict.fromkeys(self._retired, math.inf),
            {name: build.moved_on for name, build in builds if build.moved_on is not None},
            {name: build.phase for name, build in builds}
            | dict.fromkeys(self._retired, Phase.RETIRED),
        )

    def copy(self) -> EventTimeTracker:
        """An independent copy."""
        other = EventTimeTracker()
        other.positions = dict(self.positions)
        other._retired = self._retired
        other._caught_up = {where: replace(seen) for where, seen in self._caught_up.items()}
        other._builds = {
            name: replace(
                build,
                partitions={where: replace(clock) for where, clock in build.partitions.items()},
                barrier=dict(build.barrier),
                layers_ahead=dict(build.layers_ahead),
            )
            for name, build in self._builds.items()
        }
        return other

    def holding_back(self) -> list[PartitionId]:
        """Partitions that hold watermarks back, the worst first."""
        behind: dict[PartitionId, float] = {}
        for build in self._builds.values():
            if build.phase is not Phase.ACTIVE:
                continue
            for where in build.barrier:
                behind[where] = -math.inf
            if not build.barrier and build.partitions:
                where, clock = min(build.partitions.items(), key=lambda item: item[1].newest)
                behind[where] = min(clock.newest, behind.get(where, math.inf))
        return sorted(behind, key=lambda where: (behind[where], where))

    # -- state -----------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values (infinities as Python's JSON writes them)."""
        return {
            "positions": [[*where, offset] for where, offset in sorted(self.positions.items())],
            "caught_up": [
                [*where, seen.clock_us, seen.marker_us, seen.marker_end]
                for where, seen in sorted(self._caught_up.items())
            ],
            "retired": sorted(self._retired, key=lambda name: (name is not None, name or "")),
            "builds": [
                {
                    "build_id": name,
                    "partitions": [
                        [*where, clock.newest, clock.seen_us]
                        for where, clock in sorted(build.partitions.items())
                    ],
                    "barrier": [[*where, end] for where, end in sorted(build.barrier.items())],
                    "watermark": build.watermark,
                    "phase": int(build.phase),
                    "moved_on": build.moved_on,
                    "layers_ahead": sorted(build.layers_ahead.items()),
                }
                for name, build in self._builds.items()
            ],
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> EventTimeTracker:
        """Inverse of ``to_plain``."""
        tracker = cls()
        tracker.positions = {PartitionId(t, p): offset for t, p, offset in plain["positions"]}
        tracker._caught_up = {
            PartitionId(t, p): _CaughtUp(clock, marker, end)
            for t, p, clock, marker, end in plain["caught_up"]
        }
        tracker._retired = frozenset(plain["retired"])
        for build in plain["builds"]:
            tracker._builds[build["build_id"]] = _BuildClock(
                partitions={
                    PartitionId(t, p): _PartitionClock(newest, seen)
                    for t, p, newest, seen in build["partitions"]
                },
                barrier={PartitionId(t, p): end for t, p, end in build["barrier"]},
                watermark=build["watermark"],
                phase=Phase(build["phase"]),
                moved_on=build["moved_on"],
                layers_ahead=dict(build["layers_ahead"]),
            )
        return tracker

    # -- inside ----------------------------------------------------------------------------

    def _read_up_to(self, plan: EpochPlan) -> None:
        self.positions.update(plan.begins)
        for lost in plan.lost:
            self.positions[PartitionId(lost.topic, lost.partition)] = lost.stop
        for where, offsets in plan.ranges.items():
            self.positions[where] = offsets.stop
        for where, end in plan.ends.items():
            position = self.positions[where]
            seen = self._caught_up.setdefault(where, _CaughtUp())
            if position >= end:
                seen.clock_us, seen.marker_us, seen.marker_end = plan.clock_us, -1, -1
                continue
            if seen.marker_us >= 0 and position >= seen.marker_end:
                seen.clock_us, seen.marker_us = seen.marker_us, -1
            if seen.marker_us < 0:
                seen.marker_us, seen.marker_end = plan.clock_us, end

    def _note_rows(self, plan: EpochPlan, summary: ReadSummary) -> None:
        before = {name: build.watermark for name, build in self._builds.items()}
        resumed = set()
        for (name, where), newest in summary.newest.items():
            if name in self._retired:
                continue
            build = self._builds.get(name)
            if build is None:
                build = self._builds[name] = _BuildClock(barrier=dict(plan.ends))
            if build.phase is not Phase.ACTIVE:
                build.phase = Phase.ACTIVE
                resumed.add(name)
            clock = build.partitions.setdefault(where, _PartitionClock(newest, plan.clock_us))
            clock.newest = max(clock.newest, newest)
            clock.seen_us = plan.clock_us
        for name in resumed:
            for clock in self._builds[name].partitions.values():
                clock.seen_us = plan.clock_us
        for (name, layer), first in summary.layer_first.items():
            if name in self._retired:
                continue
            build = self._builds[name]
            reached = build.moved_on is not None and layer <= build.moved_on
            if reached or first < before.get(name, -math.inf):
                continue
            build.layers_ahead[layer] = min(first, build.layers_ahead.get(layer, math.inf))

    def _move(self, plan: EpochPlan) -> EventTimeStep:
        caught_up = {where: seen.clock_us for where, seen in self._caught_up.items()}
        watermarks: dict[BuildId, float] = {}
        moved_on: dict[BuildId, int] = {}
        phases: dict[BuildId, Phase] = {}
        for name, build in list(self._builds.items()):
            watermark, phase = self._outlook(build, caught_up, plan)
            if watermark != build.watermark:
                build.watermark = watermarks[name] = watermark
            if phase is not build.phase:
                build.phase = phases[name] = phase
            passed = [layer for layer, first in build.layers_ahead.items() if first < watermark]
            if passed:
                build.moved_on = moved_on[name] = max(passed)
                build.layers_ahead = {
                    layer: first
                    for layer, first in build.layers_ahead.items()
                    if layer > build.moved_on
                }
            if phase is Phase.RETIRED:
                del self._builds[name]
                self._retired |= {name}
        return EventTimeStep(watermarks, moved_on, phases)

    def _is_active(self, build: _BuildClock, where: PartitionId, rules: StreamSemantics) -> bool:
        """Whether a partition holds the build's watermark back by itself."""
        clock = build.partitions.get(where)
        if clock is None:
            return False
        return (self._caught_up[where].clock_us - clock.seen_us) / 1e6 < rules.idle_timeout_s

    def _outlook(
        self, build: _BuildClock, caught_up: dict[PartitionId, int], plan: EpochPlan
    ) -> tuple[float, Phase]:
        """Watermark and phase of a build, once everything before ``caught_up`` is read."""
        if build.barrier or not build.partitions or plan.semantics.whole_input:
            return build.watermark, build.phase
        rules: StreamSemantics = plan.semantics
        active: list[float] = []
        silence_s = math.inf
        for where, clock in build.partitions.items():
            silent_s = (caught_up.get(where, -1) - clock.seen_us) / 1e6
            silence_s = min(silence_s, silent_s)
            if silent_s < rules.idle_timeout_s:
                active.append(clock.newest)
        newest = max(clock.newest for clock in build.partitions.values())
        settled_s = max(rules.idle_timeout_s, rules.allowed_lateness_s)
        if active:
            phase = Phase.ACTIVE
            watermark = min(active) - rules.allowed_lateness_s
        elif silence_s < settled_s:
            phase = Phase.SILENT
            watermark = newest - rules.allowed_lateness_s
        else:
            phase = Phase.SETTLED
            watermark = math.nextafter(newest, math.inf)
            if silence_s >= settled_s + rules.layer_gap_s:
                phase = Phase.QUIET
            if silence_s >= max(rules.build_retire_after_s, settled_s + rules.layer_gap_s):
                phase, watermark = Phase.RETIRED, math.inf
        # A phase only goes back when rows come (``_note_rows``), not when settings change.
        return max(build.watermark, watermark), max(build.phase, phase)
