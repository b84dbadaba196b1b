"""Tasks done by Spark: one row per task through ``mapInArrow``."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from pbf_ray.batch.outcomes import attempt, result_of
from pbf_ray.batch.spark.warned import without_pandas_warning
from pbf_ray.errors import PbfRayError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["SparkEngine", "as_rows", "spark_errors"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class SparkEngine:
    """Does tasks on a Spark session; results come when all are done.

    Args:
        session: The session.
    """

    name = "spark"
    in_process = False

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def run(self, work: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> Iterator[_Result]:
        """The results of all tasks.

        Raises:
            PbfRayError: What a task raised, or what Spark said.
        """
        if not tasks:
            return

        def do(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for task in batch["task"].to_pylist():
                    yield pa.RecordBatch.from_pydict({"outcome": [attempt(work, task)]})

        with spark_errors():
            rows = as_rows(self._session, tasks).mapInArrow(do, "outcome binary").collect()
        for row in rows:
            yield result_of(bytes(row["outcome"]))


def as_rows(session: SparkSession, tasks: Sequence[object]) -> DataFrame:
    """A frame with a partition per task, its one column ``task`` being the pickled task."""
    from pyspark.sql import functions as f

    rows = [(number, bytearray(pickle.dumps(task))) for number, task in enumerate(tasks)]
    with without_pandas_warning():
        pickled = session.createDataFrame(rows, "id bigint, task binary")
    # Spark Connect has no RDDs, which could be cut so; a broadcast join leaves the cuts of a range.
    return session.range(0, len(rows), 1, len(rows)).join(f.broadcast(pickled), "id").select("task")


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turns what Spark raises into one line."""
    try:
        yield
    except PbfRayError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise PbfRayError(
            f"a Spark task failed: {lines[-1] if lines else type(error).__name__}",
            advice="see the logs of the executors",
        ) from error
