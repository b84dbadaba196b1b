from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.backoff import Backoff
from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    HandlerFailedError,
    StoreUnavailableError,
)
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.handling import Handling, Verdict


class Hurry:
    """Notes the pauses; set by the test, or after so many of them."""

    def __init__(self, after: int = 10**9) -> None:
        self.pauses: list[float] = []
        self.after = after

    def is_set(self) -> bool:
        return len(self.pauses) >= self.after

    def wait(self, timeout: float) -> bool:
        self.pauses.append(timeout)
        return self.is_set()


class Letters:
    """Dead letters that were acknowledged; the first few tries may fail."""

    def __init__(self, *errors: BrokerError) -> None:
        self.errors = list(errors)
        self.buried: list[tuple[int, str, int]] = []

    def bury(self, record: ConsumedRecord, error: Exception, attempts: int) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.buried.append((record.offset, str(error), attempts))


def _record(offset: int) -> ConsumedRecord:
    return ConsumedRecord("t", 0, offset, b"k", b"v")


def _handling(handler: Callable[..., object], **options: Any) -> Handling:
    given: dict[str, Any] = {
        "batch": False,
        "max_attempts": 3,
        "backoff": Backoff(1.0, 3.0, draw=lambda: 1.0),
        "bury": Letters().bury,
        "clock": lambda: 0.0,
    }
    return Handling(handler, **{**given, **options})


def _fails(*errors: Exception) -> Callable[[object], None]:
    left = list(errors)

    def handler(_: object) -> None:
        if left:
            raise left.pop(0)

    return handler


def test_a_record_that_succeeds_in_the_end_is_processed() -> None:
    hurry = Hurry()
    (outcome,) = _handling(_fails(ValueError(), KeyError())).handle([_record(5)], hurry)
    assert (outcome.verdict, outcome.retries, outcome.records) == (
        Verdict.PROCESSED, 2, [_record(5)],
    )  # fmt: skip
    assert hurry.pauses == [1.0, 2.0]


def test_a_record_that_fails_for_good_is_a_dead_letter() -> None:
    letters = Letters()
    handling = _handling(_fails(*map(ValueError, "abcd")), bury=letters.bury)
    (outcome,) = handling.handle([_record(5)], Hurry())
    assert (outcome.verdict, outcome.retries) == (Verdict.DEAD_LETTER, 2)
    assert letters.buried == [(5, "c", 3)]


def test_or_it_stops_the_consumer() -> None:
    handling = _handling(_fails(*map(ValueError, "abcd")), bury=None)
    (outcome,) = handling.handle([_record(5)], Hurry())
    assert outcome.verdict is Verdict.FAILED
    assert isinstance(outcome.error, HandlerFailedError)
    assert (outcome.error.offset, outcome.error.attempts) == (5, 3)
    assert "ValueError('c')" in str(outcome.error)


def test_a_transient_error_is_tried_until_it_passes_and_costs_no_attempt() -> None:
    away = [StoreUnavailableError("s", "away")] * 50
    hurry = Hurry()
    (outcome,) = _handling(_fails(*away, ValueError())).handle([_record(5)], hurry)
    assert (outcome.verdict, outcome.retries) == (Verdict.PROCESSED, 51)
    assert max(hurry.pauses) == 3.0


def test_users_say_what_is_transient() -> None:
    handling = _handling(
        _fails(*[TimeoutError()] * 9), transient=lambda error: isinstance(error, TimeoutError)
    )
    (outcome,) = handling.handle([_record(5)], Hurry())
    assert outcome.verdict is Verdict.PROCESSED


def test_in_a_hurry_no_further_attempt_begins_and_the_record_comes_again() -> None:
    letters = Letters()
    handling = _handling(_fails(*map(ValueError, "abcd")), bury=letters.bury)
    (outcome,) = handling.handle([_record(5)], Hurry(after=1))
    assert (outcome.verdict, outcome.retries) == (Verdict.ABANDONED, 0)
    assert not letters.buried
    (outcome,) = _handling(_fails(*[StoreUnavailableError("s", "away")] * 9)).handle(
        [_record(5)], Hurry(after=4)
    )
    assert outcome.verdict is Verdict.ABANDONED
    # One that has had all its attempts is decided also then.
    handling = _handling(_fails(ValueError()), bury=letters.bury, max_attempts=1)
    (outcome,) = handling.handle([_record(5)], Hurry(after=0))
    assert outcome.verdict is Verdict.DEAD_LETTER


def test_a_dead_letter_counts_when_it_is_acknowledged() -> None:
    letters = Letters(*[BrokerUnavailableError("h:1", "away")] * 3)
    handling = _handling(_fails(ValueError()), bury=letters.bury, max_attempts=1)
    hurry = Hurry()
    (outcome,) = handling.handle([_record(5)], hurry)
    assert outcome.verdict is Verdict.DEAD_LETTER
    assert hurry.pauses == [1.0, 2.0, 3.0]
    letters = Letters(*[BrokerUnavailableError("h:1", "away")] * 3)
    handling = _handling(_fails(ValueError()), bury=letters.bury, max_attempts=1)
    (outcome,) = handling.handle([_record(5)], Hurry(after=2))
    assert (outcome.verdict, letters.buried) == (Verdict.ABANDONED, [])
    refused = BrokerError("no rights")
    handling = _handling(_fails(ValueError()), bury=Letters(refused).bury, max_attempts=1)
    (outcome,) = handling.handle([_record(5)], Hurry())
    assert (outcome.verdict, outcome.error) == (Verdict.FAILED, refused)


@given(st.lists(st.sampled_from(["good", "bad", "odd"]), min_size=1, max_size=8))
def test_in_a_batch_only_the_bad_records_fail(kinds: list[str]) -> None:
    """Odd ones fail in company only: whatever a batch does, each record has its own chance."""
    stored: list[int] = []
    letters = Letters()

    def handler(records: Sequence[ConsumedRecord]) -> None:
        for record in records:
            kind = kinds[record.offset]
            if kind == "bad" or (kind == "odd" and len(records) > 1):
                raise ValueError(kind)
        stored.extend(record.offset for record in records)

    handling = _handling(handler, batch=True, bury=letters.bury, max_attempts=2)
    outcomes = handling.handle([_record(n) for n in range(len(kinds))], Hurry())
    ends = {r.offset: outcome.verdict for outcome in outcomes for r in outcome.records}
    assert ends == {
        n: Verdict.DEAD_LETTER if kind == "bad" else Verdict.PROCESSED
        for n, kind in enumerate(kinds)
    }
    assert sum(len(outcome.records) for outcome in outcomes) == len(kinds)
    assert sorted(stored) == [n for n, kind in enumerate(kinds) if kind != "bad"]
    assert [offset for offset, _, _ in letters.buried] == [
        n for n, kind in enumerate(kinds) if kind == "bad"
    ]


def test_behind_a_record_that_stops_the_consumer_nothing_of_a_batch_is_handled() -> None:
    handled: list[int] = []

    def handler(records: Sequence[ConsumedRecord]) -> None:
        handled.extend(record.offset for record in records if len(records) == 1)
        if any(record.offset == 2 for record in records):
            raise ValueError

    handling = _handling(handler, batch=True, bury=None, max_attempts=1)
    outcomes = handling.handle([_record(n) for n in range(5)], Hurry())
    found = [(o.verdict, [r.offset for r in o.records]) for o in outcomes]
    assert found == [
        (Verdict.PROCESSED, [0]),
        (Verdict.PROCESSED, [1]),
        (Verdict.FAILED, [2]),
        (Verdict.ABANDONED, [3, 4]),
    ]
    assert handled == [0, 1, 2]


def test_a_batch_in_a_hurry_is_left_whole() -> None:
    handling = _handling(_fails(*map(ValueError, "abcd")), batch=True)
    (outcome,) = handling.handle([_record(0), _record(1)], Hurry(after=1))
    assert (outcome.verdict, len(outcome.records)) == (Verdict.ABANDONED, 2)


def test_what_is_no_exception_is_not_handled() -> None:
    with pytest.raises(SystemExit):
        _handling(_fails(SystemExit())).handle([_record(1)], Hurry())  # type: ignore[arg-type]
