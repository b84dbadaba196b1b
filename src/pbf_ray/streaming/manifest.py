"""What a checkpoint says: whose it is, which files hold the window state, what is committed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint_folder import FileRef
from pbf_ray.streaming.event_time import EventTimeTracker
from pbf_ray.streaming.plan import LostRange

__all__ = ["JobIdentity", "Manifest", "SegmentRef", "WindowFiles"]


@dataclass(frozen=True)
class JobIdentity:
    """What a checkpoint belongs to.

    Attributes:
        job_id: Name of the job.
        buckets: Number of hash buckets of (build_id, layer), fixed for the job's life.
        mode: ``"watermark"`` or ``"strict"``: waiting rows mean different things in them.
        sources: Source id per topic.
    """

    job_id: str
    buckets: int
    mode: str
    sources: dict[str, str]


@dataclass(frozen=True)
class SegmentRef:
    """A segment of waiting rows: written once, dropped when all of them are released."""

    file: FileRef
    epoch: int
    rows: int


@dataclass(frozen=True)
class WindowFiles:
    """What one window actor's state consists of.

    Attributes:
        states: Layer states, oldest first; a later row replaces an earlier one.
        segments: Rows that wait for the watermark.
    """

    states: tuple[FileRef, ...] = ()
    segments: tuple[SegmentRef, ...] = ()

    def names(self) -> set[str]:
        """All files."""
        return {file.name for file in self.states} | {s.file.name for s in self.segments}

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> WindowFiles:
        """Inverse of ``to_plain``."""
        return cls(
            states=tuple(FileRef(**state) for state in plain["states"]),
            segments=tuple(
                SegmentRef(FileRef(**segment["file"]), segment["epoch"], segment["rows"])
                for segment in plain["segments"]
            ),
        )


@dataclass(frozen=True)
class Manifest:
    """A commit: the whole truth after an epoch."""

    epoch: int
    run: int
    clock_us: int
    tracker: EventTimeTracker
    books: Books
    windows: tuple[WindowFiles, ...]
    lost: tuple[LostRange, ...] = ()
    finished: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "epoch": self.epoch,
            "run": self.run,
            "clock_us": self.clock_us,
            "tracker": self.tracker.to_plain(),
            "books": self.books.to_plain(),
            "windows": [window.to_plain() for window in self.windows],
            "lost": [list(lost) for lost in self.lost],
            "finished": self.finished,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Manifest:
        """Inverse of ``to_plain``."""
        return cls(
            epoch=plain["epoch"],
            run=plain["run"],
            clock_us=plain["clock_us"],
            tracker=EventTimeTracker.from_plain(plain["tracker"]),
            books=Books.from_plain(plain["books"]),
            windows=tuple(WindowFiles.from_plain(window) for window in plain["windows"]),
            lost=tuple(LostRange(*lost) for lost in plain["lost"]),
            finished=plain["finished"],
        )
