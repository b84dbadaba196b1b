from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pbf_ray.errors import PbfRayError, StoreContentError, StoreUnavailableError
from pbf_ray.storage.retry import RetryPolicy, retry_transient


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def _policy(clock: Clock, *, draw: float = 1.0, limit_s: float = 60.0) -> RetryPolicy:
    return RetryPolicy(
        limit_s=limit_s,
        first_pause_s=1.0,
        longest_pause_s=8.0,
        sleep=clock.sleep,
        clock=clock,
        draw=lambda: draw,
    )


def _failing(times: int, error: Exception) -> Callable[[], int]:
    calls = itertools.count()

    def call() -> int:
        number = next(calls)
        if number < times:
            raise error
        return number

    return call


def test_transient_errors_are_retried_with_growing_pauses() -> None:
    clock = Clock()
    told: list[tuple[PbfRayError, float]] = []
    error = StoreUnavailableError("s", "down")
    result = retry_transient(
        _failing(6, error), _policy(clock), on_retry=lambda *args: told.append(args)
    )
    assert result == 6
    assert clock.pauses == [1, 2, 4, 8, 8, 8]
    assert told == [(error, pause) for pause in clock.pauses]


def test_pauses_are_drawn_from_the_upper_half() -> None:
    clock = Clock()
    retry_transient(_failing(3, StoreUnavailableError("s", "down")), _policy(clock, draw=0.0))
    assert clock.pauses == [0.5, 1, 2]
    drawn = {RetryPolicy().pause_s(3) for _ in range(20)}
    assert len(drawn) > 1
    assert all(0.1 <= pause <= 0.2 for pause in drawn)
    assert RetryPolicy().pause_s(10**9) <= 5.0


def test_terminal_errors_are_raised_at_once() -> None:
    for error in (StoreContentError("s", "wrong"), KeyError("x")):
        clock = Clock()
        with pytest.raises(type(error)):
            retry_transient(_failing(1, error), _policy(clock))
        assert clock.pauses == []


def test_the_last_error_is_raised_when_time_is_up() -> None:
    clock = Clock()
    error = StoreUnavailableError("s", "down")
    with pytest.raises(StoreUnavailableError) as caught:
        retry_transient(_failing(10**6, error), _policy(clock, limit_s=20.0))
    assert caught.value is error
    assert clock.pauses == [1, 2, 4, 8]


def test_a_listener_may_give_up() -> None:
    def stop(error: PbfRayError, pause_s: float) -> None:
        raise InterruptedError

    clock = Clock()
    with pytest.raises(InterruptedError):
        retry_transient(
            _failing(9, StoreUnavailableError("s", "down")), _policy(clock), on_retry=stop
        )
    assert clock.pauses == []
