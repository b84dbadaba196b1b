"""Failures around the core: vanished offsets, dying workers, stores that fail, stops that wait."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import (
    BrokerUnavailableError,
    CheckpointError,
    CheckpointMismatchError,
    FencedError,
    MalformedRecordError,
    OffsetsVanishedError,
    StoreUnavailableError,
    StreamError,
    WorkersLostError,
)
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.crew import WorkerDiedError
from pbf_ray.streaming.event_time import ReadSummary
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, Clock, MemoryStores, MemoryTopics, Steps, stream
from support.oracle import assert_table, expected

BOUNDED = StreamSemantics(bounded=True, allowed_lateness_s=1000.0)


def filled(records: int = 40, partitions: int = 2) -> MemoryTopics:
    topics = MemoryTopics(partitions)
    for number in range(records):
        record = {"timestamp": float(number), "temperature": 1600.0, "build_id": "B", "layer": 1}
        topics.send(number % partitions, json.dumps(record).encode())
    return topics


def assert_all(topics: MemoryTopics, stores: MemoryStores) -> None:
    wanted = expected(topics.all, sources=SOURCES)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])


class Killed(BaseException):
    pass


def kill_before_reading(topics: MemoryTopics, path: Path, semantics: StreamSemantics) -> None:
    """A run that dies after its plan is in the log, before anything was read."""

    def read(*_: Any, **__: Any) -> Any:
        raise Killed

    pipeline = stream(topics, MemoryStores(), path, semantics=semantics)
    topics.read = read  # type: ignore[method-assign]
    try:
        with pytest.raises(Killed):
            pipeline.run()
    finally:
        del topics.read  # type: ignore[method-assign]


class RetainingTopics(MemoryTopics):
    """Offsets below ``first`` are gone, for readers too."""

    def read(self, ranges: Any, *, timeout_s: float) -> Any:
        for (topic, partition), (start, _) in ranges.items():
            first = next(v for w, v in self.first.items() if w == (topic, partition))
            if start < first:
                raise OffsetsVanishedError(topic, partition, wanted=start, first=first)
        return super().read(ranges, timeout_s=timeout_s)


def test_planned_offsets_that_vanished_are_passed_once_the_loss_is_accepted(
    tmp_path: Path,
) -> None:
    topics = RetainingTopics(1)
    topics.records = filled(partitions=1).records
    topics.ends = dict.fromkeys(topics.records, 40)
    kill_before_reading(topics, tmp_path, BOUNDED)
    where = topics.partitions()[0]
    topics.first[where] = 15
    with pytest.raises(OffsetsVanishedError):
        stream(topics, MemoryStores(), tmp_path, semantics=BOUNDED).run()
    stores = MemoryStores()
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED, limits={"accept_loss": True})
    assert pipeline.run() == "finished"
    assert pipeline.progress().consumed == 25
    commit = pipeline._ledger.commit
    assert [tuple(lost) for lost in commit.lost] == [("ispm", 0, 0, 15, "gone")]
    topics.records[where] = [raw for raw in topics.records[where] if raw.offset >= 15]
    assert_all(topics, stores)


def test_an_epoch_that_a_store_may_hold_is_not_changed_any_more(tmp_path: Path) -> None:
    topics = filled(partitions=1)
    (where,) = topics.partitions()
    limits = {"accept_loss": True}
    pipeline = stream(topics, MemoryStores(), tmp_path, semantics=BOUNDED, limits=limits)
    ledger = pipeline._ledger

    def plan_again(first: int) -> Any:
        return ledger.next_plan(
            clock_us=0, held={where: (first, 40)}, pending_rows=0, state_bytes=0, semantics=BOUNDED
        )

    plan = plan_again(0)
    ledger.reload()
    plan = plan_again(0)
    ledger.event_time(plan, ReadSummary(), Books())
    ledger.balance(plan, [])  # from here on it may be stored
    ledger.reload()  # a worker died
    assert plan_again(15) == plan


def test_a_job_that_failed_on_a_malformed_record_goes_on_with_another_setting(
    tmp_path: Path,
) -> None:
    topics, stores = filled(), MemoryStores()
    topics.send(0, b"{")
    with pytest.raises(MalformedRecordError, match="ispm/0 offset 20"):
        stream(topics, stores, tmp_path, semantics=replace(BOUNDED, malformed="fail")).run()
    assert stream(topics, stores, tmp_path, semantics=BOUNDED).run() == "finished"
    assert_all(topics, stores)


class DyingCrew:
    """Wraps a crew; some calls find the worker dead, as if it were killed just then."""

    def __init__(self, crew: Any, deaths: set[int]) -> None:
        self._crew, self._deaths, self._calls = crew, deaths, 0
        self.readers, self.windows = crew.readers, crew.windows
        self.repaired = 0

    def _dead(self) -> bool:
        self._calls += 1
        return self._calls in self._deaths

    @staticmethod
    def _failed() -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(WorkerDiedError("killed"))
        return future

    def read(self, *args: Any) -> Any:
        return (self._failed(), []) if self._dead() else self._crew.read(*args)

    def apply(self, *args: Any) -> Any:
        result = self._crew.apply(*args)  # it may have done its work and died then
        return self._failed() if self._dead() else result

    def restore(self, *args: Any) -> Any:
        return self._failed() if self._dead() else self._crew.restore(*args)

    def repair(self) -> None:
        self.repaired += 1

    def ready(self) -> list[Future[Any]]:
        return []

    def needs(self) -> str:
        return "two workers"

    def close(self) -> None:
        """Nothing runs."""


@pytest.mark.parametrize("first", range(1, 26, 2))
def test_workers_that_die_at_any_call_change_nothing(first: int, tmp_path: Path) -> None:
    topics, stores = filled(), MemoryStores()
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED, epoch_max_rows=7)
    crew = DyingCrew(pipeline._crew, {first, first + 1, first + 5})
    pipeline._crew = crew
    assert pipeline.run() == "finished"
    assert crew.repaired >= 1
    assert pipeline.progress().restarts == crew.repaired
    assert_all(topics, stores)


def test_workers_that_die_always_end_the_job_with_the_cause(tmp_path: Path) -> None:
    pace = {"max_restarts": 3}
    pipeline = stream(filled(), MemoryStores(), tmp_path, semantics=BOUNDED, pace=pace)
    pipeline._crew = DyingCrew(pipeline._crew, set(range(1000)))
    with pytest.raises(WorkersLostError, match="killed"):
        pipeline.run()


def test_workers_that_never_start_are_an_error_that_says_what_they_need(tmp_path: Path) -> None:
    pace = {"start_patience_s": 0.1}
    pipeline = stream(filled(), MemoryStores(), tmp_path, semantics=BOUNDED, pace=pace)
    pipeline._crew.ready = lambda: [Future()]  # type: ignore[method-assign]
    pipeline._crew.needs = lambda: "9 CPUs of 2"  # type: ignore[method-assign]
    with pytest.raises(StreamError, match="9 CPUs of 2"):
        pipeline.run()


def test_a_stop_while_workers_start_is_obeyed(tmp_path: Path) -> None:
    pipeline = stream(filled(), MemoryStores(), tmp_path, semantics=BOUNDED)
    pipeline._crew.ready = lambda: [Future()]  # type: ignore[method-assign]
    pipeline.stop()
    assert pipeline.run() == "stopped"


def test_a_stop_while_the_broker_is_away_is_obeyed(tmp_path: Path) -> None:
    topics, stores = filled(), MemoryStores()

    def away(*_: Any, **__: Any) -> Any:
        raise BrokerUnavailableError("h:1", "gone")

    topics.read = away  # type: ignore[method-assign]
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED)
    timer = threading.Timer(0.3, pipeline.stop)
    timer.start()
    assert pipeline.run() == "stopped"
    timer.join()
    del topics.read  # type: ignore[method-assign]
    assert stream(topics, stores, tmp_path, semantics=BOUNDED).run() == "finished"
    assert_all(topics, stores)


def test_a_broker_that_stays_away_ends_the_job(tmp_path: Path) -> None:
    topics = filled()

    def away(*_: Any) -> Any:
        raise BrokerUnavailableError("h:1", "gone")

    topics.held = away  # type: ignore[method-assign]
    pace = {"broker_patience_s": 0.2, "epoch_interval_s": 0.01}
    pipeline = stream(topics, MemoryStores(), tmp_path, semantics=BOUNDED, pace=pace)
    with pytest.raises(BrokerUnavailableError, match="h:1"):
        pipeline.run()


class FlakyStores(MemoryStores):
    """Every call fails at first."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    def _fail(self) -> None:
        self.failures += 1
        if self.failures % 2:
            raise StoreUnavailableError("memory", "locked")

    def stage(self, *args: Any, **more: Any) -> Any:
        self._fail()
        return super().stage(*args, **more)

    def commit(self, write: Any) -> bool:
        self._fail()
        return super().commit(write)

    def maintain(self) -> None:
        raise StoreUnavailableError("memory", "locked")


def test_stores_that_are_away_pause_the_stream_and_lose_nothing(tmp_path: Path) -> None:
    topics, stores = filled(), FlakyStores()
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED, epoch_max_rows=20)
    assert pipeline.run() == "finished"
    assert stores.failures > 10
    assert_all(topics, stores)


@pytest.mark.parametrize(
    ("applied", "fits"),
    [({"a": 3}, True), ({"a": 4}, False), ({"a": 2}, False), ({"a": 3, "b": None}, False)],
)
def test_stores_and_checkpoint_have_to_belong_together(
    applied: dict[str, int | None], fits: bool, tmp_path: Path
) -> None:
    topics, stores = filled(), MemoryStores()
    pipeline = stream(topics, stores, tmp_path, semantics=BOUNDED, epoch_max_rows=15)
    pipeline.run()
    assert pipeline._ledger.committed_epoch == 3
    if fits:
        pipeline._ledger.check_stores(applied)
        return
    with pytest.raises(CheckpointMismatchError, match="restore it, or run under another"):
        pipeline._ledger.check_stores(applied)


def test_a_clock_far_behind_the_last_epoch_is_refused(tmp_path: Path) -> None:
    topics, stores, clock = filled(), MemoryStores(), Clock(2e9)
    semantics = StreamSemantics()
    Steps(stream(topics, stores, tmp_path, semantics=semantics, clock=clock)).settle()
    clock.now_s -= 3600
    topics.send(0, b'{"timestamp": 50.0}')
    with pytest.raises(CheckpointError, match="ahead of this machine's clock"):
        Steps(stream(topics, stores, tmp_path, semantics=semantics, clock=clock)).settle()


def test_whole_input_without_any_time_is_read_past_the_pending_limit(tmp_path: Path) -> None:
    topics, stores = MemoryTopics(2), MemoryStores()
    for number in range(40):
        topics.send(number % 2, b'{"temperature": 1600.0, "build_id": "B", "layer": 1}')
    semantics = StreamSemantics(mode="strict", bounded=True)
    pipeline = stream(
        topics, stores, tmp_path, semantics=semantics, epoch_max_rows=5,
        limits={"pending_rows_limit": 10},
    )  # fmt: skip
    assert pipeline.run() == "finished"
    wanted = expected(topics.all, sources=SOURCES, whole_input=True)
    assert_table(
        "quality_metrics", stores.table("quality_metrics"), wanted.tables["quality_metrics"]
    )


def test_a_run_with_nothing_to_read_is_told_of_a_newer_one(tmp_path: Path) -> None:
    topics, semantics = filled(), StreamSemantics(allowed_lateness_s=1000.0)
    older = Steps(stream(topics, MemoryStores(), tmp_path, semantics=semantics))
    older.settle()
    Steps(stream(topics, MemoryStores(), tmp_path, semantics=semantics))
    with pytest.raises(FencedError, match="run 2 has taken over from run 1"):
        older.settle()
