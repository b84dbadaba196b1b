"""Reference of :mod:`pbf_ray.kernels.contour_area`: every contour against every other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

__all__ = ["contour_area", "signed_area"]

Point: TypeAlias = tuple[float, float]
Contour: TypeAlias = Sequence[Point]


def signed_area(contour: Contour) -> float:
    """Gauss's formula from the first point; positive anticlockwise. The last point is the first."""
    (ox, oy), twice = contour[0], 0.0
    for (ax, ay), (bx, by) in pairwise(contour[1:-1]):
        twice += (ax - ox) * (by - oy) - (bx - ox) * (ay - oy)
    return 0.5 * twice


def contour_area(contours: Sequence[Contour]) -> float:
    """Area of what is solid, of contours that nest and do not cross."""
    known = [(contour, area) for contour in contours if (area := signed_area(contour))]
    areas = [area for _, area in known]

    def size(i: int) -> tuple[float, int]:
        return (-abs(areas[i]), i)

    around: list[list[int]] = []  # of each contour those that it lies in, the largest first
    for i, (contour, _) in enumerate(known):
        point = _point_inside(contour)
        around.append(
            sorted(
                (j for j in range(len(known)) if size(j) < size(i) and _is_inside(point, j, known)),
                key=size,
            )
        )
    # The smallest is what it lies in, and from that it has its outermost.
    outermost: dict[int, int] = {}
    for i in sorted(range(len(known)), key=size):
        outermost[i] = outermost[around[i][-1]] if around[i] else i
    is_hole = [(areas[i] > 0) != (areas[outermost[i]] > 0) for i in range(len(known))]
    total = 0.0
    for i, area in enumerate(areas):
        within = [j for j in range(len(known)) if around[j][-1:] == [i]]
        if not is_hole[i] or any(is_hole[j] for j in within):
            inner = 0.0
            for j in within:
                inner += abs(areas[j])
            total += abs(area) - inner
    return total


def _crossings(contour: Contour, height: float) -> list[float]:
    return sorted(
        x0 + (x1 - x0) * ((height - y0) / (y1 - y0))
        for (x0, y0), (x1, y1) in pairwise(contour)
        if (y0 <= height) != (y1 <= height)
    )


def _point_inside(contour: Contour) -> Point:
    low, above = sorted({y for _, y in contour})[:2]
    height = 0.5 * (low + above)
    first, second = _crossings(contour, height)[:2]
    return 0.5 * (first + second), height


def _is_inside(point: Point, j: int, known: Sequence[tuple[Contour, float]]) -> bool:
    # Even-odd: a ray to the left meets the contour an odd number of times.
    return sum(x < point[0] for x in _crossings(known[j][0], point[1])) % 2 == 1
