"""The date of an event, in UTC or in the zone of a plant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.monitoring.columns import column_values

__all__ = ["event_date"]

_MICROS_PER_DAY: Final = 86_400_000_000
_YEAR_1: Final = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z in microseconds
_YEAR_10000: Final = 253_402_300_800_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLOT_S: Final = 900


def event_date(timestamp: pa.Array | pa.ChunkedArray, zone: str = "UTC") -> pa.Date32Array:
    """``to_date(timestamp_seconds(timestamp))`` of Spark in a session time zone (item 54).

    Spark truncates to whole microseconds towards zero, then takes the day that holds them: -0.001 s
    is 1969-12-31 in UTC, and -0.0000001 s is 1970-01-01.

    Args:
        timestamp: float64[n], seconds since 1970-01-01 UTC, nullable.
        zone: IANA name of the time zone whose days are meant. What the stream stores is in UTC.

    Returns:
        date32[n]; null for null, NaN, infinities and what is not in the years 1 to 9999 (Spark
        counts on to the year 294247).

    Raises:
        ValueError: The time zone is unknown.
    """
    seconds, valid = column_values(timestamp)
    with np.errstate(over="ignore"):
        micros = np.trunc(seconds * 1e6)
    # Written so that NaN fails.
    valid = valid & (micros >= _YEAR_1) & (micros < _YEAR_10000)
    whole = np.where(valid, micros, 0.0).astype(np.int64)
    if zone != "UTC":
        whole = _local(whole, zone)
        valid &= (whole >= _YEAR_1) & (whole < _YEAR_10000)
    days = whole // _MICROS_PER_DAY
    return pa.array(days.astype(np.int32), pa.date32(), mask=~valid)


def _local(micros: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """What the clocks of a zone show at instants, as microseconds since their 1970-01-01."""
    try:
        clocks = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"time zone {zone!r} is unknown") from error
    # Arrow knows no summer time after 2037, so Python is asked: once for each quarter of an hour
    # that occurs, as clocks are not changed twice in one.
    seconds = micros // 1_000_000
    slots, slot_of_row = np.unique(seconds // _SLOT_S, return_inverse=True)
    first = _offsets(slots * _SLOT_S, clocks)
    last = _offsets(slots * _SLOT_S + _SLOT_S - 1, clocks)
    offsets = first[slot_of_row]
    changes = (first != last)[slot_of_row]
    offsets[changes] = _offsets(seconds[changes], clocks)
    return micros + offsets * 1_000_000


def _offsets(seconds: NDArray[np.int64], clocks: ZoneInfo) -> NDArray[np.int64]:
    """Seconds that the clocks are ahead of UTC; at the ends of the calendar those of a day in."""
    day = _MICROS_PER_DAY // 1_000_000
    inside = np.clip(seconds, _YEAR_1 // 1_000_000 + day, _YEAR_10000 // 1_000_000 - day - 1)
    shown = ((_EPOCH + timedelta(seconds=s)).astimezone(clocks) for s in inside.tolist())
    ahead = [(at.utcoffset() or timedelta()).total_seconds() for at in shown]
    return np.array(ahead, np.int64)
