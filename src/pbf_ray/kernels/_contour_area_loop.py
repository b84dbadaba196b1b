"""Compiled loop of :mod:`pbf_ray.kernels.contour_area`; imported on first use."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, bools, compiled, floats, inlined, ints

__all__ = ["contour_area"]

_MOST_BANDS = 4096
_MOST_STRIPS = 1 << 16
_WORTH_GATHERING = 8  # a search in a band costs about as much as this many edges
_SINGLE = types.float32


@inlined
def _signed_area(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    twice = 0.0
    for i in range(1, x.size - 2):
        ax, ay = np.float64(x[i]) - np.float64(x[0]), np.float64(y[i]) - np.float64(y[0])
        bx, by = np.float64(x[i + 1]) - np.float64(x[0]), np.float64(y[i + 1]) - np.float64(y[0])
        twice += ax * by - bx * ay
    return 0.5 * twice


@inlined
def _point_inside(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    # Halfway between the lowest vertices and the next, between the first two crossings there.
    low = np.float64(y[0])
    for i in range(y.size):
        low = min(low, np.float64(y[i]))
    above = np.inf
    for i in range(y.size):
        if np.float64(y[i]) > low:
            above = min(above, np.float64(y[i]))
    py = 0.5 * (low + above)
    first, second = np.inf, np.inf
    for i in range(y.size - 1):
        y0, y1 = np.float64(y[i]), np.float64(y[i + 1])
        if (y0 <= py) != (y1 <= py):
            cross = np.float64(x[i]) + (np.float64(x[i + 1]) - np.float64(x[i])) * (
                (py - y0) / (y1 - y0)
            )
            if cross < first:
                first, second = cross, first
            elif cross < second:
                second = cross
    return 0.5 * (first + second), py


@inlined
def _band(y: float, low: float, per_mm: float, bands: int) -> int:
    return min(max(int((y - low) * per_mm), 0), bands - 1)


@inlined
def _sort_into_bands(
    edge: NDArray[np.int64], y: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], float, float]:
    # Edges by bands of height, an edge in every band that it touches; at most about two each.
    low, high, climb = np.inf, -np.inf, 0.0
    for i in range(edge.size):
        y0, y1 = np.float64(y[edge[i]]), np.float64(y[edge[i] + 1])
        low = min(low, y0)
        high = max(high, y0)
        climb += abs(y1 - y0)
    bands = min(max(int((high - low) * edge.size / climb), 1), _MOST_BANDS)
    per_mm = bands / (high - low)
    start = np.zeros(bands + 1, np.int64)
    for i in range(edge.size):
        b0 = _band(np.float64(y[edge[i]]), low, per_mm, bands)
        b1 = _band(np.float64(y[edge[i] + 1]), low, per_mm, bands)
        for b in range(min(b0, b1), max(b0, b1) + 1):
            start[b + 1] += 1
    start = np.cumsum(start)
    slot = start.copy()
    entry = np.empty(start[-1], np.int64)
    for i in range(edge.size):
        b0 = _band(np.float64(y[edge[i]]), low, per_mm, bands)
        b1 = _band(np.float64(y[edge[i] + 1]), low, per_mm, bands)
        for b in range(min(b0, b1), max(b0, b1) + 1):
            entry[slot[b]] = i
            slot[b] += 1
    return start, entry, low, per_mm


@inlined
def _directions(
    first: NDArray[np.int64],
    behind: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> NDArray[np.float64]:
    # Some that are likely, and the one across the direction that edges have in the mean, by length.
    cos2, sin2 = 0.0, 0.0
    for c in range(first.size):
        for p in range(first[c], behind[c] - 1):
            dx = np.float64(x[p + 1]) - np.float64(x[p])
            dy = np.float64(y[p + 1]) - np.float64(y[p])
            cos2 += dx * dx - dy * dy
            sin2 += 2.0 * dx * dy
    angle = 0.5 * np.arctan2(sin2, cos2)
    return np.array([[1.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-np.sin(angle), np.cos(angle)]])


@inlined
def _sort_into_strips(
    first: NDArray[np.int64],
    behind: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], float, float]:
    # Contours by strips across one of some directions, a contour in every strip that it touches:
    # the direction in which they are narrowest, so that thin walls side by side are told apart.
    contours = first.size
    best, fewest, largest = 0, np.inf, 0.0
    directions = _directions(first, behind, x, y)
    low = np.empty((directions.shape[0], contours))
    high = np.empty((directions.shape[0], contours))
    for direction in range(directions.shape[0]):
        a, b = directions[direction]
        widths = 0.0
        for c in range(contours):
            low[direction, c], high[direction, c] = np.inf, -np.inf
            for p in range(first[c], behind[c]):
                u = a * np.float64(x[p]) + b * np.float64(y[p])
                largest = max(largest, abs(np.float64(x[p])) + abs(np.float64(y[p])))
                low[direction, c] = min(low[direction, c], u)
                high[direction, c] = max(high[direction, c], u)
            widths += high[direction, c] - low[direction, c]
        extent = np.max(high[direction]) - np.min(low[direction])
        if widths < fewest * extent:
            best, fewest = direction, widths / extent
    least, most = np.min(low[best]), np.max(high[best])
    margin = 1e-9 * largest  # rounding of crossings and of this is far less
    strips = min(max(int(contours / fewest), 1), _MOST_STRIPS)
    per_mm = strips / (most - least)
    start = np.zeros(strips + 1, np.int64)
    for c in range(contours):
        s0 = _band(low[best, c] - margin, least, per_mm, strips)
        for s in range(s0, _band(high[best, c] + margin, least, per_mm, strips) + 1):
            start[s + 1] += 1
    start = np.cumsum(start)
    slot = start.copy()
    entry = np.empty(start[-1], np.int64)
    for c in range(contours):
        s0 = _band(low[best, c] - margin, least, per_mm, strips)
        for s in range(s0, _band(high[best, c] + margin, least, per_mm, strips) + 1):
            entry[slot[s]] = c
            slot[s] += 1
    return directions[best], start, entry, least, per_mm


@inlined
def _first_of(c: int, owners: NDArray[np.int64]) -> int:
    # Where those of contour c begin; they rise.
    low, high = 0, owners.size
    while low < high:
        middle = (low + high) // 2
        if owners[middle] < c:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _gather(
    contours: NDArray[np.int64],
    edges: NDArray[np.int64],
    owners: NDArray[np.int64],
    found: NDArray[np.int64],
) -> tuple[int, int]:
    # Those of a band's edges that belong to the contours, and how many were looked at for that.
    n, looked_at = 0, 0
    for i in range(contours.size):
        place = _first_of(contours[i], owners)
        looked_at += 1
        while place < owners.size and owners[place] == contours[i]:
            found[n] = edges[place]
            n += 1
            place += 1
    return n, looked_at + n


@inlined
def _smallest_around(
    c: int,
    rank: NDArray[np.int64],
    edge: NDArray[np.int64],
    owner: NDArray[np.int64],
    candidates: NDArray[np.int64],
    point: tuple[float, float],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    odd: NDArray[np.bool_],
) -> int:
    # The contour of the highest rank below c's that the point lies in, -1 if in none. `odd` is
    # scratch, all False: whether a ray to the left has met a contour an odd number of times.
    px, py = point
    for i in range(candidates.size):
        p = edge[candidates[i]]
        y0, y1 = np.float64(y[p]), np.float64(y[p + 1])
        if (y0 <= py) != (y1 <= py) and rank[owner[candidates[i]]] < rank[c]:
            x0 = np.float64(x[p])
            cross = x0 + (np.float64(x[p + 1]) - x0) * ((py - y0) / (y1 - y0))
            odd[owner[candidates[i]]] ^= cross < px
    found = -1
    for i in range(candidates.size):
        other = owner[candidates[i]]
        if odd[other]:
            odd[other] = False
            if found < 0 or rank[other] > rank[found]:
                found = other
    return found


@inlined
def _enclosed(
    first: NDArray[np.int64],
    behind: NDArray[np.int64],
    area: NDArray[np.float64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> tuple[float, int]:
    contours = first.size
    # rank: the larger come first, of equal ones the earlier; only those can lie around others.
    order = np.argsort(-np.abs(area), kind="mergesort")
    rank = np.empty(contours, np.int64)
    edges = 0
    for i in range(contours):
        rank[order[i]] = i
        edges += behind[i] - first[i] - 1
    edge, owner = np.empty(edges, np.int64), np.empty(edges, np.int64)
    n = 0
    for c in range(contours):
        for p in range(first[c], behind[c] - 1):
            edge[n], owner[n] = p, c
            n += 1
    start, entry, low, per_mm = _sort_into_bands(edge, y)
    owners = owner[entry]
    direction, strip_start, strip_entry, strip_low, per_strip = _sort_into_strips(
        first, behind, x, y
    )
    found = np.empty(edges, np.int64)
    looked_at = 0
    odd = np.zeros(contours, np.bool_)
    around = np.empty(contours, np.int64)
    for c in range(contours):
        point = _point_inside(x[first[c] : behind[c]], y[first[c] : behind[c]])
        band = _band(point[1], low, per_mm, start.size - 1)
        candidates = entry[start[band] : start[band + 1]]
        across = direction[0] * point[0] + direction[1] * point[1]
        strip = _band(across, strip_low, per_strip, strip_start.size - 1)
        beside = strip_entry[strip_start[strip] : strip_start[strip + 1]]
        if _WORTH_GATHERING * beside.size < candidates.size:
            n, looked = _gather(beside, candidates, owners[start[band] : start[band + 1]], found)
            candidates = found[:n]
            looked_at += looked
        looked_at += candidates.size
        around[c] = _smallest_around(c, rank, edge, owner, candidates, point, x, y, odd)
    turns = area > 0.0
    outline_turns = np.empty(contours, np.bool_)
    hole_inside = np.zeros(contours, np.bool_)
    inner = np.zeros(contours)
    for i in range(contours):
        c = order[i]
        outline_turns[c] = turns[c] if around[c] < 0 else outline_turns[around[c]]
    for c in range(contours):
        if around[c] >= 0:
            inner[around[c]] += abs(area[c])
            hole_inside[around[c]] |= turns[c] != outline_turns[c]
    total = 0.0
    for c in range(contours):
        if turns[c] == outline_turns[c] or hole_inside[c]:
            total += abs(area[c]) - inner[c]
    return total, looked_at


@compiled(
    array_of(types.int8, 1),
    array_of(bools, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(_SINGLE, 1),
    array_of(_SINGLE, 1),
    array_of(ints, 1),
    array_of(ints, 1),
    array_of(floats, 1, written=True),
    array_of(ints, 1, written=True),
)
def contour_area(
    kind: NDArray[np.int8],
    closed: NDArray[np.bool_],
    offset: NDArray[np.int64],
    count: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    rows: NDArray[np.int64],
    start: NDArray[np.int64],
    enclosed: NDArray[np.float64],
    looked_at: NDArray[np.int64],
) -> None:
    for m in range(start.size - 1):
        most = start[m + 1] - start[m]
        first, behind = np.empty(most, np.int64), np.empty(most, np.int64)
        area = np.empty(most)
        n = 0
        for r in range(start[m], start[m + 1]):
            g = rows[r]
            if kind[g] != 1 or not closed[g]:
                continue
            begin, end = offset[g], offset[g] + count[g]
            own = _signed_area(x[begin:end], y[begin:end])
            if own != 0.0:
                first[n], behind[n], area[n] = begin, end, own
                n += 1
        if n == 1:
            enclosed[m] = abs(area[0])
        elif n > 1:
            enclosed[m], looked_at[m] = _enclosed(first[:n], behind[:n], area[:n], x, y)
