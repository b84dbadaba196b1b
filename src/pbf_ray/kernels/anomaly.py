"""Anomaly rules as data: which rule of an ordered list is the first that holds for a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["OPERATORS", "CompiledRules", "first_match"]

OPERATORS: Final[tuple[str, ...]] = (">", ">=", "<", "<=")
"""Comparisons; their index is the code in :attr:`CompiledRules.op`."""

_MOST_RULES: Final = int(np.iinfo(np.int16).max)


@dataclass(frozen=True, eq=False)
class CompiledRules:
    """Rules ``values[channel] op threshold`` as arrays, in order of precedence.

    Attributes:
        channel: int64[r], row of the value array.
        op: int8[r], index into :data:`OPERATORS`.
        threshold: float64[r], in the unit of the channel.

    Raises:
        ValueError: If the arrays are not of one length, or an entry is out of range.
    """

    channel: NDArray[np.int64]
    op: NDArray[np.int8]
    threshold: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, dtype in (("channel", np.int64), ("op", np.int8), ("threshold", np.float64)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        count = self.threshold.size
        if any(a.shape != (count,) for a in (self.channel, self.op, self.threshold)):
            raise ValueError("channel, op and threshold must be of one length [r]")
        if count > _MOST_RULES:
            raise ValueError(f"{count} rules, at most {_MOST_RULES} are possible")
        if count and (self.op.min() < 0 or self.op.max() >= len(OPERATORS)):
            raise ValueError(f"op must be from 0 to {len(OPERATORS) - 1}")
        if count and self.channel.min() < 0:
            raise ValueError("channel must not be negative")

    def __len__(self) -> int:
        return int(self.threshold.size)


def first_match(
    values: NDArray[np.float64], valid: NDArray[np.bool_], rules: CompiledRules
) -> NDArray[np.int16]:
    """Index of the first rule that is true, per row.

    Three-valued logic with Spark's order of doubles (semantics.md, items 34-37): a comparison with
    null is null and does not match; NaN is greater than every number and equal to NaN.

    Args:
        values: float64[c, n], any values where null.
        valid: bool[c, n], False where null.
        rules: The rules; their channels are rows of ``values``.

    Returns:
        int16[n], the index of the rule, -1 where none is true.

    Raises:
        ValueError: If shapes differ or a rule names a channel that ``values`` does not have.
    """
    from pbf_ray.kernels import _anomaly_loop

    values = np.ascontiguousarray(values, dtype=np.float64)
    valid = np.ascontiguousarray(valid, dtype=np.bool_)
    if values.ndim != 2 or values.shape != valid.shape:
        raise ValueError(
            f"values and valid must have one shape [c, n], not {values.shape} and {valid.shape}"
        )
    if len(rules) and rules.channel.max() >= values.shape[0]:
        raise ValueError(
            f"a rule names channel {rules.channel.max()}, values has {values.shape[0]} channels"
        )
    code = np.empty(values.shape[1], np.int16)
    _anomaly_loop.first_match(values, valid, rules.channel, rules.op, rules.threshold, code)
    return code
