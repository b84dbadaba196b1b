"""A task to files: the layers of its part, written where no reader looks until all is done."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from pbf_ray.batch.builds.parsing import HEADER_TABLES, PART_TABLES, Part, failure_row
from pbf_ray.batch.builds.summaries import LayerSummaries
from pbf_ray.batch.builds.tasks import ParseTask
from pbf_ray.batch.builds.vectors import vectors_of
from pbf_ray.batch.output import StagedFile
from pbf_ray.batch.places import Place
from pbf_ray.batch.table_files import TableFile, build_folder, part_name, table_file
from pbf_ray.contracts import BUILD_OUTPUTS
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildBatch

__all__ = ["PartWriter", "Receipt"]


@dataclass(frozen=True)
class Receipt:
    """What came of a task; small and picklable.

    Attributes:
        build: Name of the build.
        part: Which part of its file this was.
        failed: Whether the file cannot be read; its files do not count then.
        format: What it is, None if that is not known.
        file_layers: Layers of the whole file, None if it could not be opened.
        layers: Layers of this part.
        layers_left_out: Damaged ones among them.
        geometries: Rows of ``vectors``.
        points: Coordinate rows.
        file_bytes: Share of the file's bytes, for the progress.
        files: What was written.
        problems: Rows of ``contracts.BUILD_ERRORS``.
        host: The machine that wrote it.
    """

    build: str
    part: int
    failed: bool
    format: str | None = None
    file_layers: int | None = None
    layers: int = 0
    layers_left_out: int = 0
    geometries: int = 0
    points: int = 0
    file_bytes: int = 0
    files: tuple[StagedFile, ...] = ()
    problems: tuple[dict[str, Any], ...] = ()
    host: str = ""


@dataclass
class _Counts:
    layers: int = 0
    geometries: int = 0
    points: int = 0

    def add(self, batch: BuildBatch) -> None:
        self.layers += len(batch.layers)
        self.geometries += len(batch.geometries)
        self.points += len(batch.coordinates)


@dataclass(frozen=True)
class PartWriter:
    """Does tasks; small and picklable, for it goes to every worker.

    Attributes:
        staging: The folder to write to.
    """

    staging: Place
    _suffix: str = field(default=".staged", repr=False)

    def __call__(self, task: ParseTask) -> Receipt:
        """Parse a part of a file and write its tables.

        A bad file is a receipt that says so. What goes wrong otherwise (the output cannot be
        written, this machine does not see the file) is raised.

        Raises:
            InputFileError: This machine does not see the file.
            StoreUnavailableError: The output cannot be written.
        """
        share = task.file.size // task.parts
        try:
            part = Part(task)
        except BuildFileError as error:
            return self._failed(task, error, share)
        # The name is this attempt's own: a task that is done twice cannot write into itself.
        attempt = f"{task.part:05d}-{secrets.token_hex(4)}"
        tables = (*PART_TABLES, *(HEADER_TABLES if task.part == 0 else ()))
        counts = _Counts()
        try:
            with ExitStack() as stack:
                files = {
                    table: stack.enter_context(
                        table_file(
                            self.staging / self._staged(table, task, attempt),
                            BUILD_OUTPUTS[table],
                        )
                    )
                    for table in tables
                }
                for table in set(tables) & set(HEADER_TABLES):
                    files[table].write(part.header(table))
                summaries = LayerSummaries(part.build, part.first, task.options.machine)
                for batch in part.batches():
                    counts.add(batch)
                    _write_by_layer(files["vectors"], batch)
                    for table, rows in summaries.of(batch).items():
                        files[table].write(rows)
        except BuildFileError as error:
            return self._failed(task, error, share, part)
        return Receipt(
            build=task.file.build,
            part=task.part,
            failed=False,
            format=part.build.format,
            file_layers=len(part.build),
            layers=counts.layers,
            layers_left_out=part.layers_left_out,
            geometries=counts.geometries,
            points=counts.points,
            file_bytes=share,
            files=tuple(
                StagedFile(
                    name="/".join(
                        (
                            build_folder(table, task.file.build),
                            part_name(task.part, task.parts),
                        )
                    ),
                    staged=self._staged(table, task, attempt),
                    rows=files[table].rows,
                )
                for table in tables
                # A part without layers has nothing to say, but a table is there for every build.
                if files[table].rows or task.part == 0
            ),
            problems=tuple(part.problems),
            host=socket.gethostname(),
        )

    def _staged(self, table: str, task: ParseTask, attempt: str) -> str:
        return f"{build_folder(table, task.file.build)}/{attempt}{self._suffix}"

    @staticmethod
    def _failed(
        task: ParseTask, error: BuildFileError, share: int, part: Part | None = None
    ) -> Receipt:
        return Receipt(
            build=task.file.build,
            part=task.part,
            failed=True,
            format=part.build.format if part is not None else None,
            file_layers=len(part.build) if part is not None else None,
            file_bytes=share,
            problems=(failure_row(task, error),),
            host=socket.gethostname(),
        )


def _write_by_layer(vectors: TableFile, batch: BuildBatch) -> None:
    """A row group is a layer, so that a layer can be read on its own."""
    rows = vectors_of(batch)
    firsts = batch.layers["first_geometry"].to_pylist()
    counts = batch.layers["geometry_count"].to_pylist()
    for first, count in zip(firsts, counts, strict=True):
        vectors.write(rows.slice(first, count))
