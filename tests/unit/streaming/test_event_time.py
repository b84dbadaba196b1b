"""Watermarks, lateness, silence, closing and reopening (semantics.md, section 4)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import BrokerUnavailableError, OffsetsVanishedError
from pbf_ray.streaming.broker_watch import BrokerWatch
from pbf_ray.streaming.pace import Pace
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, Clock, MemoryStores, MemoryTopics, Steps, stream
from support.oracle import Raw, assert_table, expected

ENDLESS = StreamSemantics(allowed_lateness_s=5.0, layer_gap_s=60.0, idle_timeout_s=30.0)


class Stream:
    """An endless stream over topics in memory, with a clock that the test moves."""

    def __init__(
        self, path: Path, partitions: int, semantics: StreamSemantics = ENDLESS, **more: Any
    ):
        self.path, self.semantics, self.more = path, semantics, more
        self.topics, self.stores, self.clock = MemoryTopics(partitions), MemoryStores(), Clock()
        self.restart()

    def restart(self, **more: Any) -> None:
        pipeline = stream(
            self.topics,
            self.stores,
            self.path,
            semantics=self.semantics,
            clock=self.clock,
            **(self.more | more),
        )
        self.steps = Steps(pipeline)

    def send(
        self, partition: int, timestamp: Any, *, build: Any = "B", layer: Any = 1, **more: Any
    ) -> Raw:
        record = {"timestamp": timestamp, "temperature": 1600.0, "build_id": build, "layer": layer}
        return self.topics.send(partition, json.dumps(record | more).encode())

    def settle(self, after_s: float = 0.0) -> None:
        self.clock.now_s += after_s
        self.steps.settle()

    @property
    def progress(self) -> Any:
        return self.steps.pipeline.progress()

    def watermark(self, build: Any = "B") -> float:
        return self.steps.pipeline._ledger.tracker.watermark(build)

    def rows(self, name: str) -> list[dict[str, Any]]:
        return list(self.stores.rows[name].values())

    def times(self, name: str) -> list[Any]:
        return [row["timestamp"] for row in self.rows(name)]

    def end(self) -> None:
        """Finish what is there as bounded input."""
        final = stream(
            self.topics,
            self.stores,
            self.path,
            semantics=replace(self.semantics, bounded=True),
            clock=self.clock,
            **self.more,
        )
        assert final.run() == "finished"


@pytest.fixture
def one(tmp_path: Path) -> Stream:
    return Stream(tmp_path, 1)


@pytest.fixture
def two(tmp_path: Path) -> Stream:
    return Stream(tmp_path, 2)


def test_the_watermark_is_the_least_of_the_partitions_minus_the_lateness(two: Stream) -> None:
    two.send(0, 100.0)
    two.send(1, 50.0)
    two.settle()
    assert two.watermark() == 45.0
    two.send(1, 80.0)
    two.settle()
    assert two.watermark() == 75.0


def test_a_partition_that_never_carried_the_build_does_not_hold_it_back(two: Stream) -> None:
    two.send(0, 100.0)
    two.settle()
    assert two.watermark() == 95.0


def test_builds_have_watermarks_of_their_own(one: Stream) -> None:
    one.send(0, 1000.0, build="fast")
    one.send(0, 10.0, build="slow")
    one.send(0, 11.0, build=None)
    one.settle()
    assert [one.watermark(name) for name in ("fast", "slow", None)] == [995.0, 5.0, 6.0]


def test_the_watermark_never_falls(one: Stream) -> None:
    one.send(0, 100.0)
    one.settle()
    one.send(0, 97.0)
    one.settle()
    assert one.watermark() == 95.0


@pytest.mark.semantics(59)
def test_rows_wait_until_the_watermark_has_passed_them(one: Stream) -> None:
    for timestamp in (10.0, 12.0, 11.0):
        one.send(0, timestamp)
    one.settle()
    assert one.times("ispm_monitoring") == [10.0, 11.0, 12.0]
    assert one.times("quality_metrics") == []
    assert one.progress.pending == 3
    one.send(0, 17.0)
    one.settle()
    assert one.times("quality_metrics") == [10.0, 11.0]
    assert one.progress.pending == 2


@pytest.mark.semantics(60)
def test_a_row_at_the_watermark_is_not_late_and_one_behind_it_is(one: Stream) -> None:
    one.send(0, 100.0)
    one.settle()
    one.send(0, 95.0)
    late = one.send(0, 94.99, temperature=2000.0)
    one.settle()
    assert one.times("late_records") == [94.99]
    assert one.rows("late_records")[0]["watermark"] == 95.0
    assert [(r["late"], r["anomaly_type"]) for r in one.rows("ispm_anomalies")] == [
        (True, "high_temperature")
    ]
    one.end()
    wanted = expected(
        one.topics.all, sources=SOURCES, late=[(late.topic, late.partition, late.offset)]
    )
    for name in OUTPUT_TABLES:
        assert_table(name, one.stores.table(name), wanted.tables[name])


@pytest.mark.semantics(60)
def test_lateness_is_judged_by_the_watermark_before_the_epoch(one: Stream) -> None:
    one.send(0, 1.0)
    one.send(0, 100.0)
    one.send(0, 2.0)
    one.settle()
    assert one.times("late_records") == []


@pytest.mark.parametrize("epoch_max_rows", [1, 7, 1000])
def test_a_backlog_makes_no_row_late(tmp_path: Path, epoch_max_rows: int) -> None:
    # The first partition runs ahead by an hour; the second has the same build from the start on.
    world = Stream(tmp_path, 2, epoch_max_rows=epoch_max_rows)
    for second in range(0, 3600, 60):
        world.send(0, float(second))
        world.send(1, float(second))
    world.settle()
    assert world.times("late_records") == []
    assert world.watermark() == 3540.0 - 5.0


def test_a_watermark_starts_only_when_every_partition_was_read_to_its_end(tmp_path: Path) -> None:
    world = Stream(tmp_path, 2, epoch_max_rows=2)
    world.send(0, 500.0)
    for second in range(6):
        world.send(1, float(second), build="other")
    world.send(1, 1.0)
    seen = []
    for _ in range(40):
        world.steps.pipeline._turn()
        seen.append(world.watermark())
    assert world.times("late_records") == []
    assert seen[-1] == -4.0
    assert set(seen) == {float("-inf"), -4.0}


def test_partitions_that_hold_watermarks_back_are_read_first_when_rows_pile_up(
    tmp_path: Path,
) -> None:
    world = Stream(tmp_path, 2, epoch_max_rows=4, limits={"pending_rows_limit": 5})
    world.send(0, 0.0)
    world.send(1, 0.0)
    world.settle()
    for second in range(1, 200):
        world.send(0, float(second))
        world.send(1, float(second))
    most = 0
    for _ in range(2000):
        world.steps.pipeline._turn()
        most = max(most, world.progress.pending)
    assert world.progress.lag == 0
    assert most <= 5 + 2 * 4 + 2 * 6, "partitions ahead were not held"
    assert world.times("late_records") == []


def test_a_silent_partition_holds_nothing_back_after_the_timeout(two: Stream) -> None:
    two.send(0, 10.0)
    two.send(1, 10.0)
    two.settle()
    for step in range(1, 5):
        two.send(0, 10.0 + 9 * step)
        two.settle(after_s=9)
    assert two.watermark() == 41.0, "partition 1 was silent for 36 s, all of it read"


def test_an_unread_partition_is_never_silent(tmp_path: Path) -> None:
    world = Stream(tmp_path, 2, epoch_max_rows=1, limits={"pending_rows_limit": 10**9})
    world.send(0, 10.0)
    world.send(1, 10.0)
    world.settle()
    # The broker stops telling more of partition 1 than its old end: it lags, unseen rows wait.
    end = dict(world.topics.ends)
    for step in range(1, 30):
        world.send(0, 10.0 + step)
        world.send(1, 10.0 + step)
    for _ in range(5):
        world.clock.now_s += 20
        world.steps.pipeline._turn()
    assert world.times("late_records") == []
    assert end
    world.settle()
    assert world.times("late_records") == []


def test_a_build_on_a_busy_partition_settles_and_closes(one: Stream) -> None:
    one.send(0, 10.0, build="done", layer=7)
    one.send(0, 10.5, build="done", layer=7)
    one.settle()
    for second in range(1, 12):
        one.send(0, 1000.0 + 10 * second, build="other")
        one.settle(after_s=10)
    layers = {(row["build_id"], row["layer"]): row for row in one.rows("layer_quality")}
    assert layers["done", 7]["n"] == 2
    assert layers["done", 7]["revision"] == 1


def test_when_all_is_silent_rows_are_released_then_layers_close(one: Stream) -> None:
    one.send(0, 10.0)
    one.settle()
    one.settle(after_s=29)
    assert one.progress.pending == 1
    one.settle(after_s=2)
    assert one.progress.pending == 0, "silent for the idle timeout and the lateness"
    assert one.rows("layer_quality") == []
    one.settle(after_s=61)
    assert [row["n"] for row in one.rows("layer_quality")] == [1]


def test_a_build_that_resumes_reopens_its_layer(one: Stream) -> None:
    one.send(0, 10.0, temperature=1600.0)
    one.settle()
    one.settle(after_s=200)
    assert [row["revision"] for row in one.rows("layer_quality")] == [1]
    one.send(0, 300.0, temperature=1650.0)
    one.settle()
    one.end()
    (row,) = one.rows("layer_quality")
    assert (row["revision"], row["n"], row["temperature_avg"]) == (2, 2, 1625.0)
    wanted = expected(one.topics.all, sources=SOURCES)
    assert_table(
        "quality_metrics", one.stores.table("quality_metrics"), wanted.tables["quality_metrics"]
    )


def test_a_layer_closes_when_the_build_has_moved_on(one: Stream) -> None:
    one.send(0, 10.0, layer=1)
    one.send(0, 11.0, layer=2)
    one.settle()
    assert one.rows("layer_quality") == []
    one.send(0, 17.0, layer=2)
    one.settle()
    assert [(row["layer"], row["n"]) for row in one.rows("layer_quality")] == [(1, 1)]


def test_a_layer_closes_after_the_gap_without_a_next_one(one: Stream) -> None:
    one.send(0, 10.0, layer=5)
    one.send(0, 76.0, layer=4)  # an earlier layer: the build has not moved on
    one.settle()
    assert [row["layer"] for row in one.rows("layer_quality")] == [5]


def test_the_gap_never_changes_final_values(tmp_path: Path) -> None:
    finals = []
    for gap in (0.0, 3.0, 1e6):
        world = Stream(tmp_path / str(gap), 1, replace(ENDLESS, layer_gap_s=gap))
        for second in range(60):
            world.send(0, float(second), layer=second // 7 % 3, temperature=1600.0 + second)
            if second % 4 == 0:
                world.settle()
        world.end()
        finals.append(
            {
                row["layer"]: {k: v for k, v in row.items() if k not in {"epoch", "revision"}}
                for row in world.rows("layer_quality")
            }
        )
    assert finals[0] == finals[1] == finals[2]


def test_a_retired_build_keeps_no_state_and_what_still_comes_is_late(one: Stream) -> None:
    one.send(0, 10.0)
    one.settle()
    one.settle(after_s=8 * 86400)
    assert [row["n"] for row in one.rows("layer_quality")] == [1]
    operators = one.steps.pipeline._crew._windows
    assert sum(len(work._operator._states) for work in operators) == 0
    one.restart()
    one.send(0, 1e6)
    one.settle()
    assert one.times("late_records") == [1e6]
    assert one.progress.consumed == one.progress.accepted + one.progress.late == 2


def test_records_without_a_place_in_time_are_dead_letters(one: Stream) -> None:
    one.send(0, None)
    one.topics.send(0, b'{"timestamp": NaN, "build_id": "B", "layer": 1}')
    one.send(0, one.clock.now_s + 3601)
    one.send(0, one.clock.now_s + 3599)
    one.settle()
    reasons = [row["reason"] for row in one.rows("dead_letters")]
    assert reasons == ["no_event_time", "no_event_time", "event_time_out_of_range"]
    assert one.watermark() == one.clock.now_s + 3599 - 5, "a time out of range moves nothing"


def test_repeats_within_the_lateness_are_dropped_and_counted(tmp_path: Path) -> None:
    world = Stream(tmp_path, 2, replace(ENDLESS, dedup_key="_metadata.message_id"))
    for name in ("a", "b", "a", None, None):
        world.send(0, 10.0, _metadata={"message_id": name})
    world.settle()
    world.send(1, 10.0, _metadata={"message_id": "b"})
    world.restart(windows=3)
    world.settle()
    assert world.progress.duplicates == 2
    assert len(world.rows("ispm_monitoring")) == 4
    world.send(0, 100.0)
    world.send(1, 100.0)
    world.settle()
    world.send(0, 10.0, _metadata={"message_id": "a"})
    world.settle()
    assert world.progress.late == 1, "beyond the lateness a repeat is late"


def test_new_partitions_are_found_and_read_whole(one: Stream) -> None:
    one.send(0, 100.0)
    one.settle()
    one.topics.add_partition()
    one.send(1, 98.0)
    one.send(1, 99.0)
    one.settle()
    assert one.progress.consumed == 3
    assert one.times("late_records") == []


def test_the_input_in_pieces_is_the_input_whole(tmp_path: Path) -> None:
    # Bounded runs one after the other, as an hourly schedule makes them.
    world = Stream(tmp_path, 2)
    for second in range(90):
        world.send(second % 2, float(second), layer=second // 20)
        if second % 30 == 29:
            world.end()
            world.restart(windows=1 + second % 3)
    wanted = expected(world.topics.all, sources=SOURCES)
    for name in ("quality_metrics", "layer_quality", "ispm_monitoring"):
        assert_table(name, world.stores.table(name), wanted.tables[name])


def test_offsets_that_are_gone_stop_the_job_and_are_named(one: Stream) -> None:
    for second in range(10):
        one.send(0, float(second))
    one.settle()
    one.topics.ends[one.topics.partitions()[0]] = 20
    one.topics.first[one.topics.partitions()[0]] = 15
    with pytest.raises(OffsetsVanishedError) as caught:
        one.settle()
    assert (caught.value.wanted, caught.value.first) == (10, 15)
    one.more["limits"] = {"accept_loss": True}
    one.restart()
    one.settle()
    manifest = one.steps.pipeline._ledger.commit
    assert [tuple(lost) for lost in manifest.lost] == [("ispm", 0, 10, 15, "gone")]


def test_the_group_is_told_how_far_the_job_is(two: Stream) -> None:
    two.send(0, 1.0)
    two.settle()
    assert {where.partition: at for where, at in two.topics.reported.items()} == {0: 1, 1: 0}


def test_a_backlog_after_downtime_makes_no_row_late(tmp_path: Path) -> None:
    # Partition 1 was silent for the build before the job went down; meanwhile both got a backlog,
    # in partition 1 behind rows of another build.
    world = Stream(tmp_path, 2, epoch_max_rows=20)
    for second in range(40):
        world.send(0, float(second))
        if second < 5:
            world.send(1, float(second))
        world.settle(after_s=1)
    world.clock.now_s += 600
    for second in range(40, 200):
        world.send(1, float(second), build="other")
    for second in range(40, 200):
        world.send(0, float(second))
        world.send(1, float(second))
    world.restart(windows=3)
    world.settle()
    assert world.times("late_records") == []
    world.end()
    wanted = expected(world.topics.all, sources=SOURCES)
    for name in OUTPUT_TABLES:
        assert_table(name, world.stores.table(name), wanted.tables[name])


def test_a_burst_on_a_partition_new_to_the_build_makes_no_row_late(tmp_path: Path) -> None:
    world = Stream(tmp_path, 2, epoch_max_rows=20)
    world.send(0, 0.0)
    world.send(1, 0.0, build="other")
    world.settle()
    for second in range(1, 100):
        world.send(1, float(second), build="other")
    for second in range(1, 100):
        world.send(0, float(second))
        world.send(1, float(second))
    world.settle()
    assert world.times("late_records") == []


def test_a_retired_build_in_strict_mode_is_restored_as_retired(tmp_path: Path) -> None:
    semantics = replace(ENDLESS, mode="strict", build_retire_after_s=200.0)
    world = Stream(tmp_path, 1, semantics, windows=1, readers=1)
    world.send(0, 10.0, build="A")
    world.send(0, 10.0, build="B", layer=None)
    world.settle()
    for step in range(1, 40):
        world.send(0, 10.0 + 10 * step, build="B", layer=None)
        world.settle(after_s=10)
    pending = world.progress.pending
    assert [row["build_id"] for row in world.rows("layer_quality")] == ["A"]
    world.restart(windows=1, readers=1)
    assert world.progress.pending == pending
    world.send(0, 500.0, build="B", layer=None)
    world.settle()
    world.end()
    assert len(world.rows("quality_metrics")) == world.progress.accepted


def test_time_in_which_the_brokers_were_away_is_no_silence(tmp_path: Path) -> None:
    # What machines could not send meanwhile comes when they are back, and is not late.
    away = Stream(tmp_path / "away", 2)
    quiet = Stream(tmp_path / "quiet", 2)
    for run in (away, quiet):
        for partition in (0, 1):
            run.send(partition, 100.0 + partition)
        run.settle()
        assert run.watermark() == 95.0
    away.steps.pipeline._broker.away_us = 40_000_000
    away.settle(after_s=41.0)
    assert away.watermark() == 95.0
    quiet.settle(after_s=41.0)
    assert quiet.watermark() > 101.0, "silent for as long, with brokers that were there"
    # The plan has it: a coordinator that starts anew decides the same.
    away.restart()
    away.send(0, 96.0)
    away.settle(after_s=2.0)
    assert away.progress.late == 0
    # The silence goes on from where it stood.
    away.settle(after_s=40.0)
    assert away.watermark() > 101.0


def test_a_watch_notes_how_long_the_brokers_were_away() -> None:
    class Cluster:
        def __init__(self) -> None:
            self.away = False

        def partitions(self) -> list[PartitionId]:
            return [PartitionId("t", 0)]

        def held(self, partitions: list[PartitionId]) -> dict[PartitionId, tuple[int, int]]:
            if self.away:
                raise BrokerUnavailableError("broker:9092", "gone")
            return dict.fromkeys(partitions, (0, 0))

        def report(self, positions: Mapping[PartitionId, int]) -> None: ...

    cluster = Cluster()
    watch = BrokerWatch(cluster, Pace())
    assert watch.look(time.monotonic())
    assert watch.away_us == 0
    cluster.away = True
    assert not watch.look(time.monotonic() - 30.0)
    assert not watch.look(time.monotonic())
    cluster.away = False
    assert watch.look(time.monotonic())
    assert watch.away_us >= 30_000_000
    assert not watch.away
