"""Compiled loop of :mod:`pbf_ray.kernels.hatch_spacing`; imported on first use."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, compiled, floats, inlined, ints

__all__ = ["hatch_spacing"]

_PROBES = 32
_CROSSINGS = 1 << 15  # of all probes of an exposure, unless a single probe has more
_GOLDEN = 0.6180339887498949
_SINE = 0.04361938736533599
_COLLINEAR_MM = 0.002
_NEAR = 0.25
_SINGLE = types.float32


@inlined
def _parallel(
    kind: NDArray[np.int8],
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    rows: NDArray[np.int64],
    ux: float,
    uy: float,
) -> NDArray[np.int64]:
    # First points of the hatch vectors that lie along the axis.
    most = 0
    for r in range(rows.size):
        if kind[rows[r]] == 0:
            most += count[rows[r]] // 2
    found = np.empty(most, np.int64)
    n = 0
    for r in range(rows.size):
        g = rows[r]
        if kind[g] != 0:
            continue
        for p in range(offset[g], offset[g] + count[g], 2):
            dx = np.float64(x[p + 1]) - np.float64(x[p])
            dy = np.float64(y[p + 1]) - np.float64(y[p])
            across = ux * dy - uy * dx
            square = dx * dx + dy * dy
            if square > 0.0 and across * across <= _SINE * _SINE * square:
                found[n] = p
                n += 1
    return found[:n]


@inlined
def _along(
    x: NDArray[np.float32], y: NDArray[np.float32], p: int, o: int, ux: float, uy: float
) -> tuple[float, float]:
    # A point in coordinates along and across the axis, from the point o.
    dx = np.float64(x[p]) - np.float64(x[o])
    dy = np.float64(y[p]) - np.float64(y[o])
    return ux * dx + uy * dy, ux * dy - uy * dx


@inlined
def _lay_probes(
    first: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    ux: float,
    uy: float,
) -> NDArray[np.float64]:
    # Through vectors spread evenly over the file, each at another part of its length.
    n = first.size
    k = min(_PROBES, n)
    probes = np.empty(k)
    for i in range(k):
        p = first[((2 * i + 1) * n) // (2 * k)]
        a, _ = _along(x, y, p, first[0], ux, uy)
        b, _ = _along(x, y, p + 1, first[0], ux, uy)
        part = 0.5 + i * _GOLDEN
        part = 0.1 + 0.8 * (part - int(part))
        probes[i] = a + (b - a) * part
    return np.sort(probes)


@inlined
def _first_at_or_after(probes: NDArray[np.float64], a: float) -> int:
    low, high = 0, probes.size
    while low < high:
        middle = (low + high) // 2
        if probes[middle] < a:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _span(
    x: NDArray[np.float32], y: NDArray[np.float32], p: int, o: int, ux: float, uy: float
) -> tuple[float, float, float, float]:
    # A vector from its lower to its upper end along the axis: a0, r0, a1, r1.
    a0, r0 = _along(x, y, p, o, ux, uy)
    a1, r1 = _along(x, y, p + 1, o, ux, uy)
    if a0 > a1:
        return a1, r1, a0, r0
    return a0, r0, a1, r1


@inlined
def _thinned(
    probes: NDArray[np.float64],
    first: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    ux: float,
    uy: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    # As many of the probes as keep the crossings within bounds, and where those of each begin.
    crossings = np.zeros(probes.size, np.int64)
    for i in range(first.size):
        a0, _, a1, _ = _span(x, y, first[i], first[0], ux, uy)
        k = _first_at_or_after(probes, a0)
        while k < probes.size and probes[k] < a1:
            crossings[k] += 1
            k += 1
    step = (crossings.sum() + _CROSSINGS - 1) // _CROSSINGS
    step = min(max(step, 1), probes.size)
    kept = probes[step // 2 :: step].copy()
    start = np.zeros(kept.size + 1, np.int64)
    start[1:] = np.cumsum(crossings[step // 2 :: step])
    return kept, start


@inlined
def _measure(
    first: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    ux: float,
    uy: float,
) -> tuple[float, float, int]:
    probes = _lay_probes(first, x, y, ux, uy)
    probes, start = _thinned(probes, first, x, y, ux, uy)
    across = np.empty(start[-1])
    vector = np.empty(start[-1], np.int64)
    slot = start.copy()
    for i in range(first.size):
        a0, r0, a1, r1 = _span(x, y, first[i], first[0], ux, uy)
        k = _first_at_or_after(probes, a0)
        while k < probes.size and probes[k] < a1:
            across[slot[k]] = r0 + (r1 - r0) * ((probes[k] - a0) / (a1 - a0))
            vector[slot[k]] = i
            slot[k] += 1
            k += 1
    gaps = np.empty(across.size)
    before = np.empty(across.size, np.int64)
    behind = np.empty(across.size, np.int64)
    n = 0
    for k in range(probes.size):
        begin = start[k]
        order = np.argsort(across[begin : start[k + 1]], kind="mergesort")
        for j in range(1, order.size):
            gap = across[begin + order[j]] - across[begin + order[j - 1]]
            if gap > _COLLINEAR_MM:
                gaps[n] = gap
                before[n], behind[n] = vector[begin + order[j - 1]], vector[begin + order[j]]
                n += 1
    if n == 0:
        return np.nan, 0.0, 0
    median = np.sort(gaps[:n])[(n - 1) // 2]
    total, near, vectors = 0.0, 0, 0
    counted = np.zeros(first.size, np.bool_)
    for i in range(n):
        if abs(gaps[i] - median) <= _NEAR * median:
            total += gaps[i]
            near += 1
            counted[before[i]] = True
            counted[behind[i]] = True
    for i in range(first.size):
        vectors += counted[i]
    return total / near, near / n, vectors


@compiled(
    array_of(types.int8, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(_SINGLE, 1),
    array_of(_SINGLE, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(floats, 2),
    array_of(floats, 1, written=True),
    array_of(floats, 1, written=True),
    array_of(ints, 1, written=True),
)
def hatch_spacing(
    kind: NDArray[np.int8],
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    rows: NDArray[np.int64],
    exposure_start: NDArray[np.int64],
    axis: NDArray[np.float64],
    distance: NDArray[np.float64],
    share: NDArray[np.float64],
    vectors: NDArray[np.int64],
) -> None:
    for e in range(exposure_start.size - 1):
        ux, uy = axis[e, 0], axis[e, 1]
        if not (ux == ux and uy == uy):
            continue
        mine = rows[exposure_start[e] : exposure_start[e + 1]]
        first = _parallel(kind, offset, count, x, y, mine, ux, uy)
        if first.size > 1:
            distance[e], share[e], vectors[e] = _measure(first, x, y, ux, uy)
