"""Where a batch run is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["QualityProgress"]


@dataclass(frozen=True)
class QualityProgress:
    """Where a run is.

    Attributes:
        step: ``"reading"`` (decode, judge, split by layer) or ``"layers"`` (rolling quality).
        tasks: Tasks of the step.
        tasks_done: How many of them are done.
        records: Records read so far.
    """

    step: str
    tasks: int
    tasks_done: int = 0
    records: int = 0

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)
