"""Reference of :mod:`pbf_ray.kernels.hatch_spacing`: every probe against every vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import nan
from typing import TypeAlias

__all__ = ["hatch_spacing"]

Point: TypeAlias = tuple[float, float]
Vector: TypeAlias = tuple[Point, Point]


def hatch_spacing(vectors: Sequence[Vector], axis: Point) -> tuple[float, float, int]:
    """Hatch distance in mm, share of the distances near it, and vectors that it rests on.

    For fewer vectors than make the kernel leave out probes (1024).

    Args:
        vectors: Start and end of each vector in mm.
        axis: Unit vector along the hatch.
    """
    ux, uy = axis
    sine = 0.04361938736533599
    lines = []
    for start, end in vectors:
        dx, dy = end[0] - start[0], end[1] - start[1]
        across = ux * dy - uy * dx
        square = dx * dx + dy * dy
        if square > 0.0 and across * across <= sine * sine * square:
            lines.append((start, end))
    if len(lines) < 2:
        return nan, 0.0, 0
    origin = lines[0][0]

    def turned(point: Point) -> Point:
        dx, dy = point[0] - origin[0], point[1] - origin[1]
        return ux * dx + uy * dy, ux * dy - uy * dx

    spans = [(turned(start), turned(end)) for start, end in lines]
    probes = []
    for i in range(min(32, len(spans))):
        (a, _), (b, _) = spans[((2 * i + 1) * len(spans)) // (2 * min(32, len(spans)))]
        part = 0.1 + 0.8 * ((0.5 + i * 0.6180339887498949) % 1.0)
        probes.append(a + (b - a) * part)
    gaps = []
    for probe in sorted(probes):
        crossings = []
        for number, span in enumerate(spans):
            (a0, r0), (a1, r1) = sorted(span, key=lambda end: end[0])
            if a0 <= probe < a1:
                crossings.append((r0 + (r1 - r0) * ((probe - a0) / (a1 - a0)), number))
        crossings.sort(key=lambda crossing: crossing[0])
        for (r, before), (s, behind) in pairwise(crossings):
            if s - r > 0.002:
                gaps.append((s - r, before, behind))
    if not gaps:
        return nan, 0.0, 0
    median = sorted(gap for gap, _, _ in gaps)[(len(gaps) - 1) // 2]
    near = [entry for entry in gaps if abs(entry[0] - median) <= 0.25 * median]
    total = 0.0
    for gap, _, _ in near:
        total += gap
    rests_on = {number for _, before, behind in near for number in (before, behind)}
    return total / len(near), len(near) / len(gaps), len(rests_on)
