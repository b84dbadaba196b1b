"""``from_json`` of PySpark over a batch of records."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pbf_ray.decode import CORRUPT_RECORD
from support.semantics.oddities import FLAGGED, NULL, ROW, VOID

__all__ = [
    "SparkDecoded",
    "from_spark",
    "setting",
    "spark_dropmalformed",
    "spark_failfast",
    "spark_permissive",
    "to_spark",
]

_PROBE: Final = "probe of void records"
_OPENING: Final = re.compile(rb"[ \t\r\n]*\{")


@contextmanager
def no_pandas_warning() -> Iterator[None]:
    """PySpark warns of pandas 3 whenever it meets Arrow; no pandas is used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        yield


def to_spark(spark: Any, table: pa.Table) -> Any:
    """The table as a Spark frame."""
    with no_pandas_warning():
        return spark.createDataFrame(table)


def from_spark(frame: Any) -> pa.Table:
    """The rows of a Spark frame."""
    with no_pandas_warning():
        return frame.toArrow().combine_chunks()


@contextmanager
def setting(spark: Any, key: str, value: str) -> Iterator[None]:
    """A setting of the session that other tests use too, as long as the block lasts."""
    before = spark.conf.get(key)
    spark.conf.set(key, value)
    try:
        yield
    finally:
        spark.conf.set(key, before)


@dataclass(frozen=True, eq=False)
class SparkDecoded:
    """What PySpark makes of a batch in mode PERMISSIVE.

    Attributes:
        table: A row per value: the fields of the schema.
        kinds: Per value ``row``, ``flagged``, ``void`` or ``null``.
        corrupt: ``_corrupt_record`` per value: its bytes.
        corrupt_text: The same as Java reads these bytes.
    """

    table: pa.Table
    kinds: list[str]
    corrupt: pa.Array
    corrupt_text: pa.Array


def spark_permissive(spark: Any, values: Sequence[bytes | None], schema: pa.Schema) -> SparkDecoded:
    """Decode a batch.

    Spark shows a void record, and one of which no field could be converted, alike. To tell them
    apart, those are decoded once more with a first field put in that can be converted.
    """
    table, is_null, corrupt, text = _permissive(spark, values, schema)
    kinds = np.where(is_null, NULL, np.where(corrupt.is_valid(), FLAGGED, ROW)).tolist()
    some = np.zeros(len(values), np.bool_)
    for column in table.columns:
        some |= np.asarray(column.combine_chunks().is_valid())
    unclear = [i for i, kind in enumerate(kinds) if kind == FLAGGED and not some[i]]
    if unclear:
        probes = [_probed(values[i]) for i in unclear]
        probed, *_ = _permissive(spark, probes, schema.append(pa.field(_PROBE, pa.int32())))
        for i, probe in zip(unclear, probed[_PROBE].to_pylist(), strict=True):
            kinds[i] = VOID if probe is None else FLAGGED
    return SparkDecoded(table, kinds, corrupt, text)


def _permissive(
    spark: Any, values: Sequence[bytes | None], schema: pa.Schema
) -> tuple[pa.Table, Any, pa.Array, pa.Array]:
    from pyspark.sql import functions as F  # noqa: N812 - its usual name
    from pyspark.sql.pandas.types import from_arrow_schema

    wanted = from_arrow_schema(schema.append(pa.field(CORRUPT_RECORD, pa.string())))
    frame = to_spark(
        spark, pa.table({"i": np.arange(len(values)), "value": pa.array(values, pa.binary())})
    )
    decoded = F.from_json(F.col("value").cast("string"), wanted)
    # Java's decoder replaces what is no UTF-8, as it does in from_json; by default decode() fails
    with setting(spark, "spark.sql.legacy.codingErrorAction", "true"):
        rows = (
            frame.select("i", decoded.alias("d"))
            .select("i", F.isnull("d").alias("is null"), "d.*")
            # it may be no UTF-8: its bytes, and what Java's decoder makes of them
            .withColumn(CORRUPT_RECORD, F.col(CORRUPT_RECORD).cast("binary"))
            .withColumn("text", F.decode(CORRUPT_RECORD, "UTF-8"))
        )
        found = from_spark(rows).sort_by("i").combine_chunks()
    assert found.num_rows == len(values)
    is_null = np.asarray(found["is null"].combine_chunks())
    corrupt, text = found[CORRUPT_RECORD].combine_chunks(), found["text"].combine_chunks()
    return found.select(schema.names).cast(schema), is_null, corrupt, text


def _probed(value: bytes | None) -> bytes | None:
    opening = _OPENING.match(value or b"")
    if value is None or opening is None:
        return value
    return b'%s"%s":1,%s' % (opening[0], _PROBE.encode(), value[opening.end() :])


def spark_dropmalformed(spark: Any, values: Sequence[bytes | None], schema: pa.Schema) -> pa.Table:
    """What ``spark.read.json`` in mode DROPMALFORMED leaves of a batch, in its order."""
    from pyspark.sql.pandas.types import from_arrow_schema

    texts = to_spark(spark, pa.table({"value": pa.array(values, pa.binary())})).coalesce(1)
    reader = spark.read.schema(from_arrow_schema(schema)).option("mode", "DROPMALFORMED")
    found = from_spark(reader.json(texts.selectExpr("CAST(value AS STRING) AS value")))
    return found.cast(schema)


def spark_failfast(
    spark: Any, values: Sequence[bytes | None], schema: pa.Schema
) -> pa.Table | None:
    """``from_json`` in mode FAILFAST; None where it fails for a malformed record."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name
    from pyspark.sql.pandas.types import from_arrow_schema

    frame = to_spark(
        spark, pa.table({"i": np.arange(len(values)), "value": pa.array(values, pa.binary())})
    )
    wanted = from_arrow_schema(schema)
    decoded = F.from_json(F.col("value").cast("string"), wanted, {"mode": "FAILFAST"})
    try:
        found = from_spark(frame.select("i", decoded.alias("d")).select("i", "d.*"))
    except Exception as error:
        if "MALFORMED_RECORD_IN_PARSING" in str(error):
            return None
        raise
    return found.sort_by("i").select(schema.names).combine_chunks().cast(schema)
