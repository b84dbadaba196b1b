from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.simulate.cells import CellError
from pbf_ray.simulate.event_time import TimeOfDay, calendar_time, epoch_time, read_zone

START = date(2025, 2, 13)
BERLIN = ZoneInfo("Europe/Berlin")


def _utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc]


def test_epochs_of_all_resolutions() -> None:
    assert epoch_time("1739457431.25", 1) == 1739457431.25
    assert epoch_time(1739457431250, 1_000) == 1739457431.25
    assert epoch_time("1739457431250000", 1_000_000) == 1739457431.25
    assert epoch_time("1739457431250000000", 1_000_000_000) == 1739457431.25


@pytest.mark.parametrize("cell", ["", "x", "nan", "inf", float("nan"), True, None, [1]])
def test_what_is_no_epoch_is_refused(cell: object) -> None:
    with pytest.raises(CellError):
        epoch_time(cell, 1)


def test_iso_times_with_and_without_a_zone() -> None:
    read = calendar_time(None, BERLIN)
    assert read("2025-02-13T14:37:11+00:00") == _utc(2025, 2, 13, 14, 37, 11)
    assert read("2025-02-13 14:37:11") == _utc(2025, 2, 13, 13, 37, 11)
    assert read("2025-07-13T14:37:11.5") == _utc(2025, 7, 13, 12, 37, 11) + 0.5
    assert read(datetime(2025, 2, 13, 14, 37, 11)) == _utc(2025, 2, 13, 13, 37, 11)  # noqa: DTZ001
    with pytest.raises(CellError, match="time_zone"):
        calendar_time(None, None)("2025-02-13 14:37:11")
    for cell in ("13.02.2025", 5, None):
        with pytest.raises(ValueError, match=r"."):
            read(cell)


def test_a_pattern() -> None:
    read = calendar_time("%d.%m.%Y %H:%M:%S,%f", BERLIN)
    assert read("13.02.2025 14:37:11,250") == _utc(2025, 2, 13, 13, 37, 11) + 0.25


def test_midnight_is_passed_and_a_small_step_back_is_not_midnight() -> None:
    read = TimeOfDay(START, UTC)
    assert read("23:59:50") == _utc(2025, 2, 13, 23, 59, 50)
    assert read("23:59:48") == _utc(2025, 2, 13, 23, 59, 48)
    assert read("00:00:03") == _utc(2025, 2, 14, 0, 0, 3)
    assert read("23:59:59") == _utc(2025, 2, 13, 23, 59, 59)
    assert read("00:00:05.5") == _utc(2025, 2, 14, 0, 0, 5) + 0.5
    assert read("11:00:00") == _utc(2025, 2, 14, 11)
    assert read("23:30:00") == _utc(2025, 2, 14, 23, 30)
    assert read("0:10:00") == _utc(2025, 2, 15, 0, 10)


def test_half_a_day_back_exactly_is_out_of_order_and_a_second_more_is_midnight() -> None:
    for second_time, day in (("06:00:00", 13), ("05:59:59", 14)):
        read = TimeOfDay(START, UTC)
        read("18:00:00")
        hour, minute, second = (int(part) for part in second_time.split(":"))
        assert read(second_time) == _utc(2025, 2, day, hour, minute, second)


def test_the_first_day_has_no_day_before_it() -> None:
    read = TimeOfDay(START, UTC)
    assert read("00:10:00") == _utc(2025, 2, 13, 0, 10)
    assert read("23:50:00") == _utc(2025, 2, 13, 23, 50)


def test_a_shorter_wrap_carries_a_long_pause_over_midnight() -> None:
    read = TimeOfDay(START, UTC, wrap_after_s=6 * 3600.0)
    read("18:00:00")
    assert read("07:00:00") == _utc(2025, 2, 14, 7)


def test_the_doubled_hour_in_autumn_goes_on() -> None:
    read = TimeOfDay(date(2025, 10, 26), BERLIN)
    clock = ["02:00:00", "02:30:00", "02:59:30", "02:00:00", "02:30:00", "03:00:00"]
    seconds = [read(text) for text in clock]
    assert seconds[0] == _utc(2025, 10, 26, 0, 0)
    assert [b - a for a, b in pairwise(seconds)] == [
        1800.0, 1770.0, 30.0, 1800.0, 1800.0,
    ]  # fmt: skip


def test_a_record_out_of_order_stays_in_its_own_doubled_hour() -> None:
    read = TimeOfDay(date(2025, 10, 26), BERLIN)
    assert read("02:30:00") - read("02:29:58") == 2.0
    assert read("02:00:00") == _utc(2025, 10, 26, 1, 0)
    assert read("02:59:58") == _utc(2025, 10, 26, 0, 59, 58)


def test_the_missing_hour_in_spring_is_no_gap() -> None:
    read = TimeOfDay(date(2025, 3, 30), BERLIN)
    assert read("03:00:10") - TimeOfDay(date(2025, 3, 30), BERLIN)("01:59:50") == 20.0


@settings(deadline=None, max_examples=100)
@given(
    start_s=st.integers(0, 86_399),
    steps_s=st.lists(
        st.floats(0.0, 11.9 * 3600.0).map(lambda step: round(step, 3)) | st.just(0.0), max_size=40
    ),
    lags_s=st.lists(
        st.floats(0.0, 3500.0).map(lambda lag: round(lag, 3)), min_size=41, max_size=41
    ),
)
def test_times_of_day_give_back_the_instants(
    start_s: int, steps_s: list[float], lags_s: list[float]
) -> None:
    """Time goes on in steps below half a day; some records lag behind by less than an hour."""
    newest = datetime(2025, 2, 13, tzinfo=UTC) + timedelta(seconds=start_s)
    instants = [newest]
    for step_s, lag_s in zip(steps_s, lags_s, strict=False):
        newest += timedelta(seconds=step_s)
        late = newest - timedelta(seconds=lag_s)
        instants.append(newest)
        if late.date() >= START:
            instants.append(late)
    read = TimeOfDay(START, UTC)
    texts = [instant.strftime("%H:%M:%S.%f") for instant in instants]
    assert [read(text) for text in texts] == pytest.approx(
        [instant.timestamp() for instant in instants], abs=1e-6
    )


def test_times_from_parquet_are_read_too() -> None:
    assert TimeOfDay(START, UTC)(time(14, 37, 11)) == _utc(2025, 2, 13, 14, 37, 11)


@pytest.mark.parametrize("cell", ["24:00:00", "12:60:00", "12:00:60", "12:00", "noon", "", None, 5])
def test_what_is_no_time_of_day_is_refused_and_moves_no_clock(cell: object) -> None:
    read = TimeOfDay(START, UTC)
    read("14:00:00")
    with pytest.raises(CellError, match="HH:MM:SS"):
        read(cell)
    assert read("14:00:01") == _utc(2025, 2, 13, 14, 0, 1)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_unknown_zones_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        read_zone(name)
