"""A reset: tables and books are those of a batch over what was read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import CheckpointError, FencedError
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.manifest import JobIdentity
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.reset import begin_anew, moves_to, next_offsets, skip_forward
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, MemoryStores, MemoryTopics, Steps, stream
from support.oracle import Raw, assert_table, expected

RULES = StreamSemantics(allowed_lateness_s=1000.0)
BOUNDED = replace(RULES, bounded=True)
IDENTITY = JobIdentity("job", 16, "watermark", SOURCES)
P0, P1 = PartitionId("ispm", 0), PartitionId("ispm", 1)


def fill(topics: MemoryTopics, start: int, stop: int) -> None:
    for number in range(start, stop):
        record = {
            "timestamp": float(number),
            "temperature": 1600.0 + number % 17,
            "build_id": "B",
            "layer": number // 20,
        }
        value = b"[]" if number % 13 == 0 else json.dumps(record).encode()
        topics.send(number % 2, value)


def log_of(path: Path) -> CheckpointLog:
    return CheckpointLog(CheckpointFolder(path))


def started(path: Path) -> CheckpointLog:
    log = log_of(path)
    log.start(IDENTITY)
    return log


def held(topics: MemoryTopics) -> dict[PartitionId, tuple[int, int]]:
    return topics.held(topics.partitions())


def assert_batch_over(records: list[Raw], stores: MemoryStores, books: Books) -> None:
    wanted = expected(records, sources=SOURCES)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])
    for name, count in {**wanted.books, "pending": 0}.items():
        assert getattr(books, name) == count, name


def test_forward_the_skipped_are_noted_and_the_rest_stays(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 60)
    Steps(stream(topics, stores, tmp_path, semantics=RULES)).settle()
    fill(topics, 60, 120)
    log = started(tmp_path)
    moves = moves_to({P0: 45, P1: 60}, next_offsets(log), held(topics))
    assert [(move.start, move.stop, move.skipped, move.again) for move in moves] == [
        (30, 45, 15, 0),
        (30, 60, 30, 0),
    ]
    skip_forward(log, moves, held(topics), RULES, clock_us=1_700_000_000_000_000)
    fill(topics, 120, 140)
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED)
    assert pipeline.run() == "finished"
    read = [
        raw for raw in topics.all
        if not (30 <= raw.offset < 45 if raw.partition == 0 else 30 <= raw.offset < 60)
    ]  # fmt: skip
    assert_batch_over(read, stores, pipeline._ledger.books)
    assert [tuple(lost) for lost in pipeline._ledger.commit.lost] == [
        ("ispm", 0, 30, 45, "reset"),
        ("ispm", 1, 30, 60, "reset"),
    ]


def test_forward_after_a_crash_the_planned_epochs_are_done_first(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 40)

    def dies(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    pipeline = stream(topics, stores, tmp_path, semantics=RULES)
    topics.read = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        Steps(pipeline).settle()
    del topics.read  # type: ignore[method-assign]
    fill(topics, 40, 80)
    log = started(tmp_path)
    assert next_offsets(log) == {P0: 20, P1: 20}
    moves = moves_to({P0: 40, P1: 40}, next_offsets(log), held(topics))
    skip_forward(log, moves, held(topics), RULES, clock_us=0)
    final = stream(topics, stores, tmp_path, semantics=BOUNDED)
    assert final.run() == "finished"
    read = [raw for raw in topics.all if raw.offset < 20]
    assert_batch_over(read, stores, final._ledger.books)


def test_before_the_first_start_it_decides_where_to_begin(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 40)
    log = started(tmp_path)
    moves = moves_to({P0: 15}, next_offsets(log), held(topics))
    skip_forward(log, moves, held(topics), RULES, clock_us=0)
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED)
    assert pipeline.run() == "finished"
    read = [raw for raw in topics.all if raw.partition == 1 or raw.offset >= 15]
    assert_batch_over(read, stores, pipeline._ledger.books)


def test_back_the_job_begins_anew(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 90)
    stream(topics, stores, tmp_path, semantics=BOUNDED, epoch_max_rows=20).run()
    log = started(tmp_path)
    stores.claim("job", log.run)
    begin_anew(log, stores, IDENTITY, {P0: 10, P1: 0}, clock_us=0)
    assert not any(stores.rows.values())
    fill(topics, 90, 100)
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED, windows=3)
    assert pipeline.run() == "finished"
    read = [raw for raw in topics.all if raw.partition == 1 or raw.offset >= 10]
    assert_batch_over(read, stores, pipeline._ledger.books)
    pipeline._ledger.check_stores(stores.applied_epochs("job"))


@pytest.mark.parametrize("dies_in", ["clear", "commit", "manifest"])
def test_back_interrupted_no_start_before_it_is_done_again(tmp_path: Path, dies_in: str) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 50)
    stream(topics, stores, tmp_path, semantics=BOUNDED).run()

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    log = started(tmp_path)
    stores.claim("job", log.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*(log, "commit") if dies_in == "manifest" else (stores, dies_in), dies)
        with pytest.raises(KeyboardInterrupt):
            begin_anew(log, stores, IDENTITY, {P0: 5, P1: 5}, clock_us=0)
    with pytest.raises(CheckpointError, match="interrupted"):
        stream(topics, stores, tmp_path, semantics=BOUNDED)
    again = started(tmp_path)
    stores.claim("job", again.run)
    begin_anew(again, stores, IDENTITY, {P0: 7, P1: 5}, clock_us=0)
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED)
    assert pipeline.run() == "finished"
    read = [raw for raw in topics.all if raw.offset >= (7 if raw.partition == 0 else 5)]
    assert_batch_over(read, stores, pipeline._ledger.books)


def test_a_run_that_still_works_is_fenced(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 20)
    zombie = Steps(stream(topics, stores, tmp_path, semantics=RULES))
    zombie.settle()
    log = started(tmp_path)
    fill(topics, 20, 40)
    with pytest.raises(FencedError):
        zombie.settle()
    moves = moves_to({P0: 20, P1: 20}, next_offsets(log), held(topics))
    skip_forward(log, moves, held(topics), RULES, clock_us=0)
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED)
    pipeline.run()
    assert_batch_over([r for r in topics.all if r.offset < 10], stores, pipeline._ledger.books)


def test_going_back_is_no_skip(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    fill(topics, 0, 20)
    Steps(stream(topics, stores, tmp_path, semantics=RULES)).settle()
    log = started(tmp_path)
    moves = moves_to({P0: 3}, next_offsets(log), held(topics))
    assert [(move.skipped, move.again) for move in moves] == [(0, 7), (0, 0)]
    with pytest.raises(ValueError, match="begin_anew"):
        skip_forward(log, moves, held(topics), RULES, clock_us=0)
