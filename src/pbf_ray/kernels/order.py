"""The order of events: Spark's ascending order of a nullable double, and rows sorted by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["canonical_order", "event_order_key"]


def event_order_key(timestamp: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Map timestamps to integers that order as Spark orders the timestamps, ascending.

    Null comes first, then -Infinity up to +Infinity with -0.0 equal to 0.0, then NaN. Equal keys
    are peers (semantics.md, items 42, 43, 56).

    Args:
        timestamp: float64[n], any values, also where null.
        valid: bool[n], False where null.

    Returns:
        uint64[n]; null is 0 and NaN is the largest uint64.

    Raises:
        ValueError: If the shapes differ.
    """
    from pbf_ray.kernels import _order_loop

    timestamp = np.ascontiguousarray(timestamp, dtype=np.float64)
    valid = np.ascontiguousarray(valid, dtype=np.bool_)
    if timestamp.ndim != 1 or timestamp.shape != valid.shape:
        raise ValueError(
            f"timestamp and valid must have one shape [n], not {timestamp.shape} and {valid.shape}"
        )
    key = np.empty(timestamp.size, np.uint64)
    _order_loop.event_order_key(timestamp.view(np.uint64), valid, key)
    return key


def canonical_order(
    codes: NDArray[np.int64],
    groups: int,
    order_key: NDArray[np.uint64],
    position: Sequence[NDArray[np.int64]] = (),
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort rows by (group, order key, position), ties in input order.

    Groups whose rows already stand in order, the common case of a stream, cost one counting pass.

    Args:
        codes: int64[n], the group of each row, 0 <= code < groups.
        groups: Number of groups; groups without rows are allowed.
        order_key: uint64[n], from :func:`event_order_key`.
        position: int64[n] arrays that order peers, the most significant first: topic rank,
            partition, offset. Empty: the input order is the order of peers.

    Returns:
        ``rows`` int64[n], the permutation; ``group_start`` int64[groups + 1]: the rows of group
        ``i`` are ``rows[group_start[i]:group_start[i + 1]]``.

    Raises:
        ValueError: If lengths differ or a code is out of range.
    """
    from pbf_ray.kernels import _order_loop

    codes = np.ascontiguousarray(codes, dtype=np.int64)
    order_key = np.ascontiguousarray(order_key, dtype=np.uint64)
    n = codes.size
    if any(column.shape != (n,) for column in (codes, order_key, *position)):
        raise ValueError("codes, order_key and position must be of one length [n]")
    if n and (codes.min() < 0 or codes.max() >= groups):
        raise ValueError(f"codes must be from 0 to {groups - 1}, they reach {codes.max()}")
    columns = np.empty((len(position), n), np.int64)
    for row, column in zip(columns, position, strict=True):
        row[:] = column
    group_start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=groups), out=group_start[1:])
    rows = np.empty(n, np.int64)
    unordered = np.zeros(groups, np.bool_)
    _order_loop.group_rows(codes, order_key, columns, group_start, rows, unordered)
    _order_loop.sort_groups(order_key, columns, group_start, unordered, rows)
    return rows, group_start
