"""Compiled loop of :mod:`pbf_ray.kernels.downsampling`; imported on first use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, compiled, floats, ints

__all__ = ["lowest_and_highest"]


@compiled(
    array_of(floats, 1),
    array_of(floats, 1),
    ints,
    array_of(ints, 1, written=True),
    array_of(ints, 1, written=True),
)
def lowest_and_highest(
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    slices: int,
    chosen: NDArray[np.int64],
    count: NDArray[np.int64],
) -> None:
    last = time.size - 1
    chosen[0] = 0
    n = 1
    span = time[last] - time[0]
    row = 1
    while row < last and slices > 0:
        part = int((time[row] - time[0]) / span * slices) if span > 0.0 else 0
        part = min(part, slices - 1)
        low = high = row
        row += 1
        while row < last:
            here = int((time[row] - time[0]) / span * slices) if span > 0.0 else 0
            if min(here, slices - 1) != part:
                break
            if value[row] < value[low]:
                low = row
            if value[row] > value[high]:
                high = row
            row += 1
        chosen[n] = min(low, high)
        n += 1
        if low != high:
            chosen[n] = max(low, high)
            n += 1
    chosen[n] = last
    count[0] = n + 1
