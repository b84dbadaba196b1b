"""Hatch distance, measured from the vectors.

Probe lines are laid across the hatch, at right angles to it, and the distances between successive
crossings are measured (the line intercepts of stereology: Underwood, *Quantitative Stereology*,
1970). That needs no order of the vectors and no blocks: islands, stripes, interrupted lines and
lines in skipping order are all the same to it, and a gap is one wide distance among many. The
median of the distances finds the hatch distance, and the mean of those near it makes it exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pbf_ray.kernels.vectors import VectorColumns, check_groups

__all__ = ["HatchSpacing", "hatch_spacing"]


@dataclass(frozen=True, eq=False)
class HatchSpacing:
    """Hatch distances of e exposures.

    Attributes:
        distance_mm: float64[e], NaN where no two lines lie side by side.
        share: float64[e], share of the measured distances within 25 % of their median; 0 where
            there is none. Low: the lines have no regular distance.
        vectors: int64[e], vectors that such a distance lies between.
    """

    distance_mm: NDArray[np.float64]
    share: NDArray[np.float64]
    vectors: NDArray[np.int64]


def hatch_spacing(
    vectors: VectorColumns,
    rows: NDArray[np.int64],
    exposure_start: NDArray[np.int64],
    axis: NDArray[np.float64],
) -> HatchSpacing:
    """Measure the hatch distance of exposures.

    Vectors within 2.5 degrees of the axis are looked at. Up to 32 probes are laid, each through a
    vector of another place in the file and at another part of its length. Crossings closer than
    0.002 mm lie on one line: pieces that overlap, vectors that are exposed twice.

    Args:
        vectors: The geometries; only hatches are looked at.
        rows: int64[r], rows of geometries, those of an exposure together.
        exposure_start: int64[e + 1]: rows ``[start[i], start[i + 1])`` are exposure ``i``.
        axis: float64[e, 2], unit vector along the hatch of each exposure; NaN: do not measure.

    Raises:
        ValueError: If shapes do not fit together or a row does not exist.
    """
    from pbf_ray.kernels import _hatch_spacing_loop

    rows, exposure_start = check_groups(rows, exposure_start, len(vectors))
    axis = np.ascontiguousarray(axis, dtype=np.float64)
    exposures = exposure_start.size - 1
    if axis.shape != (exposures, 2):
        raise ValueError(f"axis must be [{exposures}, 2], not {list(axis.shape)}")
    found = HatchSpacing(
        np.full(exposures, np.nan), np.zeros(exposures), np.zeros(exposures, np.int64)
    )
    _hatch_spacing_loop.hatch_spacing(
        vectors.kind,
        vectors.offset,
        vectors.count,
        vectors.x_mm,
        vectors.y_mm,
        rows,
        exposure_start,
        axis,
        found.distance_mm,
        found.share,
        found.vectors,
    )
    return found
