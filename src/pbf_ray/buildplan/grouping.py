"""Sums, extremes and starts by group, over few rows: exposures, not vectors."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["add", "dense", "largest", "smallest", "starts"]

Number = TypeVar("Number", np.int64, np.float64)


def add(values: NDArray[Number], group: NDArray[np.int64], groups: int) -> NDArray[Number]:
    """Sums by group, in the order of the rows; NaN makes its group's NaN.

    Args:
        values: [n] or [n, k].
        group: int64[n].
        groups: Number of groups.
    """
    total = np.zeros((groups, *values.shape[1:]), values.dtype)
    np.add.at(total, group, values)
    return total


def largest(
    values: NDArray[np.float64], group: NDArray[np.int64], groups: int, nothing: float = -np.inf
) -> NDArray[np.float64]:
    """Maxima by group; NaN makes its group's NaN, and ``nothing`` stands for no row."""
    found = np.full((groups, *values.shape[1:]), nothing)
    with np.errstate(invalid="ignore"):  # NaN is meant
        np.maximum.at(found, group, values)
    return found


def smallest(
    values: NDArray[np.float64], group: NDArray[np.int64], groups: int
) -> NDArray[np.float64]:
    """Minima by group, +inf where there is no row."""
    return -largest(-values, group, groups)


def dense(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different codes (0 or more), ascending, and the place of each code among them."""
    if not codes.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    size = int(codes.max()) + 1
    if size > 4 * codes.size + 65_536:
        different, places = np.unique(codes, return_inverse=True)
        return different, places.astype(np.int64, copy=False)
    present = np.zeros(size, np.bool_)
    present[codes] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]


def starts(group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """int64[groups + 1]: where each group begins among rows that ascend by group."""
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(group, minlength=groups), out=start[1:])
    return start
