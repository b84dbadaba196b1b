"""Reference of :mod:`pbf_ray.kernels.anomaly`: SQL's three-valued logic in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

__all__ = ["any_true", "compare", "first_match"]


def compare(value: float | None, op: str, threshold: float) -> bool | None:
    """``value op threshold`` as Spark has it: None for null; NaN largest and equal to itself."""
    if value is None:
        return None
    if isnan(value) or isnan(threshold):
        greater = isnan(value) and not isnan(threshold)
        less = isnan(threshold) and not isnan(value)
    else:
        greater = value > threshold
        less = value < threshold
    return {">": greater, ">=": not less, "<": less, "<=": not greater}[op]


def any_true(parts: Sequence[bool | None]) -> bool | None:
    """Kleene's OR."""
    if True in parts:
        return True
    return None if None in parts else False


def first_match(row: Sequence[float | None], rules: Sequence[tuple[int, str, float]]) -> int:
    """Index of the first rule (channel, op, threshold) that is true for the row, -1 if none."""
    for index, (channel, op, threshold) in enumerate(rules):
        if compare(row[channel], op, threshold) is True:
            return index
    return -1
