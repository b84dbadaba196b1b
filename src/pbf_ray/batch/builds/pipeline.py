"""The pipeline from build files to Parquet, whatever engine does the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import pyarrow as pa

from pbf_ray.batch.builds.inputs import FoundInputs, InputFile, InputPath, find_inputs
from pbf_ray.batch.builds.tasks import SPLIT_BYTES, ParseTask, ReadingOptions, split
from pbf_ray.batch.builds.writing import PartWriter, Receipt
from pbf_ray.batch.output import TablesOutput
from pbf_ray.batch.places import place_of
from pbf_ray.contracts import BUILD_ERRORS, BUILD_FILES, BUILD_OUTPUTS
from pbf_ray.errors import PbfRayError

__all__ = ["BuildsProgress", "Engine", "ParsedBuilds", "parse_builds"]


class Engine(Protocol):
    """Does tasks, somewhere."""

    @property
    def name(self) -> str:
        """``"local"``, ``"ray"`` or ``"spark"``."""

    @property
    def in_process(self) -> bool:
        """Whether tasks are done in this process, and see its memory."""

    def run(
        self, work: Callable[[ParseTask], Receipt], tasks: Sequence[ParseTask]
    ) -> Iterator[Receipt]:
        """The receipts of all tasks, as they are done, in any order.

        Raises:
            PbfRayError: What a task raised; the others are given up.
        """


@dataclass(frozen=True)
class BuildsProgress:
    """Where a run is.

    Attributes:
        files: Files to be read.
        tasks: Tasks that they make.
        tasks_done: How many are done.
        total_bytes: Bytes of all files.
        bytes_done: Bytes of the tasks that are done.
        layers: Layers so far.
        geometries: Geometries so far.
        failed: Files of which a part could not be read.
    """

    files: int
    tasks: int
    total_bytes: int
    tasks_done: int = 0
    bytes_done: int = 0
    layers: int = 0
    geometries: int = 0
    failed: int = 0

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class ParsedBuilds:
    """What came of a run.

    Attributes:
        output: Where the tables are.
        files: ``contracts.BUILD_FILES``: a row per file that was found.
        errors: ``contracts.BUILD_ERRORS``: what was wrong with them.
        tasks: How many tasks they made.
        rows: Rows by table.
    """

    output: str
    files: pa.Table
    errors: pa.Table
    tasks: int
    rows: dict[str, int]

    @property
    def by_status(self) -> dict[str, int]:
        """Files by status: read, partial, failed, skipped."""
        counts = Counter(self.files["status"].to_pylist())
        return {status: counts[status] for status in ("read", "partial", "failed", "skipped")}

    @property
    def whole(self) -> bool:
        """Whether every build file was read whole."""
        return not (self.by_status["failed"] or self.by_status["partial"])


def parse_builds(
    paths: Iterable[InputPath],
    output: InputPath,
    *,
    engine: Engine,
    options: ReadingOptions | None = None,
    split_bytes: int = SPLIT_BYTES,
    on_progress: Callable[[BuildsProgress], None] | None = None,
) -> ParsedBuilds:
    """Read build files and write their tables; ``contracts.BUILD_OUTPUTS`` says which.

    The tables do not depend on the engine, and neither do the bytes of their files. A file that
    cannot be read does not stop the others.

    Args:
        paths: Files, folders, globs, URLs: see ``find_inputs``.
        output: A folder or URL for the tables; what an earlier run left there is replaced.
        engine: Who does the work.
        options: How files are read.
        split_bytes: Bytes of a file that one task reads, about.
        on_progress: Told whenever a task is done, and once before.

    Raises:
        PbfRayError: The inputs or the output cannot be used; nothing is replaced then.
    """
    options = options or ReadingOptions()
    target = place_of(output)
    if target.only_here and not engine.in_process:
        raise PbfRayError(
            f"{target.url} is the memory of this process, which workers do not see",
            advice="use --engine local, or another output",
        )
    found = find_inputs(paths)
    if not engine.in_process and any(place_of(file.url).only_here for file in found.files):
        raise PbfRayError(
            "memory:// files are in this process, and workers do not see them",
            advice="use --engine local",
        )
    tasks = split(found.files, options, split_bytes=split_bytes)
    place = TablesOutput(target, BUILD_OUTPUTS, "parsed build files")
    place.prepare()
    try:
        receipts = _receipts(engine, PartWriter(place.staging), found.files, tasks, on_progress)
        files, errors = _files_table(found, receipts), _errors_table(receipts)
        staged = [
            file
            for parts in receipts.values()
            if not any(receipt.failed for receipt in parts)
            for receipt in parts
            for file in receipt.files
        ]
        staged += [place.write_table("files", files), place.write_table("errors", errors)]
        rows: Counter[str] = Counter()
        for file in staged:
            rows[file.name.partition("/")[0]] += file.rows
        parsed = ParsedBuilds(target.url, files, errors, len(tasks), dict(rows))
        place.commit(staged, {"files_by_status": parsed.by_status, "rows": parsed.rows})
    except BaseException:
        place.abandon()
        raise
    return parsed


def _receipts(
    engine: Engine,
    work: PartWriter,
    files: Sequence[InputFile],
    tasks: Sequence[ParseTask],
    on_progress: Callable[[BuildsProgress], None] | None,
) -> dict[str, list[Receipt]]:
    receipts: dict[str, list[Receipt]] = {file.build: [] for file in files}
    done = BuildsProgress(len(files), len(tasks), sum(file.size for file in files))
    failed = set()
    if on_progress is not None:
        on_progress(done)
    for receipt in engine.run(work, tasks):
        receipts[receipt.build].append(receipt)
        if receipt.failed:
            failed.add(receipt.build)
        done = BuildsProgress(
            files=done.files,
            tasks=done.tasks,
            total_bytes=done.total_bytes,
            tasks_done=done.tasks_done + 1,
            bytes_done=done.bytes_done + receipt.file_bytes,
            layers=done.layers + receipt.layers,
            geometries=done.geometries + receipt.geometries,
            failed=len(failed),
        )
        if on_progress is not None:
            on_progress(done)
    if done.tasks_done != len(tasks):
        raise PbfRayError(
            f"the {engine.name} engine gave {done.tasks_done} receipts for {len(tasks)} tasks",
            advice="this is a defect in pbf_ray: nothing was replaced; please report it",
        )
    for parts in receipts.values():
        parts.sort(key=lambda receipt: receipt.part)
    return receipts


def _files_table(found: FoundInputs, receipts: dict[str, list[Receipt]]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for file in found.files:
        parts = receipts[file.build]
        failed = any(receipt.failed for receipt in parts)
        left_out = sum(receipt.layers_left_out for receipt in parts)
        recovered = any(
            row["effect"] == "recovered" for receipt in parts for row in receipt.problems
        )
        rows.append(
            {
                "build": file.build,
                "file": file.url,
                "status": "failed" if failed else "partial" if left_out or recovered else "read",
                "format": next((part.format for part in parts if part.format), None),
                "file_bytes": file.size,
                "layers": next((p.file_layers for p in parts if p.file_layers is not None), None),
                "layers_left_out": None if failed else left_out,
                "geometries": None if failed else sum(part.geometries for part in parts),
                "points": None if failed else sum(part.points for part in parts),
            }
        )
    rows += [
        {"file": file.url, "status": "skipped", "file_bytes": file.size} for file in found.skipped
    ]
    return pa.Table.from_pylist(rows, BUILD_FILES)


def _errors_table(receipts: dict[str, list[Receipt]]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for parts in receipts.values():
        failed = [receipt for receipt in parts if receipt.failed]
        # Of a file that is left out, the first error says why; it is the same however it is split.
        for receipt in failed[:1] or parts:
            rows += receipt.problems
    return pa.Table.from_pylist(rows, BUILD_ERRORS)
