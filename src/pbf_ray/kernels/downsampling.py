"""A long series as few points that show the same picture: the lowest and highest of each slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["lowest_and_highest"]


def lowest_and_highest(
    time: NDArray[np.float64], value: NDArray[np.float64], points: int
) -> NDArray[np.int64]:
    """Rows to draw of a series: the first, the last, and of equal slices of time the extremes.

    An excursion of a single record survives, which averages and every n-th point lose. Slices
    without rows give none, so that gaps stay gaps.

    Source: the min-max aggregation of M4, Jugel et al., VLDB 2014.

    Args:
        time: float64[n], rising, finite.
        value: float64[n], finite.
        points: The most rows to choose, at least 2.

    Returns:
        int64[m], rising row numbers, ``m <= points``; all rows where ``n <= points``.

    Raises:
        ValueError: Shapes differ, or ``points`` is less than 2.
    """
    from pbf_ray.kernels import _downsampling_loop

    time = np.ascontiguousarray(time, np.float64)
    value = np.ascontiguousarray(value, np.float64)
    if time.ndim != 1 or time.shape != value.shape:
        raise ValueError(f"time and value must have one shape [n], not {time.shape}, {value.shape}")
    if points < 2:
        raise ValueError(f"points is {points}, and must be 2 or more")
    if time.size <= points:
        return np.arange(time.size, dtype=np.int64)
    slices = (points - 2) // 2
    chosen = np.empty(2 * slices + 2, np.int64)
    count = np.zeros(1, np.int64)
    _downsampling_loop.lowest_and_highest(time, value, slices, chosen, count)
    return chosen[: count[0]]
