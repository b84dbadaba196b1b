"""Compiled loops of :mod:`pbf_ray.kernels.scan_path`; imported on first use."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, bools, compiled, floats, inlined, ints

__all__ = ["group_rows", "moves_between", "path_sums"]

_BINS = 360
_WINDOW = 2
_SINGLE = types.float32
_KIND = types.int8


@compiled(array_of(ints, 1), array_of(ints, 1), array_of(ints, 1, written=True))
def group_rows(codes: NDArray[np.int64], start: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    slot = start.copy()
    for i in range(codes.size):
        rows[slot[codes[i]]] = i
        slot[codes[i]] += 1


@inlined
def _holds(b: int, dx: float, dy: float, edges: NDArray[np.float64]) -> bool:
    # Left of the lower edge or on it, right of the upper edge. Neighbours share an edge and so a
    # product: a direction is in one bin, whatever rounding does.
    return bool(
        (edges[b, 0] * dy - edges[b, 1] * dx >= 0.0)
        & (edges[b + 1, 0] * dy - edges[b + 1, 1] * dx < 0.0)
    )


@inlined
def _bin_of(dx: float, dy: float, last: int, edges: NDArray[np.float64]) -> int:
    # Neighbouring hatch vectors are parallel or opposite; only the first of a run asks atan2.
    if _holds(last, dx, dy, edges):
        return last
    opposite = last + 180 if last < 180 else last - 180
    if _holds(opposite, dx, dy, edges):
        return opposite
    guess = math.floor(math.degrees(math.atan2(dy, dx))) % _BINS
    for step in (0, 1, _BINS - 1):
        b = (guess + step) % _BINS
        if _holds(b, dx, dy, edges):
            return b
    return guess  # of a length so small that products vanish


@inlined
def _find_axis(bins: NDArray[np.float64], axis: NDArray[np.float64]) -> None:
    # bins[b] is length, length * cos 2a, length * sin 2a of directions in bin b.
    half = _BINS // 2
    best = -1.0
    total = 0.0
    for b in range(half):
        total += bins[b, 0] + bins[b + half, 0]
        length, c, s = 0.0, 0.0, 0.0
        for step in range(-_WINDOW, _WINDOW + 1):
            k = (b + step) % half
            length += bins[k, 0] + bins[k + half, 0]
            c += bins[k, 1] + bins[k + half, 1]
            s += bins[k, 2] + bins[k + half, 2]
        if length > best:
            best = length
            axis[1], axis[2], axis[3] = length, c, s
    axis[0] = total


@inlined
def _add(bins: NDArray[np.float64], to: NDArray[np.float64]) -> None:
    for b in range(_BINS):
        for k in range(3):
            to[b, k] += bins[b, k]


@inlined
def _distance(
    x: NDArray[np.float32], y: NDArray[np.float32], a: int, b: int
) -> tuple[float, float, float]:
    dx = np.float64(x[b]) - np.float64(x[a])
    dy = np.float64(y[b]) - np.float64(y[a])
    return dx, dy, math.sqrt(dx * dx + dy * dy)


@inlined
def _add_hatch(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    begin: int,
    end: int,
    bins: NDArray[np.float64],
    last: int,
    edges: NDArray[np.float64],
) -> tuple[float, int, float, int]:
    # Length of the vectors, gaps between them, length of the gaps, bin of the last vector.
    length, gaps, gap_mm = 0.0, 0, 0.0
    for i in range(begin, end, 2):
        dx, dy, mm = _distance(x, y, i, i + 1)
        if mm > 0.0:
            length += mm
            last = _bin_of(dx, dy, last, edges)
            bins[last, 0] += mm
            bins[last, 1] += (dx * dx - dy * dy) / mm
            bins[last, 2] += 2.0 * dx * dy / mm
        if i > begin:
            _, _, gap = _distance(x, y, i - 1, i)
            if gap > 0.0:
                gaps += 1
                gap_mm += gap
    return length, gaps, gap_mm, last


@inlined
def _path_length(
    x: NDArray[np.float32], y: NDArray[np.float32], begin: int, end: int
) -> tuple[int, float]:
    # Steps of positive length of a polyline, and their length.
    steps, length = 0, 0.0
    for i in range(begin + 1, end):
        _, _, mm = _distance(x, y, i - 1, i)
        if mm > 0.0:
            steps += 1
            length += mm
    return steps, length


@inlined
def _widen(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    begin: int,
    end: int,
    e: int,
    bounds: NDArray[np.float64],
) -> None:
    if begin == end:
        return
    x_min, y_min, x_max, y_max = x[begin], y[begin], x[begin], y[begin]
    for i in range(begin + 1, end):
        x_min = min(x_min, x[i])
        y_min = min(y_min, y[i])
        x_max = max(x_max, x[i])
        y_max = max(y_max, y[i])
    bounds[e, 0] = min(bounds[e, 0], np.float64(x_min))
    bounds[e, 1] = min(bounds[e, 1], np.float64(y_min))
    bounds[e, 2] = max(bounds[e, 2], np.float64(x_max))
    bounds[e, 3] = max(bounds[e, 3], np.float64(y_max))


@compiled(
    array_of(_KIND, 1),
    array_of(bools, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(_SINGLE, 1),
    array_of(_SINGLE, 1),
    *[array_of(ints, 1)] * 4,
    array_of(floats, 2),
    array_of(ints, 2, written=True),
    array_of(ints, 2, written=True),
    array_of(ints, 1, written=True),
    array_of(floats, 2, written=True),
    array_of(ints, 1, written=True),
    array_of(floats, 1, written=True),
    *[array_of(floats, 2, written=True)] * 5,
)
def path_sums(
    kind: NDArray[np.int8],
    closed: NDArray[np.bool_],
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    rows: NDArray[np.int64],
    exposure_start: NDArray[np.int64],
    model_start: NDArray[np.int64],
    layer_start: NDArray[np.int64],
    edges: NDArray[np.float64],
    geometries: NDArray[np.int64],
    vectors: NDArray[np.int64],
    closed_count: NDArray[np.int64],
    length_mm: NDArray[np.float64],
    inner_moves: NDArray[np.int64],
    inner_move_mm: NDArray[np.float64],
    bounds: NDArray[np.float64],
    axis: NDArray[np.float64],
    model_axis: NDArray[np.float64],
    layer_axis: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> None:
    bins = np.zeros((_BINS, 3))
    model_bins = np.zeros((_BINS, 3))
    layer_bins = np.zeros((_BINS, 3))
    for layer in range(layer_start.size - 1):
        layer_bins[:] = 0.0
        for model in range(layer_start[layer], layer_start[layer + 1]):
            model_bins[:] = 0.0
            for e in range(model_start[model], model_start[model + 1]):
                bounds[e, :2] = np.inf
                bounds[e, 2:] = -np.inf
                last = 0
                hatched = False
                for r in range(exposure_start[e], exposure_start[e + 1]):
                    g = rows[r]
                    k, n = kind[g], count[g]
                    begin, end = offset[g], offset[g] + n
                    geometries[e, k] += 1
                    if k == 0:
                        if not hatched:
                            bins[:] = 0.0
                            hatched = True
                        vectors[e, 0] += n // 2
                        mm, gaps, gap_mm, last = _add_hatch(x, y, begin, end, bins, last, edges)
                        length_mm[e, 0] += mm
                        inner_moves[e] += gaps
                        inner_move_mm[e] += gap_mm
                    elif k == 2:
                        vectors[e, 2] += n
                        gaps, gap_mm = _path_length(x, y, begin, end)
                        inner_moves[e] += gaps
                        inner_move_mm[e] += gap_mm
                    else:
                        vectors[e, k] += max(n - 1, 0)
                        _, mm = _path_length(x, y, begin, end)
                        length_mm[e, k] += mm
                        if k == 1 and closed[g]:
                            closed_count[e] += 1
                    if k != 3:
                        _widen(x, y, begin, end, e, bounds)
                if hatched:
                    _find_axis(bins, axis[e])
                    _add(bins, model_bins)
            _find_axis(model_bins, model_axis[model])
            _add(model_bins, layer_bins)
        _find_axis(layer_bins, layer_axis[layer])
        directions[layer] = layer_bins[:, 0]


@compiled(
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(_SINGLE, 1),
    array_of(_SINGLE, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(ints, 1, written=True),
    array_of(ints, 1, written=True),
    array_of(floats, 1, written=True),
)
def moves_between(
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    layer: NDArray[np.int64],
    laser: NDArray[np.int64],
    exposure: NDArray[np.int64],
    end: NDArray[np.int64],
    moves: NDArray[np.int64],
    length_mm: NDArray[np.float64],
) -> None:
    # end[l]: the point at which laser l stands, -1 at the start of a layer.
    for g in range(count.size):
        if g > 0 and layer[g] != layer[g - 1]:
            end[:] = -1
        if count[g] == 0:
            continue
        at = end[laser[g]]
        if at >= 0:
            _, _, mm = _distance(x, y, at, offset[g])
            if mm > 0.0:
                moves[exposure[g]] += 1
                length_mm[exposure[g]] += mm
        end[laser[g]] = offset[g] + count[g] - 1
