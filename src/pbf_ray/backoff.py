"""Pauses that grow from failure to failure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff"]


@dataclass(frozen=True)
class Backoff:
    """How long to wait after so many failures in a row.

    The pause is drawn evenly from the upper half of ``first_pause_s * 2**(failures - 1)``, at most
    ``longest_pause_s``: those that failed together do not come back together.

    Attributes:
        first_pause_s: Longest pause after the first failure, seconds.
        longest_pause_s: Longest pause of all, seconds.
        draw: A number in [0, 1).
    """

    first_pause_s: float
    longest_pause_s: float
    draw: Callable[[], float] = field(default=random.random)

    def pause_s(self, failures: int) -> float:
        """The pause after so many failures in a row (1 or more), in seconds."""
        # 2**63 would overflow no float, but somebody may fail for days.
        longest = min(self.first_pause_s * 2.0 ** min(failures - 1, 63), self.longest_pause_s)
        return longest * (0.5 + 0.5 * self.draw())
