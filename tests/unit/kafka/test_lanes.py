from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Literal

import pytest

from pbf_ray.backoff import Backoff
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.handling import Handling, Verdict
from pbf_ray.kafka.lanes import Finished, Lanes, lane_of
from pbf_ray.kafka.partition_tenure import PartitionTenure

Open = Callable[..., Lanes]


def _records(partition: int, count: int, *, keys: int = 3) -> list[ConsumedRecord]:
    return [
        ConsumedRecord("t", partition, offset, b"k%d" % (offset % keys), b"")
        for offset in range(count)
    ]


def _tenure(partition: int, records: int) -> PartitionTenure:
    tenure = PartitionTenure("t", partition, 0, None)
    for offset in range(records):
        tenure.take(offset)
    return tenure


@pytest.fixture
def finished() -> SimpleQueue[Finished]:
    return SimpleQueue()


@pytest.fixture
def lanes(finished: SimpleQueue[Finished]) -> Iterator[Open]:
    """Start lanes around a handler; every test ends with all threads ended."""
    opened: list[Lanes] = []

    def call(
        handler: Callable[..., object],
        count: int = 1,
        *,
        order: Literal["partition", "key"] = "partition",
        max_batch: int = 1,
        bury: Callable[..., object] | None = lambda *_: None,
    ) -> Lanes:
        handling = Handling(
            handler, batch=max_batch > 1, max_attempts=1, backoff=Backoff(0.001, 0.001), bury=bury
        )
        started = Lanes(handling, count, order=order, max_batch=max_batch, report=finished.put)
        started.start()
        opened.append(started)
        return started

    yield call
    assert all(started.close(60.0) for started in opened)


def _outcomes(finished: SimpleQueue[Finished], records: int) -> list[tuple[int, int, Verdict]]:
    """Partition, offset and verdict of so many records, in the order of their end."""
    found: list[tuple[int, int, Verdict]] = []
    while len(found) < records:
        told = finished.get(timeout=60)
        assert isinstance(told, tuple)
        found += [(r.partition, r.offset, told[1].verdict) for r in told[1].records]
    assert len(found) == records
    return found


@pytest.mark.parametrize("order", ["partition", "key"])
def test_order_is_kept_where_it_is_promised(
    lanes: Open, finished: SimpleQueue[Finished], order: Literal["partition", "key"]
) -> None:
    handled: list[ConsumedRecord] = []
    threads: dict[object, set[int]] = {}

    def handler(record: ConsumedRecord) -> None:
        what = record.key if order == "key" else record.partition
        threads.setdefault(what, set()).add(threading.get_ident())
        handled.append(record)

    open_lanes = lanes(handler, 3, order=order)
    for partition in range(4):
        open_lanes.put(_tenure(partition, 50), _records(partition, 50, keys=7))
    _outcomes(finished, 200)
    assert all(len(those) == 1 for those in threads.values())
    assert len(set().union(*threads.values())) > 1
    for partition in range(4):
        for key in {record.key for record in handled} if order == "key" else {None}:
            mine = [r.offset for r in handled if r.partition == partition and key in (None, r.key)]
            assert mine == sorted(mine)


def test_a_record_without_a_key_goes_with_its_partition() -> None:
    record = ConsumedRecord("t", 5, 0, None, b"")
    assert lane_of(record, "key", 4) == lane_of(record, "partition", 4)


def test_batches_are_of_one_partition_and_no_larger_than_allowed(
    lanes: Open, finished: SimpleQueue[Finished]
) -> None:
    batches: list[list[ConsumedRecord]] = []
    first, go_on = threading.Event(), threading.Event()

    def handler(records: list[ConsumedRecord]) -> None:
        batches.append(list(records))
        first.set()
        assert go_on.wait(60)

    open_lanes = lanes(handler, max_batch=4)
    tenures = [_tenure(0, 30), _tenure(1, 30)]
    open_lanes.put(tenures[0], _records(0, 30)[:1])
    assert first.wait(60)  # the others gather behind it
    open_lanes.put(tenures[0], _records(0, 30)[1:4])
    open_lanes.put(tenures[0], _records(0, 30)[4:6])
    open_lanes.put(tenures[1], _records(1, 30)[:2])
    open_lanes.put(tenures[0], _records(0, 30)[6:8])
    go_on.set()
    _outcomes(finished, 10)
    found = [[(record.partition, record.offset) for record in batch] for batch in batches]
    assert found == [
        [(0, 0)],
        [(0, 1), (0, 2), (0, 3), (0, 4)],
        [(0, 5)],
        [(1, 0), (1, 1)],
        [(0, 6), (0, 7)],
    ]


def test_what_waits_when_the_partition_goes_is_left(
    lanes: Open, finished: SimpleQueue[Finished]
) -> None:
    handled: list[int] = []
    at_work, go_on = threading.Event(), threading.Event()

    def handler(record: ConsumedRecord) -> None:
        at_work.set()
        assert go_on.wait(60)
        handled.append(record.offset)

    tenure = _tenure(0, 5)
    lanes(handler).put(tenure, _records(0, 5))
    assert at_work.wait(60)
    assert tenure.running == {0}
    tenure.end()
    go_on.set()
    ends = _outcomes(finished, 5)
    assert ends[0] == (0, 0, Verdict.PROCESSED)
    assert {verdict for _, _, verdict in ends[1:]} == {Verdict.ABANDONED}
    assert handled == [0]


def test_nothing_overtakes_a_record_that_failed_for_good(
    lanes: Open, finished: SimpleQueue[Finished]
) -> None:
    handled: list[tuple[int, int]] = []

    def handler(record: ConsumedRecord) -> None:
        if (record.partition, record.offset) == (0, 2):
            raise ValueError
        handled.append((record.partition, record.offset))

    open_lanes = lanes(handler, bury=None)
    open_lanes.put(_tenure(0, 5), _records(0, 5))
    open_lanes.put(_tenure(1, 2), _records(1, 2))
    ends = {
        place: verdict for *place, verdict in _outcomes(finished, 7) for place in [tuple(place)]
    }
    assert ends[0, 2] is Verdict.FAILED
    assert ends[0, 3] is ends[0, 4] is Verdict.ABANDONED
    assert handled == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_handler_that_ends_its_thread_is_told_and_leaves_nothing_unaccounted(
    lanes: Open, finished: SimpleQueue[Finished]
) -> None:
    def handler(record: ConsumedRecord) -> None:
        if record.offset == 1:
            raise SystemExit(3)

    lanes(handler).put(_tenure(0, 3), _records(0, 3))
    told: list[Any] = [finished.get(timeout=60) for _ in range(4)]
    (ended,) = [one for one in told if isinstance(one, BaseException)]
    assert isinstance(ended, SystemExit)
    ends = {r.offset: one[1].verdict for one in told if one is not ended for r in one[1].records}
    assert ends == {0: Verdict.PROCESSED, 1: Verdict.ABANDONED, 2: Verdict.ABANDONED}


def test_a_handler_that_does_not_return_does_not_hold_up_the_end(
    lanes: Open, finished: SimpleQueue[Finished]
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def handler(_: ConsumedRecord) -> None:
        at_work.set()
        go_on.wait(60)

    open_lanes = lanes(handler)
    open_lanes.put(_tenure(0, 1), _records(0, 1))
    assert at_work.wait(60)
    assert not open_lanes.close(0.0)
    go_on.set()
