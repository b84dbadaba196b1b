"""Reference of :mod:`pbf_ray.kernels.rolling`: one obvious loop over lists, in plain Python."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby
from math import isnan, sqrt
from typing import NamedTuple, TypeAlias

__all__ = ["Row", "Running", "Statistics", "quality_score", "rolling"]

Row: TypeAlias = tuple[Hashable, float | None, Sequence[float | None]]
"""(group, timestamp or None, value or None per channel)"""


class Statistics(NamedTuple):
    """What is known of some values that are not null; None where undefined."""

    n: int
    avg: float | None
    std: float | None
    minimum: float | None
    maximum: float | None


class Running:
    """Values of one channel so far, taken with Spark's operations in Spark's order (item 49)."""

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0
        self.mean = 0.0
        self.m2 = 0.0
        self.minimum: float | None = None
        self.maximum: float | None = None

    def add(self, x: float | None) -> None:
        """Take one value; null is skipped."""
        if x is None:
            return
        self.n = self.n + 1
        self.total = self.total + x
        d = x - self.mean
        dn = d / self.n
        self.mean = self.mean + dn
        self.m2 = self.m2 + d * (d - dn)
        if self.minimum is None or _rank(x) < _rank(self.minimum):
            self.minimum = x
        if self.maximum is None or _rank(x) > _rank(self.maximum):
            self.maximum = x

    def statistics(self) -> Statistics:
        """Statistics of the values so far."""
        return Statistics(
            n=self.n,
            avg=self.total / self.n if self.n > 0 else None,
            std=sqrt(self.m2 / (self.n - 1)) if self.n > 1 else None,
            minimum=self.minimum,
            maximum=self.maximum,
        )


def rolling(rows: Sequence[Row]) -> list[list[Statistics]]:
    """Statistics per row and channel of the rows of its group that are not after it in time.

    Args:
        rows: Rows in canonical position order; timestamps in any order.

    Returns:
        A list per row, in the order of ``rows``, with an entry per channel.
    """
    result: list[list[Statistics]] = [[] for _ in rows]
    for group in {row[0] for row in rows}:
        members = [i for i, row in enumerate(rows) if row[0] == group]
        members.sort(key=lambda i: _rank(rows[i][1]))
        channels = [Running() for _ in rows[members[0]][2]]
        for _, together in groupby(members, key=lambda i: _rank(rows[i][1])):
            peers = list(together)
            for i in peers:
                for channel, x in zip(channels, rows[i][2], strict=True):
                    channel.add(x)
            for i in peers:
                result[i] = [channel.statistics() for channel in channels]
    return result


def quality_score(std: float | None) -> float:
    """Score of a temperature deviation in degC."""
    if std is None or isnan(std):
        return 0.4
    if std < 10:
        return 1.0
    if std < 20:
        return 0.8
    if std < 30:
        return 0.6
    return 0.4


def _rank(value: float | None) -> tuple[int, float]:
    # Spark's ascending order: null, numbers, NaN.
    if value is None:
        return (0, 0.0)
    return (2, 0.0) if isnan(value) else (1, value)
