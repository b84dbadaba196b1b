"""Reference of :mod:`pbf_ray.kernels.scan_path`: lists of points, one obvious loop at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import cos, inf, radians, sin, sqrt
from typing import NamedTuple, TypeAlias

__all__ = ["Bins", "Geometry", "Sums", "axis_of", "direction_bin", "exposure_sums", "moves_between"]

Point: TypeAlias = tuple[float, float]
Bins: TypeAlias = list[tuple[float, float, float]]
"""Per degree of direction: length, length * cos 2a, length * sin 2a of the hatch vectors."""


class Geometry(NamedTuple):
    """A geometry: kind 0 hatch, 1 contour, 2 points, 3 jump; its points in mm."""

    kind: int
    closed: bool
    points: Sequence[Point]


class Sums(NamedTuple):
    """What adds up over the geometries of an exposure; see ``scan_path.PathSums``."""

    geometries: list[int]
    vectors: list[int]
    closed: int
    length_mm: list[float]
    inner_moves: int
    inner_move_mm: float
    bounds_mm: list[float]
    bins: Bins


def direction_bin(dx: float, dy: float) -> int:
    """Whole degrees of a direction, from 0 to 359."""
    exact = {0: (1.0, 0.0), 90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}
    edges = [exact.get(b, (cos(radians(b)), sin(radians(b)))) for b in range(360)]
    left = [ex * dy - ey * dx >= 0.0 for ex, ey in edges]
    return next(b for b in range(360) if left[b] and not left[(b + 1) % 360])


def exposure_sums(geometries: Sequence[Geometry]) -> Sums:
    """Sums over geometries, in their order."""
    by_kind = [0, 0, 0, 0]
    vectors = [0, 0, 0, 0]
    length = [0.0, 0.0, 0.0, 0.0]
    closed, moves, moved = 0, 0, 0.0
    bounds = [inf, inf, -inf, -inf]
    bins = [(0.0, 0.0, 0.0)] * 360
    for kind, is_closed, points in geometries:
        by_kind[kind] += 1
        steps = list(pairwise(points))
        drawn = {0: steps[::2], 1: steps, 2: [], 3: steps}[kind]
        moved_over = {0: steps[1::2], 1: [], 2: steps, 3: []}[kind]
        vectors[kind] += len(points) if kind == 2 else len(drawn)
        drawn_mm = 0.0
        for start, end in drawn:
            mm = _distance(start, end)
            drawn_mm += mm
            if kind == 0 and mm > 0.0:
                dx, dy = end[0] - start[0], end[1] - start[1]
                b = direction_bin(dx, dy)
                was = bins[b]
                bins[b] = (
                    was[0] + mm,
                    was[1] + (dx * dx - dy * dy) / mm,
                    was[2] + 2.0 * dx * dy / mm,
                )
        length[kind] += drawn_mm
        gaps = [mm for mm in (_distance(a, b) for a, b in moved_over) if mm > 0.0]
        moves += len(gaps)
        gap_mm = 0.0
        for mm in gaps:
            gap_mm += mm
        moved += gap_mm
        closed += kind == 1 and is_closed
        if kind != 3:
            for x, y in points:
                bounds = [
                    min(bounds[0], x), min(bounds[1], y), max(bounds[2], x), max(bounds[3], y),
                ]  # fmt: skip
    return Sums(by_kind, vectors, closed, length, moves, moved, bounds, bins)


def axis_of(bins: Bins) -> list[float]:
    """Length of all; and length, sum of cosines, sum of sines of the fullest window."""
    folded = [
        tuple(one + other for one, other in zip(bins[b], bins[b + 180], strict=True))
        for b in range(180)
    ]
    total = 0.0
    for entry in folded:
        total += entry[0]
    windows = []
    for b in range(180):
        window = [0.0, 0.0, 0.0]
        for step in (-2, -1, 0, 1, 2):
            window = [
                was + more for was, more in zip(window, folded[(b + step) % 180], strict=True)
            ]
        windows.append(window)
    return [total, *max(windows, key=lambda window: window[0])]


def moves_between(
    geometries: Sequence[Geometry],
    layer: Sequence[int],
    laser: Sequence[int],
    exposure: Sequence[int],
    exposures: int,
) -> tuple[list[int], list[float]]:
    """Gaps before geometries, and their length, by exposure."""
    moves, length = [0] * exposures, [0.0] * exposures
    stands: dict[tuple[int, int], Point] = {}
    for geometry, *where, target in zip(geometries, layer, laser, exposure, strict=True):
        place = (where[0], where[1])
        if not geometry.points:
            continue
        mm = _distance(stands[place], geometry.points[0]) if place in stands else 0.0
        if mm > 0.0:
            moves[target] += 1
            length[target] += mm
        stands[place] = geometry.points[-1]
    return moves, length


def _distance(a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    return sqrt(dx * dx + dy * dy)
