"""Down-sampling never gives more points than asked for, and never loses an extreme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.kernels import downsampling_reference
from pbf_ray.kernels.downsampling import lowest_and_highest

_VALUES = st.floats(-1e300, 1e300) | st.integers(-3, 3).map(float)


@given(
    rows=st.lists(st.tuples(st.floats(0, 2e9) | st.sampled_from([0.0, 1.0, 2.0]), _VALUES)),
    points=st.integers(2, 40),
)
def test_few_rows_that_show_all_extremes(rows: list[tuple[float, float]], points: int) -> None:
    rows.sort(key=lambda row: row[0])
    time = np.array([row[0] for row in rows], np.float64)
    value = np.array([row[1] for row in rows], np.float64)
    chosen = lowest_and_highest(time, value, points)
    assert chosen.dtype == np.int64
    assert chosen.size <= max(points, 0)
    assert np.all(np.diff(chosen) > 0)
    if rows:
        assert chosen[0] == 0
        assert chosen[-1] == len(rows) - 1
        if points >= 4:
            assert value[chosen].min() == value.min()
            assert value[chosen].max() == value.max()
    expected = downsampling_reference.lowest_and_highest(time, value, points)
    assert chosen.tolist() == expected.tolist()


def test_one_spike_among_a_million_survives() -> None:
    time = np.arange(1_000_000) * 1e-3 + 1.7e9
    value = np.sin(time)
    value[123_456] = 50.0
    chosen = lowest_and_highest(time, value, 1000)
    assert chosen.size <= 1000
    assert 123_456 in chosen


def test_gaps_stay_gaps() -> None:
    time = np.concatenate([np.linspace(0, 1, 500), np.linspace(99, 100, 500)])
    chosen = lowest_and_highest(time, np.arange(1000.0), 100)
    assert 2 <= chosen.size <= 6


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        lowest_and_highest(np.zeros(3), np.zeros(2), 5)
    with pytest.raises(ValueError, match="2 or more"):
        lowest_and_highest(np.zeros(3), np.zeros(3), 1)
