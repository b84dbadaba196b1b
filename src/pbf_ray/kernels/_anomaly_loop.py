"""Compiled loops of :mod:`pbf_ray.kernels.anomaly`; imported on first use."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, bools, compiled, floats, inlined, ints

__all__ = ["first_match"]

_BLOCK = 2048  # rows of which result, values and validity stay in the first-level cache


@inlined
def _mark_greater(
    x: NDArray[np.float64], ok: NDArray[np.bool_], t: float, r: int, out: NDArray[np.int16]
) -> None:
    for i in range(out.size):
        # "not <=" is Spark's ">" for a threshold that is a number: true for NaN.
        out[i] = np.int16(r) if ok[i] & (not (x[i] <= t)) else out[i]


@inlined
def _mark_greater_equal(
    x: NDArray[np.float64], ok: NDArray[np.bool_], t: float, r: int, out: NDArray[np.int16]
) -> None:
    for i in range(out.size):
        out[i] = np.int16(r) if ok[i] & (not (x[i] < t)) else out[i]


@inlined
def _mark_less(
    x: NDArray[np.float64], ok: NDArray[np.bool_], t: float, r: int, out: NDArray[np.int16]
) -> None:
    for i in range(out.size):
        out[i] = np.int16(r) if ok[i] & (x[i] < t) else out[i]


@inlined
def _mark_less_equal(
    x: NDArray[np.float64], ok: NDArray[np.bool_], t: float, r: int, out: NDArray[np.int16]
) -> None:
    for i in range(out.size):
        out[i] = np.int16(r) if ok[i] & (x[i] <= t) else out[i]


@inlined
def _mark_against_nan(
    x: NDArray[np.float64], ok: NDArray[np.bool_], op: int, r: int, out: NDArray[np.int16]
) -> None:
    # Nothing is greater than NaN, and NaN equals NaN.
    for i in range(out.size):
        is_nan = x[i] != x[i]
        true = (op == 3) | ((op == 1) & is_nan) | ((op == 2) & (not is_nan))
        out[i] = np.int16(r) if ok[i] & true else out[i]


@compiled(
    array_of(floats, 2),
    array_of(bools, 2),
    array_of(ints, 1),
    array_of(types.int8, 1),
    array_of(floats, 1),
    array_of(types.int16, 1, written=True),
)
def first_match(
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
    channel: NDArray[np.int64],
    op: NDArray[np.int8],
    threshold: NDArray[np.float64],
    code: NDArray[np.int16],
) -> None:
    n = code.size
    for start in range(0, n, _BLOCK):
        end = min(start + _BLOCK, n)
        out = code[start:end]
        out[:] = -1
        # From the last rule to the first, each overwriting: the first true one remains, and the
        # loops over rows have no branch.
        for r in range(channel.size - 1, -1, -1):
            x = values[channel[r], start:end]
            ok = valid[channel[r], start:end]
            t = threshold[r]
            if t != t:
                _mark_against_nan(x, ok, op[r], r, out)
            elif op[r] == 0:
                _mark_greater(x, ok, t, r, out)
            elif op[r] == 1:
                _mark_greater_equal(x, ok, t, r, out)
            elif op[r] == 2:
                _mark_less(x, ok, t, r, out)
            else:
                _mark_less_equal(x, ok, t, r, out)
