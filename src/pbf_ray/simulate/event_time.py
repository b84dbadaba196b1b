"""Event times of logs: epochs, ISO 8601, patterns, and bare times of day that pass midnight."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from pbf_ray.simulate.cells import CellError

__all__ = ["EPOCH_FORMATS", "TimeOfDay", "calendar_time", "epoch_time", "read_zone"]

EPOCH_FORMATS: Final[dict[str, int]] = {
    "epoch_s": 1,
    "epoch_ms": 1_000,
    "epoch_us": 1_000_000,
    "epoch_ns": 1_000_000_000,
}
"""Formats that count from 1970-01-01 UTC, and their ticks per second."""

_DAY_S: Final = 86_400.0
_STRAGGLER_S: Final = 3_600.0
_DOUBLED_HOUR_DISORDER_S: Final = 300.0
"""A step back by more, within the hour that autumn doubles, is the second of the two hours."""
_TIME_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?", re.ASCII)


def read_zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ValueError: There is none of that name.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # what ZoneInfo raises depends on the name
        raise ValueError(f"{name!r} is no time zone that this computer knows") from error


def epoch_time(value: object, ticks_per_s: int) -> float:
    """Seconds since 1970-01-01 UTC from a count of ticks.

    Raises:
        CellError: It is no finite number.
    """
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,30}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CellError(f"{value!r} is not a number of ticks since 1970")
    try:
        seconds = value / ticks_per_s if isinstance(value, int) else float(value) / ticks_per_s
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise CellError(f"{value!r} is not a number of ticks since 1970")
    return seconds


def calendar_time(pattern: str | None, zone: tzinfo | None) -> Callable[[object], float]:
    """A reader of date and time.

    Args:
        pattern: ``strptime`` pattern; None for ISO 8601.
        zone: Zone of times that name none; None refuses those.

    Returns:
        A function from text or datetime to seconds since 1970-01-01 UTC; it raises ValueError.
    """

    def read(value: object) -> float:
        if isinstance(value, str):
            moment = (
                datetime.fromisoformat(value)
                if pattern is None
                else datetime.strptime(value, pattern)  # noqa: DTZ007 - the zone comes below
            )
        elif isinstance(value, datetime):
            moment = value
        else:
            raise CellError(f"{value!r} is not a date and time")
        if moment.tzinfo is None:
            if zone is None:
                raise CellError(f"{value!r} names no time zone, nor does time.time_zone")
            moment = moment.replace(tzinfo=zone)
        return moment.timestamp()

    return read


class TimeOfDay:
    """A reader of ``HH:MM:SS`` without a date, which has to see the times in the log's order.

    A step back of more than half a day (or ``wrap_after_s``) passes midnight; a smaller one is a
    record out of order. After a midnight, a step ahead of more than 23 hours is a straggler from
    the day before. An hour that the clock shows twice, in autumn, is taken so that time goes on.

    Args:
        start_date: Date of the first time.
        zone: Zone of the machine's clock.
        wrap_after_s: Step back that means midnight.
    """

    def __init__(self, start_date: date, zone: tzinfo, *, wrap_after_s: float = _DAY_S / 2) -> None:
        self._start_date = start_date
        self._zone = zone
        self._wrap_after_s = wrap_after_s
        self._day = start_date
        self._newest_clock_s = 0.0
        self._newest: float | None = None

    def __call__(self, value: object) -> float:
        """Seconds since 1970-01-01 UTC.

        Args:
            value: Text, or a time from Parquet.

        Raises:
            CellError: It is no time of day.
        """
        clock = _time_of_day(value)
        clock_s = (
            clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1_000_000
        )
        day = self._day
        if self._newest is not None:
            step_s = clock_s - self._newest_clock_s
            if step_s < -self._wrap_after_s:
                day += timedelta(days=1)
            elif step_s > _DAY_S - _STRAGGLER_S and day > self._start_date:
                day -= timedelta(days=1)
        instant = self._instant(datetime.combine(day, clock, self._zone))
        if self._newest is None or instant >= self._newest:
            self._day, self._newest_clock_s, self._newest = day, clock_s, instant
        return instant

    def _instant(self, local: datetime) -> float:
        first, second = (local.replace(fold=fold).timestamp() for fold in (0, 1))
        if self._newest is None or first >= self._newest - _DOUBLED_HOUR_DISORDER_S:
            return first
        return second


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise CellError(f"{value!r} is not a time of day, HH:MM:SS")
    hour, minute, second = (int(part) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise CellError(f"{value!r} is not a time of day, HH:MM:SS")
    return time(hour, minute, second, int((match[4] or "0").ljust(9, "0")[:6]))
