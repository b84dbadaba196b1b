from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from threading import Event, Timer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.errors import SettingError
from pbf_ray.simulate.pace import pace
from pbf_ray.simulate.record import SimulatedRecord


class FakeClock:
    """Time that passes only when somebody waits, and a little longer than asked for."""

    def __init__(self, *, oversleep_s: float = 0.0) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._oversleep_s = oversleep_s

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds + self._oversleep_s


def _records(*times: float) -> list[SimulatedRecord]:
    return [SimulatedRecord(b"s", b"{}", time) for time in times]


def _sent_at(records: Iterator[SimulatedRecord], clock: FakeClock) -> list[float]:
    return [clock.now - 1000.0 for _ in records]


def test_original_speed_keeps_the_gaps() -> None:
    clock = FakeClock()
    paced = pace(_records(50.0, 51.0, 53.5, 53.5), speed=1.0, clock=clock, sleep=clock.sleep)
    assert _sent_at(paced, clock) == pytest.approx([0.0, 1.0, 3.5, 3.5])


def test_speed_shortens_the_gaps() -> None:
    clock = FakeClock()
    paced = pace(_records(0.0, 600.0, 900.0), speed=60.0, clock=clock, sleep=clock.sleep)
    assert _sent_at(paced, clock) == pytest.approx([0.0, 10.0, 15.0])


def test_a_record_out_of_order_goes_with_the_newest_before_it() -> None:
    clock = FakeClock()
    paced = pace(_records(0.0, 5.0, 2.0, 6.0), speed=1.0, clock=clock, sleep=clock.sleep)
    assert _sent_at(paced, clock) == pytest.approx([0.0, 5.0, 5.0, 6.0])


def test_without_speed_or_rate_nothing_waits() -> None:
    clock = FakeClock()
    assert len(list(pace(_records(0.0, 1e9), clock=clock, sleep=clock.sleep))) == 2
    assert clock.waits == []


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(0.5, 100_000.0), oversleep_s=st.floats(0.0, 0.01), records=st.integers(2, 300)
)
def test_a_rate_never_drifts_however_long_each_wait_takes(
    rate: float, oversleep_s: float, records: int
) -> None:
    clock = FakeClock(oversleep_s=oversleep_s)
    source = _records(*([0.0] * records))
    sent = _sent_at(pace(source, rate=rate, clock=clock, sleep=clock.sleep), clock)
    for number, moment in enumerate(sent):
        # Never more than a burst early, never later than one overlong wait.
        assert number / rate - 0.0021 <= moment <= number / rate + oversleep_s + 1e-9


def test_who_falls_behind_catches_up() -> None:
    clock = FakeClock()
    paced = pace(_records(*range(6)), speed=1.0, clock=clock, sleep=clock.sleep)
    sent = []
    for record in paced:
        sent.append(clock.now - 1000.0)
        if record.event_time_s == 1.0:
            clock.now += 3.0
    assert sent == pytest.approx([0.0, 1.0, 4.0, 4.0, 4.0, 5.0])


def test_a_stop_ends_a_wait_at_once() -> None:
    stop = Event()
    timer = Timer(0.05, stop.set)
    timer.start()
    handed_on = list(pace(_records(0.0, 3600.0), speed=1.0, stop=stop))
    assert len(handed_on) == 2, "the one waited for is handed on"
    timer.join()


@pytest.mark.parametrize("rate", [None, 1e9])
def test_a_stop_ends_an_endless_source_that_never_waits(rate: float | None) -> None:
    stop = Event()
    endless = (SimulatedRecord(b"s", b"{}", float(number)) for number in count())
    paced = pace(endless, rate=rate, stop=stop)
    assert len(list(islice(paced, 100))) == 100
    stop.set()
    assert list(paced) == []


def test_a_sleep_that_returns_early_is_taken_up_again() -> None:
    clock = FakeClock()

    def nap(seconds: float) -> None:
        clock.sleep(min(seconds, 0.3))

    sent = _sent_at(pace(_records(0.0, 2.0), speed=1.0, clock=clock, sleep=nap), clock)
    assert sent == pytest.approx([0.0, 2.0])
    assert len(clock.waits) == 7


@pytest.mark.parametrize(
    ("speed", "rate", "key"),
    [(0.0, None, "speed"), (None, -1.0, "rate"), (float("nan"), None, "speed"), (1.0, 1.0, "rate")],
)
def test_useless_speeds_are_refused_at_once(
    speed: float | None, rate: float | None, key: str
) -> None:
    with pytest.raises(SettingError) as caught:
        pace([], speed=speed, rate=rate)
    assert caught.value.key == key
