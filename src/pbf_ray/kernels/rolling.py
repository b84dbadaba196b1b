"""Rolling quality: running average and sample deviation per group, with a state to carry on from.

The frame is Spark's RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW; sums and central moments are
updated with Spark's operations in Spark's order, so that results have its bits (semantics.md,
items 40-50).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "STATE_FIELDS",
    "RollingFrame",
    "RollingState",
    "merge",
    "quality_score",
    "rolling_update",
]

STATE_FIELDS: Final[tuple[str, ...]] = ("count", "total", "mean", "m2", "minimum", "maximum")
"""Fields of :class:`RollingState`; ``count`` is int64, the others float64."""


@dataclass(eq=False)
class RollingState:
    """Running statistics of g groups and c channels; every array is C-contiguous [g, c].

    Where ``count`` is 0 there are no statistics: ``minimum`` is NaN and ``maximum`` -Infinity
    there, the neutral values of Spark's order (NaN is its greatest), and the others are 0.

    Attributes:
        count: int64, values that are not null.
        total: float64, their sum from left to right, starting at 0.0.
        mean: float64, the running mean of the central-moment update (avg is total / count).
        m2: float64, sum of squared deviations from the mean.
        minimum: float64, least value; NaN only if all values are NaN.
        maximum: float64, greatest value; NaN if any value is NaN.
    """

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def empty(cls, groups: int, channels: int) -> RollingState:
        """State of groups that have seen nothing."""
        shape = (groups, channels)
        return cls(
            count=np.zeros(shape, np.int64),
            total=np.zeros(shape),
            mean=np.zeros(shape),
            m2=np.zeros(shape),
            minimum=np.full(shape, np.nan),
            maximum=np.full(shape, -np.inf),
        )

    @property
    def avg(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Averages float64[g, c] and whether there is one, bool[g, c]."""
        valid = self.count > 0
        avg = np.zeros_like(self.total)
        np.divide(self.total, self.count, out=avg, where=valid)
        return avg, valid

    @property
    def std(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Sample deviations float64[g, c] and whether there is one (two values), bool[g, c]."""
        valid = self.count > 1
        std = np.zeros_like(self.m2)
        np.divide(self.m2, self.count - 1, out=std, where=valid)
        return np.sqrt(std, out=std), valid


@dataclass(frozen=True, eq=False)
class RollingFrame:
    """Running statistics at each of n rows; all arrays are [c, n], values 0.0 where not valid.

    Attributes:
        avg: float64, average of the frame.
        avg_valid: bool, whether the frame has a value.
        std: float64, sample standard deviation of the frame.
        std_valid: bool, whether the frame has two values.
    """

    avg: NDArray[np.float64]
    avg_valid: NDArray[np.bool_]
    std: NDArray[np.float64]
    std_valid: NDArray[np.bool_]


def rolling_update(
    order_key: NDArray[np.uint64],
    group_start: NDArray[np.int64],
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
    state: RollingState,
) -> RollingFrame:
    """Continue the running statistics with further rows.

    Rows stand sorted by (group, order key, canonical position), as
    :func:`pbf_ray.kernels.order.canonical_order` sorts them. Peers, rows of one group with equal
    order keys, share the value after the last of them, so all peers must be in one call; cut
    anywhere else, several calls give the bits of one.

    Args:
        order_key: uint64[n], from :func:`pbf_ray.kernels.order.event_order_key`.
        group_start: int64[g + 1], from 0 to n, not decreasing; the rows of group ``i`` are
            ``group_start[i]:group_start[i + 1]``, possibly none.
        values: float64[c, n], any values where null.
        valid: bool[c, n], False where null; null values are skipped.
        state: Statistics of the g groups so far, updated in place.

    Returns:
        The statistics at each row.

    Raises:
        ValueError: If shapes or dtypes do not fit together; the state is then untouched.
    """
    from pbf_ray.kernels import _rolling_loop

    order_key = np.ascontiguousarray(order_key, dtype=np.uint64)
    group_start = np.ascontiguousarray(group_start, dtype=np.int64)
    values = np.ascontiguousarray(values, dtype=np.float64)
    valid = np.ascontiguousarray(valid, dtype=np.bool_)
    _check_rows(order_key, group_start, values, valid)
    _check_state(state, groups=group_start.size - 1, channels=values.shape[0])
    frame = RollingFrame(
        avg=np.empty(values.shape),
        avg_valid=np.empty(values.shape, np.bool_),
        std=np.empty(values.shape),
        std_valid=np.empty(values.shape, np.bool_),
    )
    _rolling_loop.rolling_update(
        order_key,
        group_start,
        values,
        valid,
        state.count,
        state.total,
        state.mean,
        state.m2,
        state.minimum,
        state.maximum,
        frame.avg,
        frame.avg_valid,
        frame.std,
        frame.std_valid,
    )
    return frame


def _check_rows(
    order_key: NDArray[np.uint64],
    group_start: NDArray[np.int64],
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
) -> None:
    if order_key.ndim != 1 or values.ndim != 2 or values.shape[1] != order_key.size:
        raise ValueError(
            f"order_key must be [n] and values [c, n], not {order_key.shape} and {values.shape}"
        )
    if valid.shape != values.shape:
        raise ValueError(f"valid must be {values.shape} as values is, not {valid.shape}")
    if (
        group_start.ndim != 1
        or group_start.size == 0
        or group_start[0] != 0
        or group_start[-1] != order_key.size
        or np.any(group_start[1:] < group_start[:-1])
    ):
        raise ValueError(f"group_start must rise from 0 to the number of rows {order_key.size}")


def _check_state(state: RollingState, *, groups: int, channels: int) -> None:
    # Checked, never converted: the kernel has to write into the caller's arrays.
    for name in STATE_FIELDS:
        array = getattr(state, name)
        dtype = np.int64 if name == "count" else np.float64
        if array.shape != (groups, channels) or array.dtype != dtype:
            raise ValueError(
                f"state.{name} must be {np.dtype(dtype)} [{groups}, {channels}], "
                f"not {array.dtype} {list(array.shape)}"
            )
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError(f"state.{name} must be C-contiguous and writeable")


def merge(a: RollingState, b: RollingState) -> RollingState:
    """Statistics of two parts of the same groups, by Chan's update of central moments.

    Not for the stream, whose bits depend on the order of rows: a merge agrees with one pass over
    all rows only to about 1e-9 relative (semantics.md, item 52). Totals, minima and maxima of
    equal values (-0.0 and 0.0) take those of ``a``.

    Args:
        a: Statistics of the rows that come first, [g, c].
        b: Statistics of the other rows, [g, c].

    Returns:
        A new state.

    Raises:
        ValueError: If the shapes differ.
    """
    if a.count.shape != b.count.shape:
        raise ValueError(f"cannot merge states {a.count.shape} and {b.count.shape}")
    count = a.count + b.count
    one_sided = (a.count == 0) | (b.count == 0)
    only_b = a.count == 0
    with np.errstate(all="ignore"):  # infinities and NaN propagate, as in the running update
        delta = b.mean - a.mean
        delta_n = delta / np.maximum(count, 1)
        mean = a.mean + delta_n * b.count
        m2 = a.m2 + b.m2 + delta * delta_n * a.count * b.count
        total = a.total + b.total
    return RollingState(
        count=count,
        total=np.where(one_sided, np.where(only_b, b.total, a.total), total),
        mean=np.where(one_sided, np.where(only_b, b.mean, a.mean), mean),
        m2=np.where(one_sided, np.where(only_b, b.m2, a.m2), m2),
        minimum=np.where((b.minimum < a.minimum) | np.isnan(a.minimum), b.minimum, a.minimum),
        maximum=np.where((b.maximum > a.maximum) | np.isnan(b.maximum), b.maximum, a.maximum),
    )


def quality_score(std: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Score of the deviation of the temperature (semantics.md, item 39).

    Args:
        std: float64[n], standard deviation in degC.
        valid: bool[n], False where null.

    Returns:
        float64[n]: below 10 gives 1.0, below 20 gives 0.8, below 30 gives 0.6, all else, also null
        and NaN, 0.4.

    Raises:
        ValueError: If the shapes differ.
    """
    from pbf_ray.kernels import _rolling_loop

    std = np.ascontiguousarray(std, dtype=np.float64)
    valid = np.ascontiguousarray(valid, dtype=np.bool_)
    if std.ndim != 1 or std.shape != valid.shape:
        raise ValueError(
            f"std and valid must have one shape [n], not {std.shape} and {valid.shape}"
        )
    score = np.empty(std.size)
    _rolling_loop.quality_score(std, valid, score)
    return score
