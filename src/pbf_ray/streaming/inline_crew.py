"""A crew without processes: every call is done at once, here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from pbf_ray.streaming.crew import (
    ReaderWork,
    ReadReport,
    StandingPoint,
    WindowReport,
    WindowWork,
)
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.window_step import WindowStep

__all__ = ["InlineCrew"]

T = TypeVar("T")


class InlineCrew:
    """Runs the plain work in the caller's thread: for tests, and inputs too small for Ray.

    Args:
        readers: Work of each reader.
        windows: Work of each window worker.
    """

    def __init__(self, readers: Sequence[ReaderWork], windows: Sequence[WindowWork]) -> None:
        self._readers = readers
        self._windows = windows
        self.readers = len(readers)
        self.windows = len(windows)

    def read(
        self,
        reader: int,
        plan: EpochPlan,
        ranges: Mapping[PartitionId, OffsetRange],
        stamp: RowStamp,
    ) -> tuple[Future[ReadReport], Sequence[Any]]:
        """Read now; a failure stands in the future."""
        report: Future[ReadReport] = Future()
        try:
            result, tables = self._readers[reader].read(plan, ranges, stamp)
        except Exception as error:  # noqa: BLE001 - it is the future's to tell
            report.set_exception(error)
            return report, []
        report.set_result(result)
        return report, tables

    def apply(self, window: int, step: WindowStep, routed: Sequence[Any]) -> Future[WindowReport]:
        """Apply now."""
        return _done(lambda: self._windows[window].apply(step, routed))

    def restore(self, window: int, point: StandingPoint) -> Future[None]:
        """Restore now."""
        return _done(lambda: self._windows[window].restore(point))

    def ready(self) -> list[Future[Any]]:
        """All run already."""
        return []

    def needs(self) -> str:
        """Nothing."""
        return "nothing"

    def repair(self) -> None:
        """Nobody here can die alone."""

    def close(self) -> None:
        """Nothing is running."""


def _done(work: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - it is the future's to tell
        future.set_exception(error)
    return future
