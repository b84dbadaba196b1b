"""What goes into a window operator per epoch, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from pbf_ray.streaming.books import Books
from pbf_ray.streaming.event_time import EventTimeStep
from pbf_ray.streaming.manifest import WindowFiles
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["WindowOutput", "WindowStep"]


@dataclass(frozen=True)
class WindowStep:
    """What an epoch means to a window operator.

    Attributes:
        stamp: Job, sources, epoch, clock.
        semantics: What it decides by.
        time: How event time moved in the epoch.
        final: Release and close everything.
        state_name: Fresh name for a file of layer states.
        segment_name: Fresh name for a segment of waiting rows.
        replayed: Places of replayed records, which are not late unless their build is retired.
    """

    stamp: RowStamp
    semantics: StreamSemantics
    time: EventTimeStep
    final: bool
    state_name: str
    segment_name: str
    replayed: frozenset[tuple[str, int, int]] = frozenset()


@dataclass(frozen=True)
class WindowOutput:
    """What an epoch gave.

    Attributes:
        books: accepted, late, duplicates, anomalies, layers; ``pending`` is the level after.
        files: What the state after the epoch consists of.
        state_bytes: Its size.
    """

    books: Books
    files: WindowFiles
    state_bytes: int
