"""The loop with a group that the test plays: what is committed, when, and what is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from pbf_ray.backoff import Backoff
from pbf_ray.config.kafka_clients import ConsumerSettings
from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    HandlerFailedError,
    OffsetsVanishedError,
)
from pbf_ray.kafka import consumer_loop
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer_loop import ConsumerLoop
from pbf_ray.kafka.consumer_metrics import ConsumerBooks, ConsumerMetrics
from pbf_ray.kafka.handling import Handling

Key = tuple[str, int]
Step = Callable[["Group"], Any]


def _records(partition: int, *offsets: int) -> list[ConsumedRecord]:
    return [ConsumedRecord("t", partition, offset, b"k", b"value") for offset in offsets]


class Group:
    """In place of a ``GroupMembership``: each ``receive`` is the next step of the test's script.

    A step gives records, raises, or lets partitions come and go; behind the last one the loop is
    asked to stop.
    """

    def __init__(self, script: Sequence[Step], taken: Callable[[], bool]) -> None:
        self.script = list(script)
        self.stopped = False
        self.commits: list[tuple[dict[Key, int], bool]] = []
        self.refuse: BrokerError | None = None
        self.paused: list[bool] = []
        self.skipped: list[tuple[str, int, int]] = []
        self.required: list[str] = []
        self.closed = False
        self._taken = taken

    def __call__(self, *_: object, **callbacks: Callable[..., Any]) -> Group:
        self.gained = callbacks["gained"]
        self.leaving = callbacks["leaving"]
        self.lost = callbacks["lost"]
        self.told = callbacks["committed"]
        return self

    def own(self, **starts: int) -> None:
        """Partitions come: ``own(p0=5)``."""
        self.gained({("t", int(name[1:])): (at, at) for name, at in starts.items()})

    def receive(self, count: int, _wait_s: float) -> list[ConsumedRecord]:
        if not self.script:
            # What was handed out is finished first, unless the script holds a handler back.
            self.stopped = self.stopped or self._taken()
            return []
        records = self.script.pop(0)(self) or []
        assert len(records) <= count
        return list(records)

    def commit(self, offsets: Mapping[Key, int], *, wait: bool) -> None:
        if offsets:
            self.commits.append((dict(offsets), wait))
            self.told({} if self.refuse else dict(offsets), self.refuse)

    def require_topics(self, topics: Sequence[str], _patience_s: float) -> None:
        self.required = list(topics)

    def pause(self, wanted: bool) -> None:
        self.paused.append(wanted)

    def skip_to(self, *where: Any) -> None:
        self.skipped.append(where)

    def close(self) -> None:
        self.closed = True

    @property
    def committed(self) -> dict[Key, int]:
        """The last offset of each partition, by the order of the commits."""
        latest: dict[Key, int] = {}
        for offsets, _ in self.commits:
            latest.update(offsets)
        return latest


class Played:
    """A loop, its group and its books."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.books = ConsumerBooks()

    def play(
        self,
        script: Sequence[Step],
        handler: Callable[..., object] = lambda _: None,
        *,
        bury: Callable[..., object] | None = lambda *_: None,
        **options: Any,
    ) -> Group:
        group = self.group = Group(script, lambda: self.books.in_flight == 0)
        self.monkeypatch.setattr(consumer_loop, "GroupMembership", group)
        settings = ConsumerSettings(**{"commit_interval_s": 1e-9, "drain_s": 5.0, **options})
        loop = ConsumerLoop(
            "h:1",
            ["t"],
            "g",
            {},
            options=settings,
            handling=Handling(
                handler, batch=False, max_attempts=1, backoff=Backoff(0.001, 0.001), bury=bury
            ),
            max_batch=1,
            books=self.books,
            stopping=lambda: group.stopped,
        )
        loop.run(["dead"])
        return group

    @property
    def metrics(self) -> ConsumerMetrics:
        """The books, which have to balance."""
        found = self.books.read()
        ends = found.processed + found.dead_letters + found.abandoned
        assert found.received == ends + found.in_flight
        return found


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    one = Played(monkeypatch)
    yield one
    assert one.group.closed


def _waits(event: threading.Event) -> None:
    assert event.wait(60)


def test_what_is_done_is_committed_and_the_group_is_left(played: Played) -> None:
    group = played.play(
        [
            lambda group: group.own(p0=5, p1=0),
            lambda _: [*_records(0, 5, 6, 9), *_records(1, 0, 1)],
        ]
    )
    assert group.required == ["t", "dead"]
    assert group.committed == {("t", 0): 10, ("t", 1): 2}
    metrics = played.metrics
    assert (metrics.received, metrics.processed, metrics.partitions) == (5, 5, 2)
    assert metrics.committed == group.committed


def test_records_of_partitions_that_are_not_owned_are_not_taken(played: Played) -> None:
    group = played.play([lambda group: group.own(p0=0), lambda _: _records(7, 1, 2)])
    assert played.metrics.received == 0
    assert group.committed == {}


def test_nothing_is_committed_past_a_record_that_fails_for_good(played: Played) -> None:
    def handler(record: ConsumedRecord) -> None:
        if record.offset == 2:
            raise ValueError

    with pytest.raises(HandlerFailedError, match="t/0 offset 2"):
        played.play(
            [
                lambda group: group.own(p0=0, p1=0),
                lambda _: [*_records(0, 0, 1, 2, 3, 4), *_records(1, 0, 1)],
                *[lambda _: []] * 100,
            ],
            handler,
            bury=None,
        )
    assert played.group.committed == {("t", 0): 2, ("t", 1): 2}
    assert (played.metrics.processed, played.metrics.abandoned) == (4, 3)


def test_a_leaving_partition_is_committed_as_far_as_it_is_done(played: Played) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def handler(record: ConsumedRecord) -> None:
        if record.offset == 1:
            at_work.set()
            _waits(go_on)

    def leave(group: Group) -> None:
        _waits(at_work)
        threading.Timer(0.05, go_on.set).start()
        group.leaving([("t", 0)])
        # By then its handler has finished, and all it did is committed; the rest is left.
        assert group.commits[-1] == ({("t", 0): 2}, True)
        assert played.metrics.abandoned + played.metrics.in_flight == 2

    played.play([lambda group: group.own(p0=0), lambda _: _records(0, 0, 1, 2, 3), leave], handler)
    assert played.group.committed == {("t", 0): 2}
    assert (played.metrics.processed, played.metrics.abandoned) == (2, 2)
    assert played.metrics.rebalances == 2


def test_a_handler_that_outlasts_the_patience_moves_nothing(played: Played) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def handler(record: ConsumedRecord) -> None:
        if record.offset == 1:
            at_work.set()
            _waits(go_on)

    def leave(group: Group) -> None:
        _waits(at_work)
        group.leaving([("t", 0)])
        assert group.committed == {("t", 0): 1}
        group.own(p0=1)  # it comes back at once
        go_on.set()

    played.play(
        [lambda group: group.own(p0=0), lambda _: _records(0, 0, 1, 2), leave], handler, drain_s=0.1
    )
    # The late success was of the tenure that had ended: offset 1 is still to be done.
    assert played.group.committed == {("t", 0): 1}


@pytest.mark.parametrize("late", [False, True])
def test_of_a_lost_partition_nothing_is_committed(played: Played, late: bool) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def handler(record: ConsumedRecord) -> None:
        if record.offset == 3:
            at_work.set()
            _waits(go_on)

    def lose(group: Group) -> None:
        _waits(at_work)
        group.commits.clear()
        if not late:
            go_on.set()
        group.lost([("t", 0)])
        go_on.set()

    played.play(
        [lambda group: group.own(p0=0), lambda _: _records(0, *range(6)), lose, lambda _: []],
        handler,
        commit_interval_s=3600.0,
    )
    assert played.group.commits == []
    assert (played.metrics.lost_partitions, played.metrics.partitions) == (1, 0)


def test_a_commit_that_was_refused_is_tried_again(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(group: Group) -> list[ConsumedRecord]:
        group.refuse = BrokerUnavailableError("h:1", "away")
        return _records(0, 0, 1)

    def relent(group: Group) -> None:
        if played.metrics.commit_failures < 3:
            group.script.insert(0, relent)
        else:
            group.refuse = None

    group = played.play([lambda group: group.own(p0=0), refuse, relent])
    assert group.committed == {("t", 0): 2}
    assert played.metrics.commit_failures > 0
    assert played.metrics.committed == {("t", 0): 2}
    # An outage is told once, not with every try.
    told = [line for line in caplog.messages if "a commit was not taken" in line]
    assert len(told) == 1


def test_stopping_finishes_what_was_taken(played: Played) -> None:
    handled: list[int] = []
    at_work = threading.Event()

    def handler(record: ConsumedRecord) -> None:
        at_work.set()
        handled.append(record.offset)

    def stop(group: Group) -> list[ConsumedRecord]:
        group.stopped = True
        return _records(0, *range(200))

    played.play([lambda group: group.own(p0=0), stop], handler)
    assert handled == list(range(200))
    assert played.group.committed == {("t", 0): 200}


def test_it_does_not_wait_longer_than_it_is_told_for_what_was_taken(
    played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def handler(record: ConsumedRecord) -> None:
        if record.offset == 2:
            _waits(go_on)

    def stop(group: Group) -> None:
        if played.books.read().processed == 2:
            group.stopped = True
        else:
            group.script.insert(0, stop)

    try:
        played.play(
            [lambda group: group.own(p0=0), lambda _: _records(0, 0, 1, 2, 3), stop],
            handler,
            drain_s=0.1,
        )
    finally:
        go_on.set()
    assert played.group.committed == {("t", 0): 2}
    assert played.metrics.in_flight > 0
    assert "a handler has not returned" in caplog.text


def test_what_a_handler_ends_its_thread_with_ends_the_loop(played: Played) -> None:
    def handler(record: ConsumedRecord) -> None:
        if record.offset == 1:
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        played.play(
            [lambda group: group.own(p0=0), lambda _: _records(0, 0, 1, 2)] + [lambda _: []] * 1000,
            handler,
        )
    assert played.group.committed == {("t", 0): 1}


def test_vanished_records_end_it_or_are_counted(played: Played) -> None:
    def gone(_: Group) -> None:
        raise OffsetsVanishedError("t", 0, wanted=3, first=10, last=20)

    script: list[Step] = [
        lambda group: group.own(p0=0),
        lambda _: _records(0, 0, 1, 2),
        gone,
        lambda _: _records(0, 10, 11),
    ]
    with pytest.raises(OffsetsVanishedError):
        played.play(script[:3])
    assert played.group.committed == {("t", 0): 3}
    played.books = ConsumerBooks()
    group = played.play(script, accept_loss=True)
    assert group.skipped == [("t", 0, 10)]
    # What was taken before the gap was finished all the same.
    assert (played.metrics.processed, played.metrics.vanished) == (5, 7)
    assert group.committed == {("t", 0): 12}


def test_a_full_window_pauses_fetching_while_polling_goes_on(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    polls = 0

    def poll(group: Group) -> None:
        nonlocal polls
        polls += 1
        assert played.metrics.paused
        if polls == 3:
            go_on.set()

    group = played.play(
        [lambda group: group.own(p0=0), lambda _: _records(0, *range(10)), *[poll] * 3],
        lambda _: _waits(go_on),
        max_in_flight_records=10,
    )
    assert True in group.paused
    assert group.committed == {("t", 0): 10}
