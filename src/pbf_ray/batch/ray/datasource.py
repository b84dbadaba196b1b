"""Build files as a Ray Data dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from pbf_ray.batch.builds.inputs import InputPath, find_inputs
from pbf_ray.batch.builds.parsing import What, rows_of, schema_of
from pbf_ray.batch.builds.tasks import SPLIT_BYTES, ParseTask, ReadingOptions, split

__all__ = ["BuildDatasource", "read_builds"]

_GROWTH: Final = 4
"""Bytes in memory per byte of a file, at a guess; binary files have 1 to 2, text has 1."""


class BuildDatasource(Datasource):
    """A read task per task of the pipeline; blocks are batches of layers.

    Args:
        tasks: What is to be read.
        what: Which table of it.
    """

    def __init__(self, tasks: Sequence[ParseTask], what: What) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tasks = tuple(tasks)
        self._what = what

    def get_name(self) -> str:
        """What Ray calls its read tasks."""
        return f"Builds:{self._what}"

    def estimate_inmemory_data_size(self) -> int | None:
        """About how many bytes the rows take; None where that cannot be told from the files."""
        if self._what != "vectors":
            return None
        return _GROWTH * sum(task.file.size // task.parts for task in self._tasks)

    def get_read_tasks(
        self,
        parallelism: int,  # noqa: ARG002 - the files decide
        per_task_row_limit: int | None = None,
        data_context: Any = None,  # noqa: ARG002 - as in Ray
    ) -> list[ReadTask]:
        """A read task per task, in their order."""
        schema = schema_of(self._what)
        return [
            ReadTask(
                _reading(task, self._what),
                BlockMetadata(
                    num_rows=None, size_bytes=None, input_files=(task.file.url,), exec_stats=None
                ),
                schema=schema,
                per_task_row_limit=per_task_row_limit,
            )
            for task in self._tasks
        ]


def read_builds(
    paths: Iterable[InputPath],
    what: What = "vectors",
    *,
    options: ReadingOptions | None = None,
    split_bytes: int = SPLIT_BYTES,
) -> ray.data.Dataset:
    """See ``pbf_ray.batch.read_builds``."""
    tasks = split(find_inputs(paths).files, options or ReadingOptions(), split_bytes=split_bytes)
    dataset: ray.data.Dataset = ray.data.read_datasource(
        BuildDatasource(tasks, what), override_num_blocks=max(1, len(tasks))
    )
    return dataset


def _reading(task: ParseTask, what: What) -> Callable[[], Iterable[pa.Table]]:
    return partial(rows_of, task, what)
