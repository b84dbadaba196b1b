"""Down-sampling, written to be read; the compiled kernel gives the same rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["lowest_and_highest"]


def lowest_and_highest(
    time: NDArray[np.float64], value: NDArray[np.float64], points: int
) -> NDArray[np.int64]:
    """As :func:`pbf_ray.kernels.downsampling.lowest_and_highest`."""
    n = time.size
    if n <= points:
        return np.arange(n)
    slices = (points - 2) // 2
    inner = np.arange(1, n - 1)
    chosen = {0, n - 1}
    span = time[-1] - time[0]
    place = np.zeros(inner.size, np.int64)
    if slices and span > 0.0:
        place = np.minimum(((time[inner] - time[0]) / span * slices).astype(np.int64), slices - 1)
    for part in range(slices):
        rows = inner[place == part]
        if rows.size:
            chosen |= {int(rows[value[rows].argmin()]), int(rows[value[rows].argmax()])}
    return np.array(sorted(chosen), np.int64)
