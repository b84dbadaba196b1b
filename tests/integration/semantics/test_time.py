"""Dates of float seconds are PySpark's, in UTC and in zones of plants."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.monitoring.dates import event_date
from support.semantics.comparer import assert_same
from support.semantics.rounds import rounds
from support.semantics.spark_decoding import from_spark, setting
from support.semantics.spark_quality import view

ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles")
_ODD = (None, math.nan, math.inf, -math.inf, 0.0, -0.0, -0.001, -1e-7, -9.9e-7, 1e300, -1e300)


def _seconds(rng: Random) -> float | None:
    day = 86_400.0 * rng.randrange(-40_000, 60_000)
    return rng.choice(
        [
            lambda: rng.choice(_ODD),
            lambda: rng.uniform(1.6e9, 1.8e9),
            # around midnight and around the changes of clocks, to the microsecond
            lambda: day + 3600.0 * rng.randrange(24) + rng.choice([-1e-6, -1e-7, 0.0, 1e-6]),
            lambda: rng.uniform(-6.3e10, 2.6e11),
            lambda: rng.uniform(-10, 10) * 1e-6,
        ]
    )()


@rounds(1)
@given(seed=st.integers(0, 2**64 - 1))
@pytest.mark.semantics(54)
@pytest.mark.parametrize("zone", ZONES)
def test_dates_are_those_of_spark(zone: str, seed: int, spark: Any) -> None:
    rng = Random(seed)
    seconds = pa.array([1_700_000_000.0, *(_seconds(rng) for _ in range(4000))], pa.float64())
    with (
        setting(spark, "spark.sql.session.timeZone", zone),
        view(spark, pa.table({"id": range(len(seconds)), "t": seconds})),
    ):
        theirs = from_spark(
            spark.sql(
                "SELECT to_date(timestamp_seconds(t)) AS day, unix_micros(timestamp_seconds(t))"
                " AS micros FROM records ORDER BY id"
            )
        )
    days = theirs["day"].cast(pa.int32())
    in_range = pc.and_(pc.greater_equal(days, -719_162), pc.less(days, 2_932_897))
    wanted = pc.if_else(in_range, days, pa.scalar(None, pa.int32())).cast(pa.date32())
    assert_same(
        pa.table({"t": seconds, "day": event_date(seconds, zone)}),
        pa.table({"t": seconds, "day": wanted}),
        what=f"{zone}, seed {seed}",
    )
    # an instant is the same in every zone: whole microseconds, towards zero
    known = np.asarray(theirs["micros"].combine_chunks().is_valid())
    assert known.tolist() == [t is not None and math.isfinite(t) for t in seconds.to_pylist()]
    first = {"UTC": 19675, "Asia/Tokyo": 19676, "America/Los_Angeles": 19675}
    assert days[0].as_py() == first[zone]
