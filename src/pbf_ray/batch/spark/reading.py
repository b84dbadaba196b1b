"""Build files as a Spark frame."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from pbf_ray.batch.builds.inputs import InputPath, find_inputs
from pbf_ray.batch.builds.parsing import What, rows_of, schema_of
from pbf_ray.batch.builds.tasks import SPLIT_BYTES, ReadingOptions, split
from pbf_ray.batch.spark.engine import as_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["read_builds"]


def read_builds(
    session: SparkSession,
    paths: Iterable[InputPath],
    what: What = "vectors",
    *,
    options: ReadingOptions | None = None,
    split_bytes: int = SPLIT_BYTES,
) -> DataFrame:
    """Build files as a Spark frame, by the same parser; as ``pbf_ray.batch.read_builds``.

    Args:
        session: The Spark session.
        paths: Files, folders, globs, or URLs of them, that all executors see.
        what: Which table.
        options: How files are read; the default stops at a bad file.
        split_bytes: Bytes of a file that one task reads, about.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    tasks = split(find_inputs(paths).files, options or ReadingOptions(), split_bytes=split_bytes)
    plain = pa.schema([pa.field(field.name, _plain(field.type)) for field in schema_of(what)])

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch["task"].to_pylist():
                for table in rows_of(pickle.loads(task), what):  # noqa: S301 - made here
                    yield from table.cast(plain).to_batches()

    return as_rows(session, tasks).mapInArrow(read, from_arrow_schema(plain))


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type that Spark has."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.list_(kind.value_type) if pa.types.is_fixed_size_list(kind) else kind
