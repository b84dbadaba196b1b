"""The batch form of the main job: records in, the tables of the stream out, on any engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pbf_ray.batch.output import StagedFile, TablesOutput
from pbf_ray.batch.places import Place, place_of
from pbf_ray.batch.quality.progress import QualityProgress
from pbf_ray.batch.quality.sources import BrokerAccess, FileRecords, RecordSource, find_records
from pbf_ray.batch.quality.work import EPOCH, QualityOptions, QualityWork
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import PbfRayError
from pbf_ray.streaming.books import Books

__all__ = ["BatchQuality", "QualityEngine", "run_quality"]

_CONTENT = "layer quality of a batch"


class QualityEngine(Protocol):
    """Does a run, somewhere."""

    @property
    def name(self) -> str:
        """``"local"``, ``"ray"`` or ``"spark"``."""

    @property
    def in_process(self) -> bool:
        """Whether the work is done in this process, and sees its memory."""

    def run(
        self,
        source: RecordSource,
        work: QualityWork,
        options: QualityOptions,
        on_progress: Callable[[QualityProgress], None],
    ) -> tuple[list[StagedFile], Books]:
        """What was written below the staging folder, and what became of the records.

        Raises:
            PbfRayError: The input cannot be read, or the engine fails.
        """


@dataclass(frozen=True)
class BatchQuality:
    """What came of a run.

    Attributes:
        output: Where the tables are.
        books: What became of the records.
        rows: Rows by table.
    """

    output: str
    books: Books
    rows: dict[str, int]


def run_quality(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    engine: QualityEngine,
    options: QualityOptions | None = None,
    access: BrokerAccess | None = None,
    on_progress: Callable[[QualityProgress], None] | None = None,
) -> BatchQuality:
    """Read records, judge them, compute the quality of their layers, write the tables.

    The tables are those of the stream (``contracts.OUTPUT_TABLES``) in mode ``strict`` over the
    same bounded input: no record is late, and those without a finite timestamp are kept.

    Args:
        inputs: Files, folders, patterns, URLs, or topics: see ``find_records``.
        output: A folder or URL for the tables; what an earlier run left there is replaced.
        engine: Who does the work.
        options: How records are read and judged.
        access: How topics are reached.
        on_progress: Told where the run is.

    Raises:
        PbfRayError: The input, the output or the engine cannot be used; nothing is replaced then.
        StoreError: A Delta table cannot be made; what was there before is gone then.
    """
    options = options or QualityOptions()
    semantics = options.semantics
    target = place_of(output)
    if options.table_format == "delta" and not target.local:
        raise PbfRayError(
            f"{target.url}: Delta Lake tables are written to a local or mounted folder",
            advice="use the format parquet for URLs",
        )
    source = find_records(inputs, access)
    _check_seen(engine, target.only_here, source)
    place = TablesOutput(
        target,
        {name: table.schema for name, table in OUTPUT_TABLES.items()},
        _CONTENT,
        finish=_as_delta if options.table_format == "delta" else None,
    )
    place.prepare()
    try:
        work = QualityWork(
            staging=place.staging,
            job_id=options.job_id,
            clock_us=time.time_ns() // 1000,
            semantics=semantics,
            sources=source.sources,
        )
        files, books = engine.run(source, work, options, on_progress or (lambda _: None))
        books.check(EPOCH)
        rows = dict.fromkeys(OUTPUT_TABLES, 0)
        for file in files:
            rows[file.name.partition("/")[0]] += file.rows
        _check_rows(rows, books, quality_metrics=semantics.quality_metrics)
        # A table without rows is a file without rows, so that readers find all of them.
        files += [
            place.write_table(name, table.schema.empty_table())
            for name, table in OUTPUT_TABLES.items()
            if not rows[name] and (semantics.quality_metrics or name != "quality_metrics")
        ]
        place.commit(files, {"books": books.to_plain(), "rows": rows})
    except BaseException:
        place.abandon()
        raise
    return BatchQuality(target.url, books, rows)


def _as_delta(table: str, place: Place) -> None:
    from pbf_ray.storage.deltaover import make_delta_table

    make_delta_table(Path(place.path), OUTPUT_TABLES[table])


def _check_seen(engine: QualityEngine, output_only_here: bool, source: RecordSource) -> None:
    """Workers in other processes do not see the memory of this one."""
    if engine.in_process:
        return
    if output_only_here or (
        isinstance(source, FileRecords)
        and any(place_of(file.url).only_here for file in source.files)
    ):
        raise PbfRayError(
            "memory:// is the memory of this process, which workers do not see",
            advice="use --engine local, or another place",
        )


def _check_rows(rows: dict[str, int], books: Books, *, quality_metrics: bool) -> None:
    """The tables hold what the books say: an engine that loses rows is found here."""
    wanted = {
        "ispm_monitoring": books.accepted,
        "ispm_anomalies": books.anomalies,
        "quality_metrics": books.accepted if quality_metrics else 0,
        "layer_quality": books.layers,
        "dead_letters": books.dead_letters,
    }
    for name, count in wanted.items():
        if rows[name] != count:
            raise PbfRayError(
                f"{name} has {rows[name]} rows, and the books say {count}",
                advice="this is a defect in pbf_ray: nothing was replaced; please report it",
            )
