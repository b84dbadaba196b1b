"""The produce job against sources that fail, end, or never do: time is the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.backoff import Backoff
from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    InputFileError,
    SettingError,
    SourceFailedError,
)
from pbf_ray.jobs.produce import SOURCE_BACKOFF, ProduceJob, ProduceResult
from pbf_ray.kafka.sensor_source import SensorRecord


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Source:
    """Gives what is left of a list; an exception in it is raised."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.left = list(items)
        self.opened = 0
        self.closed = 0

    def records(self) -> Iterator[Any]:
        self.opened += 1
        while self.left:
            item = self.left.pop(0)
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        self.closed += 1


class Target:
    """Takes records; some have to wait for room, some fail, and all are slow to arrive."""

    where = "nowhere"

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.sent = 0
        self.failed = 0
        self.error: BrokerError | None = None
        self.full = 0
        self.raises: BrokerError | None = None

    def send(self, record: Any) -> bool:
        if self.raises is not None:
            raise self.raises
        if self.full:
            self.full -= 1
            return False
        self.taken.append(record)
        return True

    def flush(self, timeout_s: float) -> int:
        if self.sent + self.failed < len(self.taken):
            if self.taken[self.sent + self.failed].value == b"bad":
                self.failed += 1
                self.error = self.error or BrokerUnavailableError("h:1", "timed out")
            else:
                self.sent += 1
        return len(self.taken) - self.sent - self.failed


def _job(source: Source, target: Target | None = None, **options: Any) -> ProduceJob:
    clock = Clock()
    given: dict[str, Any] = {
        "clock": clock,
        "sleep": clock.sleep,
        "backoff": Backoff(5.0, 60.0, draw=lambda: 1.0),
    }
    return ProduceJob(source, target or Target(), **{**given, **options})


def _values(target: Target) -> list[Any]:
    return [record.value for record in target.taken]


def test_all_records_of_a_source_arrive() -> None:
    fields = {"sensor_id": "s1", "timestamp": 5.0}
    records = [fields, SensorRecord(b"raw", key=b"k", event_time_s=6.0), {"timestamp": "odd"}]
    source, target = Source(records), Target()
    done = _job(source, target).run()
    assert done == ProduceResult("nowhere", 3, 3, 0, 0, 0, 0.0, interrupted=False, error=None)
    assert _values(target) == [fields, b"raw", {"timestamp": "odd"}]
    assert (source.opened, source.closed) == (1, 1)


def test_pauses_grow_while_a_source_fails_and_begin_anew_when_it_gives_a_record() -> None:
    clock = Clock()
    errors = [OSError("gauge is off")]
    source = Source([{"n": 1}, *errors * 6, {"n": 2}, *errors, {"n": 3}])
    done = _job(source, clock=clock, sleep=clock.sleep).run()
    assert clock.waits == [5, 10, 20, 40, 60, 60, 5]
    assert (done.read, done.sent, done.source_failures, done.error) == (3, 3, 7, None)
    assert (source.opened, source.closed) == (8, 1)


def test_the_pauses_are_those_of_the_replaced_pipeline_at_first() -> None:
    pauses = [SOURCE_BACKOFF.pause_s(n) for n in range(1, 20)]
    assert 2.5 <= pauses[0] <= 5.0
    assert max(pauses) <= 300.0


def test_a_source_that_fails_too_often_ends_it() -> None:
    source = Source([{"n": 1}, *[OSError("gauge is off")] * 5])
    done = _job(source, max_failures=3).run()
    assert isinstance(done.error, SourceFailedError)
    assert (done.error.failures, done.error.source) == (3, "Source")
    assert "gauge is off" in str(done.error)
    assert (done.read, done.sent, done.source_failures) == (1, 1, 3)
    assert source.closed == 1


def test_an_error_that_does_not_pass_ends_it_at_once() -> None:
    broken = InputFileError("a.log", "is odd", line=3)
    done = _job(Source([{"n": 1}, broken, {"n": 2}])).run()
    assert done.error is broken
    assert (done.read, done.sent, done.source_failures) == (1, 1, 0)


def test_a_transient_error_of_ours_is_as_any_other() -> None:
    done = _job(Source([BrokerUnavailableError("h:1", "away"), {"n": 1}])).run()
    assert (done.error, done.sent, done.source_failures) == (None, 1, 1)


def test_records_fail_alone_and_are_counted() -> None:
    target = Target()
    records = [SensorRecord(b"good"), SensorRecord(b"bad"), SensorRecord(b"good")]
    done = _job(Source(records), target).run()
    assert (done.read, done.sent, done.failed, done.queued) == (3, 2, 1, 0)
    assert done.error is target.error is not None


def test_a_full_buffer_holds_the_source_back() -> None:
    target = Target()
    target.full = 50
    done = _job(Source([{"n": n} for n in range(3)]), target).run()
    assert (done.read, done.sent, done.failed) == (3, 3, 0)


def test_a_target_that_fails_for_good_ends_it_with_exact_books() -> None:
    target = Target()
    target.raises = BrokerError("fenced")
    source = Source([{"n": 1}, {"n": 2}])
    done = _job(source, target).run()
    assert done.error is target.raises
    assert (done.read, done.sent, done.failed, done.queued) == (1, 0, 1, 0)
    assert len(source.left) == 1


def test_what_was_taken_before_a_stop_arrives_and_nothing_else_is_taken() -> None:
    class Endless(Source):
        def records(self) -> Iterator[dict[str, int]]:
            number = 0
            while True:
                number += 1
                if number == 10:
                    job.stop()
                yield {"n": number}

    source, target = Endless([]), Target()
    job = _job(source, target)
    done = job.run()
    assert (done.read, done.sent, done.queued, done.interrupted) == (10, 10, 0, True)
    assert _values(target)[-1] == {"n": 10}
    assert source.closed == 1


def test_a_stop_ends_the_pause_of_a_source_that_fails() -> None:
    stop = Event()
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        stop.set()

    source = Source([OSError()] * 5)
    done = _job(source, stop=stop, clock=clock, sleep=sleep).run()
    assert (len(clock.waits), done.source_failures, done.interrupted) == (1, 1, True)


def test_acknowledgements_are_taken_while_the_source_is_waited_for() -> None:
    clock, target = Clock(), Target()
    arrived: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        arrived.append((seconds, target.sent))
        clock.sleep(seconds)

    source = Source([{"n": 1}, {"n": 2}, {"n": 3}, OSError(), {"n": 4}])
    _job(source, target, clock=clock, sleep=sleep).run()
    assert arrived == [(0.25, 1), (0.25, 2), (4.5, 3)]


@pytest.mark.parametrize(
    ("options", "seconds"), [({"rate": 2.0}, 1.5), ({"speed": 2.0}, 15.0), ({}, 0.0)]
)
def test_records_are_paced_by_rate_or_by_their_timestamps(
    options: dict[str, float], seconds: float
) -> None:
    clock = Clock()
    # A record without an event time goes with the one before it.
    records = [{"timestamp": 50.0 + 10 * n} for n in range(4)]
    records.insert(2, {"timestamp": None})  # type: ignore[dict-item]
    if "rate" in options:
        del records[2]
    done = _job(Source(records), clock=clock, sleep=clock.sleep, **options).run()
    assert done.sent == len(records)
    assert sum(clock.waits) == done.seconds == pytest.approx(seconds)


def test_speed_and_rate_together_are_refused() -> None:
    with pytest.raises(SettingError, match="rate"):
        _job(Source([]), rate=1.0, speed=1.0).run()


def test_progress_is_told_with_books_that_balance() -> None:
    told: list[ProduceResult] = []
    target = Target()
    _job(Source([{"n": n} for n in range(500)]), target, on_progress=told.append).run()
    assert told
    assert all(now.read == now.sent + now.failed + now.queued for now in told)
    assert told[-1].to_plain().keys() == {
        "where", "read", "sent", "failed", "queued", "source_failures", "seconds", "interrupted",
        "error",
    }  # fmt: skip


def test_counts_of_a_target_that_was_used_before_are_not_this_jobs() -> None:
    target = Target()
    _job(Source([{"n": 1}]), target).run()
    done = _job(Source([{"n": 2}, {"n": 3}]), target).run()
    assert (done.read, done.sent) == (2, 2)


def test_a_source_that_cannot_close_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Source):
        def close(self) -> None:
            raise OSError("still open")

    done = _job(Stuck([{"n": 1}])).run()
    assert (done.sent, done.error) == (1, None)
    assert "did not close" in caplog.text


@given(st.lists(st.sampled_from(["record", "bad", "error"]), max_size=30))
def test_the_books_are_exact_whatever_fails(items: list[str]) -> None:
    made: dict[str, Callable[[], Any]] = {
        "record": lambda: SensorRecord(b"good"),
        "bad": lambda: SensorRecord(b"bad"),
        "error": lambda: OSError("off"),
    }
    done = _job(Source([made[item]() for item in items])).run()
    assert done.sent == items.count("record")
    assert done.failed == items.count("bad")
    assert done.source_failures == items.count("error")
    assert done.read == done.sent + done.failed
