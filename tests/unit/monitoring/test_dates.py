import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.monitoring.dates import event_date

# What PySpark 4.3 gives for to_date(timestamp_seconds(x)), session time zone UTC.
SPARK = [
    (0.0, "1970-01-01"),
    (-0.0, "1970-01-01"),
    (-0.001, "1969-12-31"),
    (-1e-6, "1969-12-31"),
    (-9.9e-7, "1970-01-01"),
    (-1e-7, "1970-01-01"),
    (86399.9999999, "1970-01-01"),
    (86400.0, "1970-01-02"),
    (1_700_000_000.0, "2023-11-14"),
    (-86400.0, "1969-12-31"),
    (-86400.0000001, "1969-12-31"),
    (-86400.000001, "1969-12-30"),
    (-62_135_596_800.0, "0001-01-01"),
    (253_402_300_799.9999, "9999-12-31"),
]


@pytest.mark.parametrize(("seconds", "date"), SPARK)
def test_item_54_dates_of_spark(seconds: float, date: str) -> None:
    dates = event_date(pa.array([seconds]))
    assert dates.type == pa.date32()
    assert dates.to_pylist() == [dt.date.fromisoformat(date)]


@pytest.mark.parametrize(
    "seconds",
    [None, float("nan"), float("inf"), -float("inf"), 1e300, -62_135_596_801.0, 253_402_300_800.0],
)
def test_what_has_no_date_is_null(seconds: float | None) -> None:
    assert event_date(pa.array([seconds], pa.float64())).to_pylist() == [None]


@settings(max_examples=200, deadline=None)
@given(st.datetimes(), st.integers(1, 3))
def test_whole_microseconds_have_the_date_that_python_gives(at: dt.datetime, chunks: int) -> None:
    # Up to the year 2242 a double holds microseconds exactly enough to come back to them.
    micros = (at - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001
    seconds = micros / 1e6
    back = int(seconds * 1e6)  # truncated, as Spark does
    expected = dt.date(1970, 1, 1) + dt.timedelta(days=back // 86_400_000_000)
    column = pa.chunked_array([[seconds]] * chunks, pa.float64())
    assert event_date(column).to_pylist() == [expected] * chunks


@pytest.mark.parametrize(
    ("zone", "date"),
    [("Asia/Tokyo", "2023-11-15"), ("America/Los_Angeles", "2023-11-14"), ("UTC", "2023-11-14")],
)
def test_item_54_the_day_is_that_of_the_zone(zone: str, date: str) -> None:
    dates = event_date(pa.array([1_700_000_000.0, None, 253_402_300_799.0]), zone)
    assert str(dates[0]) == date
    assert dates.is_valid().to_pylist() == [True, False, zone != "Asia/Tokyo"]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone 'Mars/Base' is unknown"):
        event_date(pa.array([0.0]), "Mars/Base")
