"""What a running job says of itself."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from pbf_ray.streaming.books import Books

__all__ = ["Progress", "Throughput"]


_COUNTS: Final = (
    "consumed",
    "accepted",
    "dead_letters",
    "late",
    "dropped",
    "duplicates",
    "pending",
    "anomalies",
    "layers",
)


@dataclass(frozen=True)
class Progress:
    """A job at one moment; counts are those of its last commit.

    Attributes:
        state: ``starting``, ``running``, ``recovering``, ``waiting for the broker``,
            ``waiting for a store``, ``paused``, ``closing``, ``finished`` or ``stopped``.
        lag: Records on the broker (offsets) that are not committed yet.
        records_per_s: Over the last seconds.
        restarts: Worker failures survived by this run.
    """

    job_id: str = ""
    state: str = "starting"
    run: int = 0
    epoch: int = 0
    consumed: int = 0
    accepted: int = 0
    dead_letters: int = 0
    late: int = 0
    dropped: int = 0
    duplicates: int = 0
    pending: int = 0
    anomalies: int = 0
    layers: int = 0
    lag: int = 0
    records_per_s: float = 0.0
    state_bytes: int = 0
    restarts: int = 0

    def after(self, epoch: int, books: Books) -> Progress:
        """The same after an epoch is committed."""
        counts = {name: getattr(books, name) for name in _COUNTS}
        return replace(self, epoch=epoch, **counts)

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


class Throughput:
    """Records per second over a sliding window.

    Args:
        window_s: Its length.
    """

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._points: deque[tuple[float, int]] = deque()

    def note(self, now_s: float, records: int) -> None:
        """Note the cumulative count at a moment of a monotonic clock."""
        self._points.append((now_s, records))
        while len(self._points) > 2 and now_s - self._points[0][0] > self._window_s:
            self._points.popleft()

    def per_second(self, now_s: float) -> float:
        """Rate over the window; a stream that rests sinks to zero."""
        if not self._points:
            return 0.0
        since_s, records = self._points[0]
        elapsed_s = max(now_s - since_s, 1e-3)
        return (self._points[-1][1] - records) / elapsed_s
