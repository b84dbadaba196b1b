"""Reference of :mod:`pbf_ray.kernels.order`: Spark's ascending order, said in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["canonical_order", "event_order_key", "spark_rank"]


def spark_rank(value: float | None) -> tuple[int, float]:
    """A tuple that Python orders as Spark orders the nullable double."""
    if value is None:
        return (0, 0.0)
    if value != value:
        return (2, 0.0)
    return (1, value)


def event_order_key(timestamps: Sequence[float | None]) -> list[int]:
    """Dense ranks: how many different timestamps come before each one in Spark's order."""
    ranks = [spark_rank(timestamp) for timestamp in timestamps]
    different = sorted(set(ranks))
    return [different.index(rank) for rank in ranks]


def canonical_order(
    groups: Sequence[int],
    timestamps: Sequence[float | None],
    positions: Sequence[tuple[int, ...]],
) -> list[int]:
    """Row numbers sorted by (group, timestamp, position), ties in input order."""
    return sorted(
        range(len(groups)),
        key=lambda row: (groups[row], spark_rank(timestamps[row]), positions[row]),
    )
