"""Which records of one partition are done, and how far one may commit."""

from __future__ import annotations

from collections import deque

__all__ = ["OffsetTracker"]


class OffsetTracker:
    """Follows the records of one partition from being taken to being done.

    Records may be finished in any order; ``position`` moves over an unbroken beginning of
    finished ones only. Offsets may have gaps (transaction markers, compaction).

    Args:
        start: Offset from which the partition is read.
    """

    def __init__(self, start: int) -> None:
        self._next = start
        self._open: deque[int] = deque()
        self._finished: set[int] = set()

    @property
    def position(self) -> int:
        """The offset to commit: all records before it are done."""
        return self._open[0] if self._open else self._next

    @property
    def unfinished(self) -> int:
        """Records taken and not done."""
        return len(self._open) - len(self._finished)

    def take(self, offset: int) -> None:
        """A record was taken.

        Raises:
            ValueError: If it does not come behind all that were taken before.
        """
        if offset < self._next:
            raise ValueError(f"offset {offset} was taken after {self._next - 1}")
        self._next = offset + 1
        self._open.append(offset)

    def finish(self, offset: int) -> None:
        """A record is done.

        Raises:
            ValueError: If it was not taken, or is done already.
        """
        if offset in self._finished or not self._open or not self._open[0] <= offset < self._next:
            raise ValueError(f"offset {offset} is not being handled")
        self._finished.add(offset)
        while self._open and self._open[0] in self._finished:
            self._finished.remove(self._open.popleft())
