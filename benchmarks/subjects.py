"""The table of kernels: each with its reference, so that tests and benchmarks compare the same.

A subject turns :class:`Rows` into the arguments of its kernel (``prepare``, not timed), and the
kernel's result into plain lists (``plain``) that have to have the bits of the reference's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pbf_ray.contracts import CHANNELS
from pbf_ray.kernels import (
    anomaly,
    anomaly_reference,
    grouping,
    grouping_reference,
    order,
    order_reference,
    rolling,
    rolling_reference,
)

__all__ = ["RULES", "SUBJECTS", "KernelSubject", "Rows", "make_rows", "same_bits", "subject"]

RULES: list[tuple[int, str, float]] = [
    (0, ">", 1700.0),
    (0, "<", 1500.0),
    (1, ">=", 1.0),
    (1, "<=", 0.9),
    (2, ">", 250.0),
    (2, "<", 150.0),
]
"""(channel, operator, threshold) of the subject ``first_match``."""


@dataclass(frozen=True)
class Rows:
    """Records as a kernel test wants them; rows stand in canonical position order.

    Attributes:
        keys: (build_id, layer) of each group.
        codes: int64[n], the group of each row.
        timestamp: float64[n], s since 1970-01-01 UTC.
        timestamp_valid: bool[n].
        values: float64[c, n].
        valid: bool[c, n].
    """

    keys: list[tuple[str | None, int | None]]
    codes: np.ndarray
    timestamp: np.ndarray
    timestamp_valid: np.ndarray
    values: np.ndarray
    valid: np.ndarray

    @classmethod
    def from_lists(
        cls,
        keys: list[tuple[str | None, int | None]],
        rows: Sequence[tuple[int, float | None, Sequence[float | None]]],
        channels: int,
    ) -> Rows:
        """Rows of (group, timestamp or None, values or None). What is null has a wild value."""
        values = np.full((channels, len(rows)), 1e300)
        valid = np.zeros((channels, len(rows)), np.bool_)
        timestamp = np.full(len(rows), 7e77)
        timestamp_valid = np.zeros(len(rows), np.bool_)
        for i, (_, at, row) in enumerate(rows):
            if at is not None:
                timestamp[i], timestamp_valid[i] = at, True
            for c, x in enumerate(row):
                if x is not None:
                    values[c, i], valid[c, i] = x, True
        codes = np.array([row[0] for row in rows], np.int64)
        return cls(keys, codes, timestamp, timestamp_valid, values, valid)

    @property
    def timestamps(self) -> list[float | None]:
        return _with_none(self.timestamp, self.timestamp_valid)

    @property
    def value_rows(self) -> list[tuple[float | None, ...]]:
        columns = [_with_none(*pair) for pair in zip(self.values, self.valid, strict=True)]
        if not columns:
            return [()] * self.codes.size
        return list(zip(*columns, strict=True))


def make_rows(rng: np.random.Generator, n: int, groups: int = 400, nulls: float = 0.0) -> Rows:
    """n rows of a machine that works on ``groups`` layers, in order of time.

    Args:
        rng: Source of chance.
        n: Rows.
        groups: Layers; their rows interleave.
        nulls: Share of values that are null.
    """
    shape = (len(CHANNELS), n)
    mean = np.array([[1600.0], [0.95], [200.0], [1.2]])
    spread = np.array([[60.0], [0.05], [30.0], [0.2]])
    return Rows(
        keys=[(f"build-{g % 8}", g // 8) for g in range(groups)],
        codes=rng.integers(0, groups, n),
        timestamp=1.7e9 + np.sort(rng.uniform(0.0, 86400.0, n)),
        timestamp_valid=np.ones(n, np.bool_),
        values=mean + spread * rng.standard_normal(shape),
        valid=rng.random(shape) >= nulls,
    )


@dataclass(frozen=True)
class KernelSubject:
    """A kernel and what it is held against.

    Attributes:
        name: Name of the kernel.
        prepare: Arguments of the kernel.
        kernel: What is measured.
        plain: The kernel's result as lists.
        reference: The same lists by the reference.
    """

    name: str
    prepare: Callable[[Rows], tuple[Any, ...]]
    kernel: Callable[..., Any]
    plain: Callable[[Rows, Any], list[Any]]
    reference: Callable[[Rows], list[Any]]


def same_bits(a: Any, b: Any) -> bool:
    """Equality of nested lists: floats by their bits, all NaN alike, None only equal to None."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same_bits, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return (a != a and b != b) or struct.pack("d", a) == struct.pack("d", b)
    return type(a) is type(b) and bool(a == b)


def subject(name: str) -> KernelSubject:
    """The subject of this name."""
    return next(s for s in SUBJECTS if s.name == name)


def _with_none(values: np.ndarray, valid: np.ndarray) -> list[float | None]:
    return [x if ok else None for x, ok in zip(values.tolist(), valid.tolist(), strict=True)]


def _order_key(rows: Rows) -> np.ndarray:
    return order.event_order_key(rows.timestamp, rows.timestamp_valid)


def _rolling_arguments(rows: Rows) -> tuple[Any, ...]:
    key = _order_key(rows)
    by, group_start = order.canonical_order(rows.codes, len(rows.keys), key)
    return key[by], group_start, rows.values[:, by], rows.valid[:, by]


def _rolling_kernel(key: Any, group_start: Any, values: Any, valid: Any) -> rolling.RollingFrame:
    state = rolling.RollingState.empty(group_start.size - 1, values.shape[0])
    return rolling.rolling_update(key, group_start, values, valid, state)


def _rolling_plain(rows: Rows, frame: rolling.RollingFrame) -> list[Any]:
    by, _ = order.canonical_order(rows.codes, len(rows.keys), _order_key(rows))
    back = np.argsort(by)
    return [
        [
            _with_none(values[back], valid[back])
            for values, valid in zip(statistic, statistic_valid, strict=True)
        ]
        for statistic, statistic_valid in (
            (frame.avg, frame.avg_valid),
            (frame.std, frame.std_valid),
        )
    ]


def _rolling_reference(rows: Rows) -> list[Any]:
    table = list(zip(rows.codes.tolist(), rows.timestamps, rows.value_rows, strict=True))
    result = rolling_reference.rolling(table)
    channels = range(rows.values.shape[0])
    return [
        [[getattr(row[c], statistic) for row in result] for c in channels]
        for statistic in ("avg", "std")
    ]


def _rules() -> anomaly.CompiledRules:
    return anomaly.CompiledRules(
        channel=np.array([rule[0] for rule in RULES]),
        op=np.array([anomaly.OPERATORS.index(rule[1]) for rule in RULES]),
        threshold=np.array([rule[2] for rule in RULES]),
    )


def _key_columns(rows: Rows) -> tuple[Any, ...]:
    keys = [rows.keys[code] for code in rows.codes.tolist()]
    return (
        pa.array([build_id for build_id, _ in keys], pa.string()),
        pa.array([layer for _, layer in keys], pa.int32()),
    )


SUBJECTS: tuple[KernelSubject, ...] = (
    KernelSubject(
        name="event_order_key",
        prepare=lambda rows: (rows.timestamp, rows.timestamp_valid),
        kernel=order.event_order_key,
        # Dense ranks: the keys themselves are not part of the contract, their order is.
        plain=lambda _, key: np.unique(key, return_inverse=True)[1].tolist(),
        reference=lambda rows: order_reference.event_order_key(rows.timestamps),
    ),
    KernelSubject(
        name="canonical_order",
        prepare=lambda rows: (rows.codes, len(rows.keys), _order_key(rows)),
        kernel=order.canonical_order,
        plain=lambda _, result: result[0].tolist(),
        reference=lambda rows: order_reference.canonical_order(
            rows.codes.tolist(), rows.timestamps, [()] * rows.codes.size
        ),
    ),
    KernelSubject(
        name="first_match",
        prepare=lambda rows: (rows.values, rows.valid, _rules()),
        kernel=anomaly.first_match,
        plain=lambda _, code: code.tolist(),
        reference=lambda rows: [
            anomaly_reference.first_match(row, RULES) for row in rows.value_rows
        ],
    ),
    KernelSubject(
        name="rolling_update",
        prepare=_rolling_arguments,
        kernel=_rolling_kernel,
        plain=_rolling_plain,
        reference=_rolling_reference,
    ),
    KernelSubject(
        name="quality_score",
        prepare=lambda rows: (rows.values[0], rows.valid[0]),
        kernel=rolling.quality_score,
        plain=lambda _, score: score.tolist(),
        reference=lambda rows: [rolling_reference.quality_score(row[0]) for row in rows.value_rows],
    ),
    KernelSubject(
        name="group_rows",
        prepare=_key_columns,
        kernel=grouping.group_rows,
        plain=lambda _, result: [result[0].tolist(), result[1]],
        reference=lambda rows: list(
            grouping_reference.group_rows(*(column.to_pylist() for column in _key_columns(rows)))
        ),
    ),
)
