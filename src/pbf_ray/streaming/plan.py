"""The plan of an epoch: all that a replay needs to decide the same again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["EpochPlan", "LostRange", "OffsetRange", "PartitionId"]


class PartitionId(NamedTuple):
    """A partition of a topic; sorts in canonical order."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class OffsetRange(NamedTuple):
    """Offsets ``[start, stop)``."""

    start: int
    stop: int


class LostRange(NamedTuple):
    """Offsets ``[start, stop)`` that were not read: gone from the broker, or passed by a reset."""

    topic: str
    partition: int
    start: int
    stop: int
    cause: str = "gone"


@dataclass(frozen=True)
class EpochPlan:
    """One epoch: which offsets it reads, and what it decides by.

    Attributes:
        epoch: Number, from 1, without gaps.
        clock_us: Processing time of the whole epoch, microseconds since 1970 UTC.
        ranges: What to read; partitions without new records are absent.
        ends: Last stable offset of every known partition when the plan was made.
        begins: Where reading begins in partitions that no earlier plan knows.
        semantics: The settings that decide its results.
        final: After this epoch the bounded input is done: release and close everything.
        lost: Ranges found missing when the plan was made, and accepted; or passed by a reset.
        away_us: How long the brokers had been away since the plan before, microseconds: time in
            which nothing could be sent is no silence.
    """

    epoch: int
    clock_us: int
    ranges: dict[PartitionId, OffsetRange]
    ends: dict[PartitionId, int]
    semantics: StreamSemantics
    begins: dict[PartitionId, int] = field(default_factory=dict)
    final: bool = False
    lost: tuple[LostRange, ...] = ()
    away_us: int = 0

    @property
    def rows(self) -> int:
        """Number of offsets in all ranges: an upper bound of the records."""
        return sum(stop - start for start, stop in self.ranges.values())

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "epoch": self.epoch,
            "clock_us": self.clock_us,
            "ranges": [[*where, *offsets] for where, offsets in sorted(self.ranges.items())],
            "ends": [[*where, end] for where, end in sorted(self.ends.items())],
            "begins": [[*where, offset] for where, offset in sorted(self.begins.items())],
            "semantics": self.semantics.to_plain(),
            "final": self.final,
            "lost": [list(lost) for lost in self.lost],
            "away_us": self.away_us,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> EpochPlan:
        """Inverse of ``to_plain``."""
        return cls(
            epoch=plain["epoch"],
            clock_us=plain["clock_us"],
            ranges={
                PartitionId(topic, partition): OffsetRange(start, stop)
                for topic, partition, start, stop in plain["ranges"]
            },
            ends={PartitionId(topic, partition): end for topic, partition, end in plain["ends"]},
            begins={
                PartitionId(topic, partition): offset
                for topic, partition, offset in plain["begins"]
            },
            semantics=StreamSemantics.from_plain(plain["semantics"]),
            final=plain["final"],
            lost=tuple(LostRange(*lost) for lost in plain["lost"]),
            away_us=plain.get("away_us", 0),
        )
