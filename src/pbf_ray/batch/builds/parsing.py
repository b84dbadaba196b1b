"""A task as tables: what Ray Data, Spark and the process itself all call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa

from pbf_ray.batch.builds.opened import open_task
from pbf_ray.batch.builds.summaries import SUMMARY_TABLES, LayerSummaries
from pbf_ray.batch.builds.tasks import ParseTask, layers_of_part
from pbf_ray.batch.builds.vectors import vectors_of
from pbf_ray.contracts import BUILD_ERRORS, BUILD_OUTPUTS
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildBatch, BuildFile, Damage
from pbf_ray.formats.advice import advice_on

__all__ = ["HEADER_TABLES", "PART_TABLES", "Part", "What", "failure_row", "rows_of", "schema_of"]

What: TypeAlias = Literal[
    "vectors",
    "layers",
    "layer_models",
    "layer_lasers",
    "layer_exposures",
    "build_styles",
    "models",
    "metadata",
    "errors",
]
"""What of build files is asked for: a table of the output."""

PART_TABLES: Final = ("vectors", *SUMMARY_TABLES)
"""Tables with rows from every layer."""
HEADER_TABLES: Final = ("build_styles", "models", "metadata")
"""Tables with what stands once in a file."""

_LABELS: Final = pa.schema(
    [pa.field("build", pa.string(), nullable=False), pa.field("file", pa.string(), nullable=False)]
)


class Part:
    """The share of a file that a task is for.

    Args:
        task: The task.

    Raises:
        BuildFileError: The file cannot be opened.
        InputFileError: This machine does not see it.

    Attributes:
        first: Its first layer.
        behind: The layer behind its last.
        layers_left_out: Damaged layers among those that were read so far.
        problems: Rows of ``contracts.BUILD_ERRORS``: what was wrong so far.
    """

    def __init__(self, task: ParseTask) -> None:
        self._task = task
        self._opened = open_task(task)
        self.first, self.behind = layers_of_part(self.build, task.part, task.parts)
        self.layers_left_out = 0
        self.problems: list[dict[str, Any]] = []
        # What opening met goes to the part that has its layer: reading that may meet it again, and
        # then it is said once.
        for damage in self.build.damage:
            if self._has(damage.layer):
                self._note(damage, "recovered")
        if task.part == 0:
            for warning in self.build.warnings:
                self._note(warning, "warning")

    @property
    def build(self) -> BuildFile:
        """The opened file."""
        return self._opened.build

    def header(self, table: str) -> pa.Table:
        """One of ``HEADER_TABLES``: rows in the first part, none in others."""
        whole = {
            "build_styles": self.build.build_styles,
            "models": self.build.models,
            "metadata": self.build.metadata_table,
        }[table]
        return whole if self._task.part == 0 else whole.slice(0, 0)

    def batches(self, batch_layers: int | None = None) -> Iterator[BuildBatch]:
        """The layers, in order, in batches of bounded size.

        Raises:
            BuildFileError: A layer is damaged, and is not to be left out.
        """
        for batch in self.build.scan(batch_layers, start=self.first, stop=self.behind):
            for damage in batch.damage:
                self.layers_left_out += 1
                self._drop_recovered(damage)
                self._note(damage, "layer_left_out")
            yield batch

    def _has(self, layer: int | None) -> bool:
        if layer is None or not 0 <= layer < len(self.build):
            return self._task.part == 0
        return self.first <= layer < self.behind

    def _drop_recovered(self, damage: Damage) -> None:
        same = (damage.code, damage.byte_offset, damage.member or None, "recovered")
        self.problems = [
            row
            for row in self.problems
            if (row["code"], row["byte_offset"], row["member"], row["effect"]) != same
        ]

    def _note(self, damage: Damage, effect: str) -> None:
        self.problems.append(
            {
                "build": self._task.file.build,
                "file": self._task.file.url,
                "effect": effect,
                "code": damage.code,
                "byte_offset": damage.byte_offset,
                "member": damage.member or None,
                "layer": damage.layer,
                "problem": damage.problem,
                "advice": (
                    None if effect == "warning" else advice_on(damage.code, skipped=True) or None
                ),
            }
        )


def failure_row(task: ParseTask, error: BuildFileError) -> dict[str, Any]:
    """The row of ``contracts.BUILD_ERRORS`` for a file that is left out."""
    return {
        "build": task.file.build,
        "file": task.file.url,
        "effect": "file_left_out",
        "code": error.code,
        "byte_offset": error.byte_offset,
        "member": None,
        "layer": error.layer,
        "problem": error.problem,
        "advice": error.advice or None,
    }


def schema_of(what: What) -> pa.Schema:
    """The columns of ``rows_of``: the table's, behind ``build`` and ``file``."""
    return pa.schema(
        [*_LABELS, *(field for field in BUILD_OUTPUTS[what] if field.name not in _LABELS.names)]
    )


def rows_of(task: ParseTask, what: What) -> Iterator[pa.Table]:
    """The rows of a task, in batches of bounded size; with ``schema_of(what)``.

    The errors are always those of a tolerant reading, so they do not depend on how a file is
    split, and none hides another.

    Raises:
        BuildFileError: The file is damaged, and damage is not skipped.
    """
    if what == "errors":
        yield _errors(task)
        return
    try:
        part = Part(task)
        if what in HEADER_TABLES:
            yield _labelled(part.header(what), task, what)
            return
        if what == "vectors":
            for batch in part.batches():
                yield _labelled(vectors_of(batch), task, what)
            return
        summaries = LayerSummaries(part.build, part.first, task.options.machine)
        for batch in part.batches():
            yield _labelled(summaries.of(batch)[what], task, what)
    except BuildFileError:
        if task.options.on_damage == "fail":
            raise


def _errors(task: ParseTask) -> pa.Table:
    tolerant = replace(task, options=replace(task.options, on_damage="skip"))
    try:
        part = Part(tolerant)
    except BuildFileError as error:
        # Of a file that cannot be opened at all, every part would say the same.
        return pa.Table.from_pylist(
            [failure_row(task, error)] if task.part == 0 else [], BUILD_ERRORS
        )
    for _ in part.batches():
        pass
    return pa.Table.from_pylist(part.problems, BUILD_ERRORS)


def _labelled(table: pa.Table, task: ParseTask, what: What) -> pa.Table:
    labels = [pa.repeat(text, len(table)) for text in (task.file.build, task.file.url)]
    return pa.table([*labels, *table.columns], schema=schema_of(what))
