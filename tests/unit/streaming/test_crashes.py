"""A crash at any instant, a restart with other workers: the same tables, and the books hold."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, Clock, MemoryStores, MemoryTopics, Steps, stream
from support.oracle import assert_table, expected


class Killed(BaseException):
    """The process is gone: nothing may catch this and go on."""


class CrashPoint:
    """Kills at the n-th effect, before or after it happened."""

    def __init__(self, at: int, after: bool) -> None:
        self.left, self.after = at, after

    def around(self, effect: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        result = effect()
        if self.left == 0:
            raise Killed
        return result


class CrashingStores(MemoryStores):
    point: CrashPoint

    def commit(self, write: EpochCommit) -> bool:
        return self.point.around(lambda: MemoryStores.commit(self, write))


def workload(seed: int) -> MemoryTopics:
    """About 120 records over 3 partitions: two builds, several layers, bad records, null keys."""
    draw = random.Random(seed)
    topics = MemoryTopics(3)
    for number in range(120):
        if draw.random() < 0.05:
            topics.send(draw.randrange(3), draw.choice([b"{", None, b"[]", b'{"layer":1}']))
            continue
        record = {
            "sensor_id": f"s{number % 5}",
            "timestamp": number // 3 + draw.choice([0.0, 0.25, -2.0]),
            "temperature": draw.choice([1600.0 + draw.gauss(0, 40), None]),
            "pressure": 0.95,
            "laser_power": draw.gauss(200, 30),
            "build_id": draw.choice(["A", "B", None]),
            "layer": number // 30,
        }
        topics.send(draw.randrange(3), json.dumps(record).encode(), gap=draw.randrange(3) // 2)
    return topics


@pytest.mark.semantics(61)
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 5),
    crashes=st.lists(
        st.tuples(st.integers(1, 60), st.booleans(), st.integers(1, 3)), min_size=1, max_size=4
    ),
    mode=st.sampled_from(["watermark", "strict"]),
)
def test_any_crash_and_restart_gives_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    crashes: list[tuple[int, bool, int]],
    mode: Any,
) -> None:
    path = tmp_path_factory.mktemp("checkpoint")
    topics, stores = workload(seed), CrashingStores()
    semantics = StreamSemantics(mode=mode, bounded=True, allowed_lateness_s=100.0)
    write = CheckpointFolder.write
    died = 0
    with pytest.MonkeyPatch.context() as patch:
        for at, after, windows in crashes:
            point = stores.point = CrashPoint(at, after)
            patch.setattr(
                CheckpointFolder,
                "write",
                lambda self, name, fill, point=point: point.around(lambda: write(self, name, fill)),
            )
            try:
                stream(
                    topics, stores, path, semantics=semantics, windows=windows, epoch_max_rows=25
                ).run()
            except Killed:
                died += 1
    stores.point = CrashPoint(-1, after=False)
    pipeline = stream(topics, stores, path, semantics=semantics, windows=3, epoch_max_rows=40)
    assert pipeline.run() == "finished"
    assert died or crashes[0][0] > 15, "the first crash must have struck"
    wanted = expected(topics.all, sources=SOURCES, whole_input=semantics.whole_input, clock_s=1.7e9)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])
    for name, count in wanted.books.items():
        assert getattr(pipeline.progress(), name) == count


def test_old_files_are_pruned(tmp_path: Path) -> None:
    topics, stores = workload(1), MemoryStores()
    semantics = StreamSemantics(bounded=True, allowed_lateness_s=100.0)
    stream(topics, stores, tmp_path, semantics=semantics, epoch_max_rows=5).run()
    assert len(list((tmp_path / "manifests").iterdir())) == 5
    assert len(list((tmp_path / "plans").iterdir())) == 5
    states = list((tmp_path / "states").iterdir())
    assert 0 < len(states) <= 2 * (20 + 5), "only what the kept manifests need"


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_are_released_along_the_way_survive_crashes(seed: int, tmp_path: Path) -> None:
    """An endless stream, fed in steps: watermarks move, layers close and reopen, and it dies."""
    draw = random.Random(seed)
    semantics = StreamSemantics(
        mode=draw.choice(["watermark", "strict"]),
        allowed_lateness_s=5.0,
        layer_gap_s=draw.choice([0.5, 3.0, 60.0]),
    )
    topics, stores, clock = MemoryTopics(draw.choice([1, 2, 3])), CrashingStores(), Clock()
    waiting = sorted((number * 0.5 + draw.random() * 4.75, number * 0.5) for number in range(200))
    write = CheckpointFolder.write
    killed = 0

    def feed(count: int) -> None:
        for _, timestamp in waiting[:count]:
            record = {
                "timestamp": timestamp,
                "temperature": draw.gauss(1600, 60),
                "laser_power": draw.gauss(200, 30),
                "build_id": draw.choice(["A", "B"]),
                "layer": int(timestamp // 12) if draw.random() > 0.05 else None,
            }
            partition = draw.randrange(len(topics.records))
            topics.send(partition, json.dumps(record).encode(), gap=draw.randrange(3) // 2)
        del waiting[:count]

    def born() -> Steps:
        return Steps(
            stream(
                topics, stores, tmp_path, semantics=semantics, clock=clock,
                windows=draw.randint(1, 3), epoch_max_rows=draw.choice([3, 8, 100]),
            )
        )  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            CheckpointFolder,
            "write",
            lambda self, name, fill: stores.point.around(lambda: write(self, name, fill)),
        )
        stores.point = CrashPoint(-1, after=False)
        steps = born()
        while waiting:
            # All is read between two feeds, so nothing is late.
            feed(draw.choice([3, 7, 15]))
            stores.point = CrashPoint(draw.randrange(1, 40), draw.random() < 0.5)
            while True:
                try:
                    steps.settle()
                    break
                except Killed:
                    killed += 1
                    stores.point = CrashPoint(draw.choice([-1, draw.randrange(5, 20)]), after=False)
                    try:
                        steps = born()
                    except Killed:
                        stores.point = CrashPoint(-1, after=False)
                        steps = born()
    assert killed > 0
    assert stores.rows["quality_metrics"], "rows were released before the end"
    final = stream(
        topics, stores, tmp_path, semantics=replace(semantics, bounded=True), clock=clock
    )
    stores.point = CrashPoint(-1, after=False)
    assert final.run() == "finished"
    wanted = expected(topics.all, sources=SOURCES)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])
