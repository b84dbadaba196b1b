"""The run as tasks, for engines that do tasks: this process, or Ray Data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from pbf_ray.batch.local import LocalEngine
from pbf_ray.batch.output import StagedFile
from pbf_ray.batch.quality.progress import QualityProgress
from pbf_ray.batch.quality.slices import (
    buckets_for,
    slices_of,
    uncounted,
    with_first_records,
)
from pbf_ray.batch.quality.sources import RecordSource
from pbf_ray.batch.quality.steps import (
    CountLines,
    LayersTask,
    ReadTask,
    Receipt,
    RollLayers,
    SplitRecords,
)
from pbf_ray.batch.quality.work import QualityOptions, QualityWork
from pbf_ray.errors import PbfRayError
from pbf_ray.streaming.books import Books

__all__ = ["TaskEngine", "TaskQuality"]

_FEW_BYTES: Final = 2 << 30


class TaskEngine(Protocol):
    """Does tasks, somewhere (``LocalEngine``, ``RayEngine``)."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def in_process(self) -> bool:
        """Whether tasks are done in this process, and see its memory."""

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """The results of all tasks, as they are done, in any order."""


class TaskQuality:
    """Two steps of tasks: records to rows, split by layer into files; layers to rolling quality.

    How the work is cut depends on the input alone, so every engine writes the same bytes. Memory
    follows the tasks at work: a piece of the input, or the layers of a bucket, each.

    Args:
        engine: Who does the tasks.
    """

    def __init__(self, engine: TaskEngine) -> None:
        self._engine = engine
        self.name = engine.name
        self.in_process = engine.in_process

    def run(
        self,
        source: RecordSource,
        work: QualityWork,
        options: QualityOptions,
        on_progress: Callable[[QualityProgress], None],
    ) -> tuple[list[StagedFile], Books]:
        """What was written, and what became of the records.

        Raises:
            PbfRayError: What a task raised.
        """
        slices = slices_of(
            source, split_bytes=options.split_bytes, split_records=options.split_records
        )
        pieces = uncounted(slices)
        few = sum(piece.end - piece.begin for piece in pieces) < _FEW_BYTES
        # Workers take longer to be told than to count these.
        counter: TaskEngine = LocalEngine() if few else self._engine
        counts = dict(counter.run(CountLines(), pieces))
        slices = with_first_records(slices, counts)
        buckets = buckets_for(source, slices, split_bytes=options.split_bytes)
        work = QualityWork(
            work.staging, work.job_id, work.clock_us, work.semantics, work.sources, buckets
        )
        reading = [ReadTask(piece, n, len(slices)) for n, piece in enumerate(slices)]
        split = self._step("reading", SplitRecords(work), reading, on_progress, 0)
        books = Books()
        for receipt in split:
            books.add(receipt.books)
        layers = [
            LayersTask(
                bucket,
                tuple((r.split, r.batches[bucket]) for r in split if bucket in r.batches),
            )
            for bucket in range(buckets)
            if any(bucket in r.batches for r in split)
        ]
        rolled = self._step("layers", RollLayers(work), layers, on_progress, books.consumed)
        for receipt in rolled:
            books.add(receipt.books)
        return [file for receipt in [*split, *rolled] for file in receipt.files], books

    def _step(
        self,
        step: str,
        do: Callable[[Any], Receipt],
        tasks: Sequence[Any],
        on_progress: Callable[[QualityProgress], None],
        records: int,
    ) -> list[Receipt]:
        receipts: list[Receipt] = []
        on_progress(QualityProgress(step, len(tasks), 0, records))
        for receipt in self._engine.run(do, tasks):
            receipts.append(receipt)
            records += receipt.books.consumed
            on_progress(QualityProgress(step, len(tasks), len(receipts), records))
        if len(receipts) != len(tasks):
            raise PbfRayError(
                f"the {self.name} engine gave {len(receipts)} receipts for {len(tasks)} tasks",
                advice="this is a defect in pbf_ray: nothing was replaced; please report it",
            )
        return sorted(receipts, key=lambda receipt: receipt.number)
