"""Tasks done by Ray Data: one row per task through ``map``, streamed back as they are done."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import ray
import ray.data
from ray.data import DataContext

from pbf_ray.batch.outcomes import attempt, result_of
from pbf_ray.errors import PbfRayError

__all__ = ["RayEngine"]

_BLOCKS_PER_CPU = 16
"""Many small tasks go together: enough parts that all CPUs end at about the same time."""

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class RayEngine:
    """Does tasks on the Ray that this process is connected to, one per CPU at a time.

    Tasks whose worker dies are done again; what they wrote before has a name of its own.
    """

    name = "ray"
    in_process = False

    def run(self, work: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> Iterator[_Result]:
        """The results as they are done.

        Raises:
            PbfRayError: What a task raised, or what Ray said.
        """
        if not tasks:
            return
        context = DataContext.get_current()
        shown, context.enable_progress_bars = context.enable_progress_bars, False
        logger = logging.getLogger("ray.data")
        level = logger.level
        logger.setLevel(logging.CRITICAL)  # what ends the work is raised; the rest is not for users
        try:
            rows = pa.table({"task": [pickle.dumps(task) for task in tasks]})
            cpus = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
            blocks = min(len(tasks), max(1, round(_BLOCKS_PER_CPU * cpus)))
            dataset = ray.data.from_arrow(rows, override_num_blocks=blocks).map_batches(
                _Worker(work), batch_format="pyarrow", batch_size=1, num_cpus=1
            )
            for row in dataset.iter_rows():
                yield result_of(row["outcome"])
        except ray.exceptions.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise PbfRayError(
                f"Ray failed: {type(error).__name__}: {lines[0] if lines else 'no reason given'}",
                advice="see the logs of Ray; --engine local needs none",
            ) from error
        finally:
            context.enable_progress_bars = shown
            logger.setLevel(level)


class _Worker:
    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def __call__(self, rows: pa.Table) -> pa.Table:
        outcomes = [attempt(self._work, task) for task in rows["task"].to_pylist()]
        return pa.table({"outcome": pa.array(outcomes, pa.binary())})
