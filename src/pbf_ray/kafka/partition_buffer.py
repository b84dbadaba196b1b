"""What was received of one partition and not yet given out, as columns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pbf_ray.kafka.origin import replay_of

__all__ = ["Columns", "PartitionBuffer"]


def _size_bytes(values: Sequence[bytes | None]) -> int:
    """Roughly what records take in memory: their values, and Python's objects around them."""
    return sum(len(value) for value in values if value is not None) + 200 * len(values)


class Columns(NamedTuple):
    """Records of one partition, ascending by offset."""

    offset: list[int]
    timestamp_ms: list[int]
    key: list[bytes | None]
    value: list[bytes | None]
    replay_of: dict[int, str]


@dataclass(slots=True)
class PartitionBuffer:
    """Where one partition stands, and what was received of it and not yet given out.

    Attributes:
        position: Everything below was given out; the columns hold what was received since.
        reached: Nothing below is still to come.
        assigned: Whether the consumer fetches it.
        offset: Offsets of the records held.
        timestamp_ms: Their timestamps, milliseconds, -1 where none.
        key: Their keys.
        value: Their values.
        replay_of: By offset, what records say that they are a replay of; few do.
        wanted_to: End of the range that is asked for.
        ahead_bytes: Memory, roughly, of the records held beyond ``wanted_to``.
    """

    position: int
    reached: int
    assigned: bool = False
    offset: list[int] = field(default_factory=list)
    timestamp_ms: list[int] = field(default_factory=list)
    key: list[bytes | None] = field(default_factory=list)
    value: list[bytes | None] = field(default_factory=list)
    replay_of: dict[int, str] = field(default_factory=dict)
    wanted_to: int = 0
    ahead_bytes: int = 0

    def want(self, to: int) -> None:
        """Set the end of the range that is asked for; what lies beyond is ahead of its time."""
        self.wanted_to = to
        self.ahead_bytes = _size_bytes(self.value[bisect_left(self.offset, to) :])

    def append(self, messages: Sequence[Any]) -> None:
        """Take messages (``confluent_kafka.Message``), ascending by offset.

        What is below ``reached`` was taken before, and is not taken twice.
        """
        if messages[0].offset() < self.reached:
            messages = [message for message in messages if message.offset() >= self.reached]
            if not messages:
                return
        before = len(self.offset)
        self.offset += [message.offset() for message in messages]
        self.timestamp_ms += [message.timestamp()[1] for message in messages]
        self.key += [message.key() for message in messages]
        self.value += [message.value() for message in messages]
        for message in [one for one in messages if one.headers()]:
            if (origin := replay_of(message.headers())) is not None:
                self.replay_of[message.offset()] = origin
        self.reached = self.offset[-1] + 1
        ahead = max(before, bisect_left(self.offset, self.wanted_to))
        self.ahead_bytes += _size_bytes(self.value[ahead:])

    def cut_below(self, offset: int) -> Columns:
        """Move the position to ``offset``; the columns of the records before it."""
        count = bisect_left(self.offset, offset)
        origins = {at: origin for at, origin in self.replay_of.items() if at < offset}
        for at in origins:
            del self.replay_of[at]
        if count == len(self.offset):
            passed = Columns(self.offset, self.timestamp_ms, self.key, self.value, origins)
            self.offset, self.timestamp_ms, self.key, self.value = [], [], [], []
        else:
            passed = Columns(
                self.offset[:count],
                self.timestamp_ms[:count],
                self.key[:count],
                self.value[:count],
                origins,
            )
            del self.offset[:count], self.timestamp_ms[:count], self.key[:count]
            del self.value[:count]
        self.position = offset
        return passed
