"""Compiled loops of :mod:`pbf_ray.kernels.order`; imported on first use."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, bools, compiled, inlined, ints

__all__ = ["event_order_key", "group_rows", "sort_groups"]

_BITS = types.uint64
_RUN = 16  # rows up to which an insertion sort beats merging

_SIGN = np.uint64(0x8000_0000_0000_0000)
_INFINITY = np.uint64(0x7FF0_0000_0000_0000)
_MAGNITUDE = np.uint64(0x7FFF_FFFF_FFFF_FFFF)
_NAN_KEY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_NULL_KEY = np.uint64(0)
_ZERO = np.uint64(0)


@compiled(array_of(_BITS, 1), array_of(bools, 1), array_of(_BITS, 1, written=True))
def event_order_key(
    bits: NDArray[np.uint64], valid: NDArray[np.bool_], key: NDArray[np.uint64]
) -> None:
    # IEEE doubles order like their bits once negative numbers are flipped; integers only, so no
    # float rule can be optimised into something else.
    for i in range(bits.size):
        b = bits[i]
        magnitude = b & _MAGNITUDE
        if magnitude == _ZERO:
            b = _ZERO
        k = ~b if b & _SIGN else b | _SIGN
        if magnitude > _INFINITY:
            k = _NAN_KEY
        key[i] = k if valid[i] else _NULL_KEY


@inlined
def _precedes(
    key_a: np.uint64, row_a: int, key_b: np.uint64, row_b: int, position: NDArray[np.int64]
) -> bool:
    if key_a != key_b:
        return bool(key_a < key_b)
    for p in range(position.shape[0]):
        if position[p, row_a] != position[p, row_b]:
            return bool(position[p, row_a] < position[p, row_b])
    return False


@compiled(
    array_of(ints, 1),
    array_of(_BITS, 1),
    array_of(ints, 2),
    array_of(ints, 1),
    array_of(ints, 1, written=True),
    array_of(bools, 1, written=True),
)
def group_rows(
    codes: NDArray[np.int64],
    order_key: NDArray[np.uint64],
    position: NDArray[np.int64],
    group_start: NDArray[np.int64],
    rows: NDArray[np.int64],
    unordered: NDArray[np.bool_],
) -> None:
    groups = group_start.size - 1
    slot = np.empty(groups, np.int64)
    for g in range(groups):
        slot[g] = group_start[g]
    for i in range(codes.size):
        g = codes[i]
        s = slot[g]
        rows[s] = i
        slot[g] = s + 1
        if s > group_start[g] and not unordered[g]:
            before = rows[s - 1]
            unordered[g] = _precedes(order_key[i], i, order_key[before], before, position)


@inlined
def _sort_runs(
    key: NDArray[np.uint64], row: NDArray[np.int64], position: NDArray[np.int64]
) -> None:
    for start in range(0, key.size, _RUN):
        for i in range(start + 1, min(start + _RUN, key.size)):
            k, r = key[i], row[i]
            j = i
            while j > start and _precedes(k, r, key[j - 1], row[j - 1], position):
                key[j], row[j] = key[j - 1], row[j - 1]
                j -= 1
            key[j], row[j] = k, r


@inlined
def _merge_runs(
    width: int,
    key: NDArray[np.uint64],
    row: NDArray[np.int64],
    merged_key: NDArray[np.uint64],
    merged_row: NDArray[np.int64],
    position: NDArray[np.int64],
) -> None:
    n = key.size
    for start in range(0, n, 2 * width):
        middle = min(start + width, n)
        end = min(start + 2 * width, n)
        left, right = start, middle
        for out in range(start, end):
            # An equal row of the left run comes first: the sort is stable.
            if left < middle and (
                right == end
                or not _precedes(key[right], row[right], key[left], row[left], position)
            ):
                merged_key[out], merged_row[out] = key[left], row[left]
                left += 1
            else:
                merged_key[out], merged_row[out] = key[right], row[right]
                right += 1


@compiled(
    array_of(_BITS, 1),
    array_of(ints, 2),
    array_of(ints, 1),
    array_of(bools, 1),
    array_of(ints, 1, written=True),
)
def sort_groups(
    order_key: NDArray[np.uint64],
    position: NDArray[np.int64],
    group_start: NDArray[np.int64],
    unordered: NDArray[np.bool_],
    rows: NDArray[np.int64],
) -> None:
    # A merge sort of each unordered group; keys travel with their rows, so that comparing reads
    # memory in sequence.
    for g in range(unordered.size):
        if not unordered[g]:
            continue
        row = rows[group_start[g] : group_start[g + 1]]
        key = np.empty(row.size, np.uint64)
        for i in range(row.size):
            key[i] = order_key[row[i]]
        _sort_runs(key, row, position)
        merged_key = np.empty_like(key)
        merged_row = np.empty_like(row)
        width = _RUN
        while width < row.size:
            _merge_runs(width, key, row, merged_key, merged_row, position)
            key, merged_key = merged_key, key
            row, merged_row = merged_row, row
            width *= 2
        rows[group_start[g] : group_start[g + 1]] = row
