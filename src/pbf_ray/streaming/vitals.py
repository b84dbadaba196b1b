"""What a run notes of itself while it works: progress, times by stage, waits.

The pipeline writes here from its loop, the heartbeat reads from a thread of its own. What is
handed over (manifests, offsets) is never changed afterwards, so nothing has to be copied.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from pbf_ray.streaming.manifest import Manifest
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.progress import Progress, Throughput

__all__ = [
    "NO_BROKER",
    "NO_STORE",
    "STAGES",
    "StageTime",
    "Vitals",
    "Wait",
    "slowest",
    "stopwatch",
]

STAGES: Final[dict[str, str]] = {
    "plan": "asking the broker what it holds, planning, writing the plan",
    "read": "fetching records from the broker",
    "decode": "decoding, judging and routing them",
    "window": "event order, running statistics, window state files",
    "stage": "handing rows to the stores, as yet invisible",
    "store": "committing the epoch to the stores",
    "manifest": "the commit in the checkpoint",
}
"""What an epoch's time goes to. Of workers side by side the slowest counts."""

NO_BROKER: Final = "waiting for the broker"
NO_STORE: Final = "waiting for a store"
_WAITS: Final = {NO_BROKER: "broker", NO_STORE: "store"}
_RECENT_EPOCHS: Final = 20


@dataclass
class StageTime:
    """Time that went to a stage.

    Attributes:
        total_s: By this run, seconds.
        recent: Of the last epochs, seconds each.
    """

    total_s: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT_EPOCHS))

    @property
    def recent_s(self) -> float:
        """Mean of the last epochs, seconds; 0 before the first."""
        recent = tuple(self.recent)
        return sum(recent) / len(recent) if recent else 0.0


@dataclass(frozen=True)
class Wait:
    """Waits for something that was away.

    Attributes:
        count: How many.
        total_s: Together, seconds, the present one included.
    """

    count: int = 0
    total_s: float = 0.0


class Vitals:
    """The notes of one run. Thread-safe.

    Args:
        job_id: The job.
        run: Number of the run.

    Attributes:
        commit: The last commit.
        held: First offset and end of every partition, when the broker was asked last.
        in_flight: Epochs under way.
        epochs: Epochs committed by this run.
        turned_us: When the loop came round last, microseconds since 1970 UTC.
    """

    def __init__(self, job_id: str, run: int) -> None:
        self._lock = threading.Lock()
        self._progress = Progress(job_id=job_id, run=run)
        self._throughput = Throughput()
        self._since_s = time.monotonic()
        self._waits = dict.fromkeys(_WAITS.values(), Wait())
        self.stages = {name: StageTime() for name in STAGES}
        self.commit: Manifest | None = None
        self.held: Mapping[PartitionId, tuple[int, int]] = {}
        self.in_flight = 0
        self.epochs = 0
        self.turned_us = time.time_ns() // 1000

    # -- noting ----------------------------------------------------------------------------

    def say(self, state: str) -> None:
        """The run is in this state now."""
        with self._lock:
            self._say(state)

    def say_running(self, after: str) -> None:
        """What it waited for is back."""
        with self._lock:
            if self._progress.state == after:
                self._say("running")

    def turn(self, in_flight: int) -> None:
        """The loop has come round."""
        self.in_flight = in_flight
        self.turned_us = time.time_ns() // 1000

    def looked(self, held: Mapping[PartitionId, tuple[int, int]]) -> None:
        """The broker was asked."""
        self.held = held
        self._measure_lag()

    def spent(self, epoch: Mapping[str, float]) -> None:
        """Seconds by stage of an epoch that is committed."""
        for name, seconds in epoch.items():
            self.stages[name].total_s += seconds
            self.stages[name].recent.append(seconds)
        self.epochs += 1

    def stands_at(self, commit: Manifest | None) -> None:
        """The run starts, or starts again, from this commit."""
        self.commit = commit
        with self._lock:
            if commit is not None:
                self._progress = self._progress.after(commit.epoch, commit.books)
            self._throughput.note(time.monotonic(), self._progress.consumed)
        self._measure_lag()

    def committed(self, commit: Manifest, *, state_bytes: int) -> None:
        """An epoch is committed."""
        self.stands_at(commit)
        with self._lock:
            self._progress = replace(self._progress, state_bytes=state_bytes)

    def restarted(self) -> None:
        """A worker's failure was survived."""
        with self._lock:
            self._progress = replace(self._progress, restarts=self._progress.restarts + 1)

    # -- asking ----------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Where it stands."""
        with self._lock:
            rate = self._throughput.per_second(time.monotonic())
            return replace(self._progress, records_per_s=rate)

    def waits(self) -> dict[str, Wait]:
        """Waits for the broker and for stores."""
        with self._lock:
            waits = dict(self._waits)
            now = _WAITS.get(self._progress.state)
            if now is not None:
                waited_s = time.monotonic() - self._since_s
                waits[now] = replace(waits[now], total_s=waits[now].total_s + waited_s)
            return waits

    # -- inside ----------------------------------------------------------------------------

    def _say(self, state: str) -> None:
        before = self._progress.state
        if state == before:
            return
        now_s = time.monotonic()
        if before in _WAITS:
            wait = self._waits[_WAITS[before]]
            waited_s = wait.total_s + now_s - self._since_s
            self._waits[_WAITS[before]] = Wait(wait.count, waited_s)
        if state in _WAITS:
            wait = self._waits[_WAITS[state]]
            self._waits[_WAITS[state]] = replace(wait, count=wait.count + 1)
        self._since_s = now_s
        self._progress = replace(self._progress, state=state)

    def _measure_lag(self) -> None:
        positions = self.commit.tracker.positions if self.commit is not None else {}
        lag = sum(max(0, end - positions.get(at, first)) for at, (first, end) in self.held.items())
        with self._lock:
            self._progress = replace(self._progress, lag=lag)


@contextmanager
def stopwatch(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time of a block to a stage of an epoch."""
    began_s = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began_s


def slowest(reports: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Seconds by stage of workers side by side: those of the slowest."""
    most: dict[str, float] = {}
    for report in reports:
        for stage, seconds in report.items():
            most[stage] = max(seconds, most.get(stage, 0.0))
    return most
