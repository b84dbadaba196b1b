"""Area that closed contours enclose, with holes by their turn.

Contours nest and do not cross. An outermost contour is an outline; what turns as it does, inside
it, is an outline too (an offset contour, an island), and what turns against it is a hole. Material
is inside outlines and outside holes; of holes that lie directly in each other, offset contours
around a void, the innermost bounds it. So repeated and offset contours add and take nothing, in
whatever number, which neither the sum of signed areas nor a winding rule can say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pbf_ray.kernels.vectors import VectorColumns, check_groups

__all__ = ["contour_area"]


def contour_area(
    vectors: VectorColumns, rows: NDArray[np.int64], start: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Enclosed area of groups of contours.

    A contour's own area is Gauss's (shoelace) formula, from its first point, in float64. What it
    lies in is asked of a point just inside it, by the crossings of a ray (even-odd: Shimrat,
    Algorithm 112, CACM 5, 1962) with the edges at that height only; of many, with those of contours
    that also reach it in the direction in which they are narrowest.

    Args:
        vectors: The geometries; closed contours are looked at, others left alone.
        rows: int64[r], rows of geometries, those of a group together.
        start: int64[m + 1]: rows ``[start[i], start[i + 1])`` are group ``i``.

    Returns:
        float64[m], mm2; 0.0 where nothing is closed.

    Raises:
        ValueError: If ``start`` does not rise from 0 to r, or a row does not exist.
    """
    from pbf_ray.kernels import _contour_area_loop

    rows, start = check_groups(rows, start, len(vectors))
    area = np.zeros(start.size - 1)
    _contour_area_loop.contour_area(
        vectors.kind,
        vectors.closed,
        vectors.offset,
        vectors.count,
        vectors.x_mm,
        vectors.y_mm,
        rows,
        start,
        area,
        np.zeros(area.size, np.int64),  # edges that were looked at, for those who count
    )
    return area
