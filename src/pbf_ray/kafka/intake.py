"""When a consumer takes records, waits, or tells the broker to hold back."""

from __future__ import annotations

from typing import Literal

__all__ = ["IntakeGate"]


class IntakeGate:
    """Bounds what was taken and is not yet done.

    Full, it lets nothing in until half of it is empty: small steps would cost more than they are
    worth. Pausing the fetch throws away what the client has fetched ahead, so the gate first just
    waits, for a while that no membership in a group is endangered by.

    Args:
        max_records: Most records in flight.
        max_bytes: Most bytes in flight; the record that reaches it is still taken.
        patience_s: How long it waits before fetching is to be paused, seconds.
    """

    def __init__(self, max_records: int, max_bytes: int, *, patience_s: float = 1.0) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._closed_since: float | None = None
        self.records = 0
        self.bytes = 0

    @property
    def room(self) -> int:
        """Records that may be taken at once."""
        return 0 if self.bytes >= self._max_bytes else max(0, self._max_records - self.records)

    def take(self, records: int, size: int) -> None:
        """Records came in."""
        self.records += records
        self.bytes += size

    def leave(self, records: int, size: int) -> None:
        """Records are done, or given up."""
        self.records -= records
        self.bytes -= size

    def decide(self, now_s: float) -> Literal["take", "wait", "pause"]:
        """What to do now.

        Args:
            now_s: Monotonic seconds.
        """
        if self._closed_since is None:
            if self.room:
                return "take"
            self._closed_since = now_s
        elif self.records <= self._max_records // 2 and self.bytes <= self._max_bytes // 2:
            self._closed_since = None
            return "take"
        return "pause" if now_s - self._closed_since >= self._patience_s else "wait"
