"""Compiled loops of :mod:`pbf_ray.kernels.rolling`; imported on first use.

The running update of one channel is a chain of dependent operations (subtract, divide, add: some
twenty cycles a row), so four channels advance together and hide each other's latency. What follows
from the running sums without a chain (avg and std) is a second, vectorised pass over a block that
is still in the cache. Neither changes a single operation or its order within a channel.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from pbf_ray.kernels._compile import array_of, bools, compiled, floats, inlined, ints

__all__ = ["quality_score", "rolling_update"]

_BLOCK = 1024  # rows of which running sums stay in the first- and second-level cache

Running: TypeAlias = tuple[float, float, float, float, float, float]
"""(count, total, mean, m2, minimum, maximum) of one group and channel, in registers."""


@inlined
def _step(running: Running, x: float, ok: bool) -> Running:
    count, total, mean, m2, minimum, maximum = running
    if ok:
        count = count + 1.0
        total = total + x
        delta = x - mean
        delta_n = delta / count
        mean = mean + delta_n
        m2 = m2 + delta * (delta - delta_n)
        # Spark's order: NaN is the greatest. Written so that the usual row fails one comparison.
        if not (x >= minimum) and x == x:
            minimum = x
        if not (x <= maximum) and maximum == maximum:
            maximum = x
    return count, total, mean, m2, minimum, maximum


@inlined
def _load(
    g: int,
    ch: int,
    count: NDArray[np.int64],
    total: NDArray[np.float64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
    minimum: NDArray[np.float64],
    maximum: NDArray[np.float64],
) -> Running:
    return (
        float(count[g, ch]),
        total[g, ch],
        mean[g, ch],
        m2[g, ch],
        minimum[g, ch],
        maximum[g, ch],
    )


@inlined
def _save(
    running: Running,
    g: int,
    ch: int,
    count: NDArray[np.int64],
    total: NDArray[np.float64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
    minimum: NDArray[np.float64],
    maximum: NDArray[np.float64],
) -> None:
    count[g, ch] = int(running[0])
    total[g, ch] = running[1]
    mean[g, ch] = running[2]
    m2[g, ch] = running[3]
    minimum[g, ch] = running[4]
    maximum[g, ch] = running[5]


@inlined
def _finish(
    count: NDArray[np.float64],
    avg: NDArray[np.float64],
    avg_valid: NDArray[np.bool_],
    std: NDArray[np.float64],
    std_valid: NDArray[np.bool_],
) -> None:
    # avg holds the running total and std the running m2. Divided first and chosen afterwards: a
    # branch around the division would keep it from being vectorised.
    for i in range(avg.size):
        quotient = avg[i] / count[i]
        avg[i] = quotient if count[i] > 0.0 else 0.0
        root = math.sqrt(std[i] / (count[i] - 1.0))
        std[i] = root if count[i] > 1.0 else 0.0
    for i in range(avg.size):
        avg_valid[i] = count[i] > 0.0
    for i in range(avg.size):
        std_valid[i] = count[i] > 1.0


@inlined
def _share_among_peers(
    order_key: NDArray[np.uint64],
    avg: NDArray[np.float64],
    avg_valid: NDArray[np.bool_],
    std: NDArray[np.float64],
    std_valid: NDArray[np.bool_],
) -> None:
    # RANGE frame: a row's frame ends after its last peer (items 40, 41).
    peers = 0  # counted in a vectorised loop, because mostly there are none
    for i in range(order_key.size - 1):
        peers += order_key[i] == order_key[i + 1]
    if peers == 0:
        return
    for i in range(order_key.size - 2, -1, -1):
        if order_key[i] == order_key[i + 1]:
            for ch in range(avg.shape[0]):
                avg[ch, i] = avg[ch, i + 1]
                avg_valid[ch, i] = avg_valid[ch, i + 1]
                std[ch, i] = std[ch, i + 1]
                std_valid[ch, i] = std_valid[ch, i + 1]


@compiled(
    array_of(types.uint64, 1),
    array_of(ints, 1),
    array_of(floats, 2),
    array_of(bools, 2),
    array_of(ints, 2, written=True),
    *[array_of(floats, 2, written=True)] * 5,
    array_of(floats, 2, written=True),
    array_of(bools, 2, written=True),
    array_of(floats, 2, written=True),
    array_of(bools, 2, written=True),
)
def rolling_update(
    order_key: NDArray[np.uint64],
    group_start: NDArray[np.int64],
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
    count: NDArray[np.int64],
    total: NDArray[np.float64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
    minimum: NDArray[np.float64],
    maximum: NDArray[np.float64],
    avg: NDArray[np.float64],
    avg_valid: NDArray[np.bool_],
    std: NDArray[np.float64],
    std_valid: NDArray[np.bool_],
) -> None:
    channels = values.shape[0]
    counts = np.empty((4, _BLOCK))
    for g in range(group_start.size - 1):
        start, end = group_start[g], group_start[g + 1]
        for b in range(start, end, _BLOCK):
            e = min(b + _BLOCK, end)
            ch = 0
            while ch + 4 <= channels:
                x, ok = values[ch : ch + 4, b:e], valid[ch : ch + 4, b:e]
                totals, m2s = avg[ch : ch + 4, b:e], std[ch : ch + 4, b:e]
                r0 = _load(g, ch, count, total, mean, m2, minimum, maximum)
                r1 = _load(g, ch + 1, count, total, mean, m2, minimum, maximum)
                r2 = _load(g, ch + 2, count, total, mean, m2, minimum, maximum)
                r3 = _load(g, ch + 3, count, total, mean, m2, minimum, maximum)
                for i in range(e - b):
                    r0 = _step(r0, x[0, i], ok[0, i])
                    r1 = _step(r1, x[1, i], ok[1, i])
                    r2 = _step(r2, x[2, i], ok[2, i])
                    r3 = _step(r3, x[3, i], ok[3, i])
                    counts[0, i], totals[0, i], m2s[0, i] = r0[0], r0[1], r0[3]
                    counts[1, i], totals[1, i], m2s[1, i] = r1[0], r1[1], r1[3]
                    counts[2, i], totals[2, i], m2s[2, i] = r2[0], r2[1], r2[3]
                    counts[3, i], totals[3, i], m2s[3, i] = r3[0], r3[1], r3[3]
                _save(r0, g, ch, count, total, mean, m2, minimum, maximum)
                _save(r1, g, ch + 1, count, total, mean, m2, minimum, maximum)
                _save(r2, g, ch + 2, count, total, mean, m2, minimum, maximum)
                _save(r3, g, ch + 3, count, total, mean, m2, minimum, maximum)
                for k in range(4):
                    _finish(
                        counts[k, : e - b],
                        avg[ch + k, b:e],
                        avg_valid[ch + k, b:e],
                        std[ch + k, b:e],
                        std_valid[ch + k, b:e],
                    )
                ch += 4
            while ch < channels:
                r0 = _load(g, ch, count, total, mean, m2, minimum, maximum)
                for i in range(b, e):
                    r0 = _step(r0, values[ch, i], valid[ch, i])
                    counts[0, i - b], avg[ch, i], std[ch, i] = r0[0], r0[1], r0[3]
                _save(r0, g, ch, count, total, mean, m2, minimum, maximum)
                _finish(
                    counts[0, : e - b],
                    avg[ch, b:e],
                    avg_valid[ch, b:e],
                    std[ch, b:e],
                    std_valid[ch, b:e],
                )
                ch += 1
        _share_among_peers(
            order_key[start:end],
            avg[:, start:end],
            avg_valid[:, start:end],
            std[:, start:end],
            std_valid[:, start:end],
        )


@compiled(array_of(floats, 1), array_of(bools, 1), array_of(floats, 1, written=True))
def quality_score(
    std: NDArray[np.float64], valid: NDArray[np.bool_], score: NDArray[np.float64]
) -> None:
    for i in range(std.size):
        s = std[i]
        graded = 1.0 if s < 10.0 else (0.8 if s < 20.0 else (0.6 if s < 30.0 else 0.4))
        score[i] = graded if valid[i] else 0.4
