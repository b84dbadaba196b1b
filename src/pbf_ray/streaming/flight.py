"""An epoch under way: what was asked of the workers, and what has come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from pbf_ray.errors import StreamError
from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.crew import Crew, ReadReport, WindowReport
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.vitals import slowest

__all__ = ["Flight", "StoppedError", "await_start"]


class StoppedError(Exception):
    """Told to stop while waiting for workers."""


@dataclass
class Flight:
    """One epoch under way.

    Attributes:
        plan: The epoch.
        ranges: What each reader reads.
        reads: Answer of each reader.
        routed: Tokens of the routed rows, per reader and window worker.
        applies: Answers of the window workers; empty until all is read.
        stored: Answer of the stores.
        books: The books after the epoch, checked.
        write: What is being stored.
        seconds: Time by stage, so far.
    """

    plan: EpochPlan
    ranges: dict[int, dict[PartitionId, OffsetRange]]
    reads: dict[int, Future[ReadReport]] = field(default_factory=dict)
    routed: dict[int, Any] = field(default_factory=dict)
    applies: list[Future[WindowReport]] = field(default_factory=list)
    stored: Future[bool] | None = None
    books: Books | None = None
    write: EpochCommit | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def took(self, reports: Iterable[Mapping[str, float]]) -> None:
        """Note the seconds by stage of workers side by side: the slowest counts."""
        for stage, spent_s in slowest(reports).items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent_s

    def awaited(self) -> list[Future[Any]]:
        """What it waits for at present."""
        if self.stored is not None:
            return [self.stored]
        futures: list[Future[Any]] = list(self.applies or self.reads.values())
        return [future for future in futures if not future.done()]


def await_start(
    crew: Crew, waiting: list[Future[Any]], stop: threading.Event, patience_s: float
) -> None:
    """Wait until workers run and stand at the last commit.

    Args:
        crew: The workers, for the message.
        waiting: Their answers.
        stop: Ends the wait.
        patience_s: How long they may take.

    Raises:
        StreamError: If they do not start in time.
        StoppedError: If told to stop.
    """
    deadline_s = time.monotonic() + patience_s
    while pending := [future for future in waiting if not future.done()]:
        if stop.is_set():
            raise StoppedError
        if time.monotonic() > deadline_s:
            raise StreamError(
                f"the workers did not start within {patience_s:g} s: {crew.needs()}",
                advice="lower workers.readers, workers.windows or their CPU shares, or add "
                "nodes to the cluster",
            )
        wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
    for future in waiting:
        future.result()
