"""The UTC date of an event."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from pbf_ray.monitoring.columns import column_values

__all__ = ["event_date"]

_MICROS_PER_DAY: Final = 86_400_000_000
_YEAR_1: Final = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z in microseconds
_YEAR_10000: Final = 253_402_300_800_000_000


def event_date(timestamp: pa.Array | pa.ChunkedArray) -> pa.Date32Array:
    """``to_date(timestamp_seconds(timestamp))`` of Spark in session time zone UTC (item 54).

    Spark truncates to whole microseconds towards zero, then takes the day that holds them: -0.001 s
    is 1969-12-31, and -0.0000001 s is 1970-01-01.

    Args:
        timestamp: float64[n], seconds since 1970-01-01 UTC, nullable.

    Returns:
        date32[n]; null for null, NaN, infinities and what is not in the years 1 to 9999.
    """
    seconds, valid = column_values(timestamp)
    with np.errstate(over="ignore"):
        micros = np.trunc(seconds * 1e6)
    # Written so that NaN fails.
    valid = valid & (micros >= _YEAR_1) & (micros < _YEAR_10000)
    days = np.where(valid, micros, 0.0).astype(np.int64) // _MICROS_PER_DAY
    return pa.array(days.astype(np.int32), pa.date32(), mask=~valid)
