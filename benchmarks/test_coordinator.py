"""What an epoch costs the coordinator as machines and partitions grow: plain classes, no servers.

Run with ``python -m pytest benchmarks/test_coordinator.py -s``; nothing is compared, so the
figures are only printed. Every partition has ten new records in every epoch, and
every machine prints one build. Asking the broker, the calls to the workers and the stores are not
in it.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import pytest

from pbf_ray.config import Settings
from pbf_ray.jobs.stream import stream_semantics
from pbf_ray.monitoring.rules import DEFAULT_PROFILE
from pbf_ray.streaming.event_time import EventTimeTracker, ReadSummary
from pbf_ray.streaming.plan import OffsetRange, PartitionId
from pbf_ray.streaming.planner import EpochPlanner, PlanLimits

EPOCHS = 7
RECORDS = 10
START_S = 1_700_000_000.0

T = TypeVar("T")


@pytest.mark.parametrize(
    ("machines", "partitions"), [(10, 100), (100, 1_000), (100, 10_000), (1_000, 10_000)]
)
def test_the_cost_of_an_epoch(machines: int, partitions: int) -> None:
    where = [PartitionId("ispm", number) for number in range(partitions)]
    planner = EpochPlanner(PlanLimits(), next_epoch=1, positions=dict.fromkeys(where, 0))
    tracker = EventTimeTracker()
    semantics = stream_semantics(Settings(), DEFAULT_PROFILE)
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(stage: str, work: Callable[[], T]) -> T:
        began_s = time.perf_counter()
        done = work()
        spent[stage].append((time.perf_counter() - began_s) * 1e3)
        return done

    for epoch in range(1, EPOCHS + 1):
        held = dict.fromkeys(where, (0, RECORDS * epoch))
        now_s = START_S + epoch * 0.5
        plan = timed(
            "plan_ms",
            lambda held=held, now_s=now_s: planner.next_plan(
                clock_us=int(now_s * 1e6),
                held=held,
                tracker=tracker,
                pending_rows=0,
                state_bytes=0,
                semantics=semantics,
            ),
        )
        assert plan is not None
        assert plan.ranges == dict.fromkeys(
            where, OffsetRange(RECORDS * (epoch - 1), RECORDS * epoch)
        )
        text = timed("plan_as_json_ms", lambda plan=plan: json.dumps(plan.to_plain()))
        summary = ReadSummary(
            {(f"M{i % machines:04d}-B001", at): now_s for i, at in enumerate(where)},
            {(f"M{number:04d}-B001", epoch): now_s for number in range(machines)},
        )
        timed("event_time_ms", lambda plan=plan, summary=summary: tracker.advance(plan, summary))
        timed("holding_back_ms", tracker.holding_back)
        state = timed("event_time_as_json_ms", lambda: json.dumps(tracker.to_plain()))
    assert len(tracker.builds()) == machines
    medians = {stage: round(statistics.median(times), 2) for stage, times in spent.items()}
    print(f"\n{machines} machines, {partitions} partitions: {medians}")
    print(f"{sum(medians.values()):.1f} ms in all; {len(text)} and {len(state)} bytes")
