"""The workers that a pipeline drives, whatever runs them: reports, calls, and the plain work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from pbf_ray.contracts import DEAD_LETTERS, OUTPUT_TABLES, TableContract
from pbf_ray.errors import PbfRayError
from pbf_ray.kafka.partition_reader import ReadBatch
from pbf_ray.logs import get_logger
from pbf_ray.storage.base import StagedRows
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.event_time import EventTimeStep, ReadSummary
from pbf_ray.streaming.ingest import ingest, split_rows
from pbf_ray.streaming.manifest import WindowFiles
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.vitals import stopwatch
from pbf_ray.streaming.window import WindowOperator
from pbf_ray.streaming.window_step import WindowOutput, WindowStep

__all__ = [
    "Crew",
    "ReadReport",
    "ReaderWork",
    "Stage",
    "StandingPoint",
    "WindowReport",
    "WindowWork",
    "WorkerDiedError",
]


_log = get_logger(__name__)


class WorkerDiedError(Exception):
    """A worker is gone; what it was asked for has no answer."""


@dataclass(frozen=True)
class StandingPoint:
    """A commit, as far as window workers need it to start from."""

    epoch: int
    windows: tuple[WindowFiles, ...]
    time: EventTimeStep
    strict: bool


@dataclass(frozen=True)
class ReadReport:
    """What a reader found, and the seconds by stage that it took."""

    books: Books
    summary: ReadSummary
    staged: tuple[StagedRows, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WindowReport:
    """What a window worker did, and the seconds by stage that it took; its rows are staged."""

    output: WindowOutput
    staged: tuple[StagedRows, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)


class Crew(Protocol):
    """Readers and window workers.

    A call answers with a future, which may raise ``WorkerDiedError``; window workers take their
    calls in order.
    """

    readers: int
    windows: int

    def read(
        self,
        reader: int,
        plan: EpochPlan,
        ranges: Mapping[PartitionId, OffsetRange],
        stamp: RowStamp,
    ) -> tuple[Future[ReadReport], Sequence[Any]]:
        """Read ranges of an epoch; also gives a token of the routed rows per window worker."""

    def apply(self, window: int, step: WindowStep, routed: Sequence[Any]) -> Future[WindowReport]:
        """Apply an epoch to a window worker, with the tokens that ``read`` gave."""

    def restore(self, window: int, point: StandingPoint) -> Future[None]:
        """Set a window worker back to a commit."""

    def ready(self) -> list[Future[Any]]:
        """A future per worker, done when it runs."""

    def repair(self) -> None:
        """Replace the dead."""

    def needs(self) -> str:
        """What the workers need to run, for messages."""

    def close(self) -> None:
        """End all workers."""


class Stage(Protocol):
    """Puts rows where a later commit finds them (``storage.JobStores``)."""

    def stage(
        self, contract: TableContract, table: pa.Table, *, job_id: str, epoch: int, part: str
    ) -> tuple[StagedRows, ...]:
        """Put rows of one table there, invisibly."""


class _Reads(Protocol):
    def read(
        self, ranges: Mapping[tuple[str, int], tuple[int, int]], *, timeout_s: float
    ) -> ReadBatch: ...


class ReaderWork:
    """What a reader does; it has no state but its place in the partitions.

    Args:
        partitions: Reads exact ranges.
        stores: Where dead letters are staged.
        reader: Number of this reader.
        buckets: Hash buckets of the job.
        windows: Number of window workers.
        stall_s: How long nothing may arrive before the read fails, and the job says that it
            waits; what was received by then is kept for the next try.
        store_patience_s: How long a store may be away.
    """

    def __init__(
        self,
        partitions: _Reads,
        stores: Stage,
        *,
        reader: int,
        buckets: int,
        windows: int,
        stall_s: float = 6.0,
        store_patience_s: float = 60.0,
    ) -> None:
        self._partitions = partitions
        self._stores = stores
        self._reader = reader
        self._buckets = buckets
        self._windows = windows
        self._stall_s = stall_s
        self._patience_s = store_patience_s

    def read(
        self, plan: EpochPlan, ranges: Mapping[PartitionId, OffsetRange], stamp: RowStamp
    ) -> tuple[ReadReport, list[pa.Table]]:
        """Read, decode, judge and route the records of ranges of an epoch.

        Returns:
            The report, and a table of ``ROUTED_SCHEMA`` per window worker.
        """
        wanted = {(at.topic, at.partition): (held.start, held.stop) for at, held in ranges.items()}
        seconds: dict[str, float] = {}
        with stopwatch(seconds, "read"):
            batch = self._partitions.read(wanted, timeout_s=self._stall_s)
        with stopwatch(seconds, "decode"):
            result = ingest(batch, plan, stamp)
            tables = split_rows(result.rows, self._buckets, self._windows)
        with stopwatch(seconds, "stage"):
            staged = _staged(
                self._stores,
                DEAD_LETTERS.name,
                result.dead_letters,
                stamp,
                f"r{self._reader}",
                self._patience_s,
            )
        return ReadReport(result.books, result.summary, staged, seconds), tables


class WindowWork:
    """What a window worker does: its operator, and staging what comes out.

    Args:
        operator: The windows.
        stores: Where rows are staged.
        worker: Number of this worker.
        store_patience_s: How long a store may be away.
    """

    def __init__(
        self,
        operator: WindowOperator,
        stores: Stage,
        *,
        worker: int,
        store_patience_s: float = 60.0,
    ) -> None:
        self._patience_s = store_patience_s
        self._operator = operator
        self._stores = stores
        self._worker = worker

    def restore(self, point: StandingPoint) -> None:
        """Go back to a commit."""
        self._operator.restore(point.epoch, point.windows, point.time, strict=point.strict)

    def apply(self, step: WindowStep, routed: Sequence[pa.Table]) -> WindowReport:
        """Take in an epoch and stage what comes out."""
        staged: list[StagedRows] = []
        seconds: dict[str, float] = {"stage": 0.0}

        def emit(name: str, rows: pa.Table) -> None:
            part = f"w{self._worker}"
            with stopwatch(seconds, "stage"):
                staged.extend(_staged(self._stores, name, rows, step.stamp, part, self._patience_s))

        with stopwatch(seconds, "window"):
            output = self._operator.apply(step, routed, emit)
        seconds["window"] -= seconds["stage"]
        return WindowReport(output, tuple(staged), seconds)


def _staged(
    stores: Stage, name: str, rows: pa.Table, stamp: RowStamp, part: str, patience_s: float
) -> tuple[StagedRows, ...]:
    """Stage rows; a store that is away for a while is waited for."""
    return retry_transient(
        lambda: stores.stage(
            OUTPUT_TABLES[name], rows, job_id=stamp.job_id, epoch=stamp.epoch, part=part
        ),
        RetryPolicy(limit_s=patience_s),
        on_retry=_say_again,
    )


def _say_again(error: PbfRayError, pause_s: float) -> None:
    _log.warning("a store is away, trying again", problem=error.what, pause_s=pause_s)
