"""The time during which one group member owns one partition."""

from __future__ import annotations

import threading

from pbf_ray.kafka.offset_tracker import OffsetTracker

__all__ = ["PartitionTenure"]


class PartitionTenure:
    """One partition, from its assignment to its revocation.

    A partition that comes back gets a new tenure, so that what finishes late for the old one moves
    nothing. ``take`` and ``finish`` belong to the thread that polls; ``begin`` is called by
    handler threads.

    Args:
        topic: Topic.
        partition: Partition.
        start: Offset from which it is read.
        committed: What the group has committed, None for nothing.

    Attributes:
        hurry: Set when what is being handled is to come to an end: no further attempts.
    """

    def __init__(self, topic: str, partition: int, start: int, committed: int | None) -> None:
        self.topic = topic
        self.partition = partition
        self.hurry = threading.Event()
        self._tracker = OffsetTracker(start)
        self._committed = committed
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._ended = False

    @property
    def key(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def to_commit(self) -> int | None:
        """The offset to commit, None where the group has it already."""
        position = self._tracker.position
        return None if position == self._committed else position

    @property
    def running(self) -> frozenset[int]:
        """Offsets whose handling has begun and not come to an end."""
        with self._lock:
            return frozenset(self._running)

    def take(self, offset: int) -> None:
        """A record was taken; offsets ascend."""
        self._tracker.take(offset)

    def begin(self, offset: int) -> bool:
        """Whether the handling of a record may begin; from any thread."""
        with self._lock:
            if self._ended:
                return False
            self._running.add(offset)
            return True

    def finish(self, offset: int, *, done: bool) -> None:
        """The handling of a record has come to an end: it is done, or to be handled again."""
        with self._lock:
            self._running.discard(offset)
        if done:
            self._tracker.finish(offset)

    def commit(self, offset: int) -> None:
        """The group has committed so far."""
        self._committed = offset

    def end(self) -> None:
        """Let no further record begin, and hurry those that have; from any thread."""
        with self._lock:
            self._ended = True
        self.hurry.set()
