"""Hands records on at the right moment: at a rate, or at the speed of their event times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Event
from typing import Final, Protocol, TypeVar

from pbf_ray.errors import SettingError

__all__ = ["Timed", "pace"]


class Timed(Protocol):
    """Has an event time, as a ``SimulatedRecord`` has."""

    @property
    def event_time_s(self) -> float:
        """When it was measured, seconds since 1970-01-01 UTC."""


_Timed = TypeVar("_Timed", bound=Timed)

_SHORTEST_WAIT_S: Final = 0.002
"""Shorter waits cost more than they are worth: the records go out in small bursts instead."""


def pace(
    records: Iterable[_Timed],
    *,
    speed: float | None = None,
    rate: float | None = None,
    stop: Event | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
) -> Iterator[_Timed]:
    """Hand records on in time.

    The schedule is fixed by the first record, so that short waits or a slow consumer never add up:
    who falls behind catches up. Records out of order go with the newest one before them.

    Args:
        records: Records in the order of sending.
        speed: Seconds of event time per second; 1 is the original speed. None for as fast as
            possible.
        rate: Records per second, instead of a speed.
        stop: Once set, no further record is taken; a wait ends at once, with its record.
        clock: Seconds, never running backwards.
        sleep: Waits for some seconds, perhaps less; by default until ``stop`` is set.

    Raises:
        SettingError: Both speed and rate are given, or one is not a positive number.
    """
    interval_s = _seconds_per_step(speed, rate)
    if sleep is None:
        sleep = time.sleep if stop is None else stop.wait
    return _paced(records, interval_s, speed is not None, stop, clock, sleep)


def _seconds_per_step(speed: float | None, rate: float | None) -> float | None:
    if speed is not None and rate is not None:
        raise SettingError("rate", "pace", "a speed is given too", advice="give only one of them")
    step = None
    for key, value in (("speed", speed), ("rate", rate)):
        if value is None:
            continue
        if not 0.0 < value < float("inf"):
            raise SettingError(
                key, "pace", f"{value!r} is not a positive number", advice="leave it out for max"
            )
        step = 1.0 / value
    return step


def _paced(
    records: Iterable[_Timed],
    interval_s: float | None,
    by_event_time: bool,
    stop: Event | None,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> Iterator[_Timed]:
    started: float | None = None
    first = newest = 0.0
    upcoming = enumerate(records)
    # A record that was taken is handed on in any case: its source has counted it as sent.
    while stop is None or not stop.is_set():
        number, record = next(upcoming, (0, None))
        if record is None:
            return
        if interval_s is None:
            yield record
            continue
        if started is None:
            started = clock()
            first = newest = record.event_time_s
        if by_event_time:
            newest = max(newest, record.event_time_s)
            due = started + (newest - first) * interval_s
        else:
            due = started + number * interval_s
        while (ahead := due - clock()) >= _SHORTEST_WAIT_S:
            sleep(ahead)
            if stop is not None and stop.is_set():
                break
        yield record
