"""The records of a run as Spark frames: from JSON lines, Parquet or topics, decoded by Spark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.batch.quality.sources import FileRecords, RecordFile, RecordSource
from pbf_ray.batch.quality.topic_ranges import TopicRecords
from pbf_ray.batch.quality.work import QualityWork
from pbf_ray.batch.spark.expressions import record_schema
from pbf_ray.batch.spark.kafka_options import kafka_options
from pbf_ray.contracts import METADATA_FIELDS, RECORD_SCHEMA
from pbf_ray.decode import CORRUPT_RECORD, MAX_STRING_BYTES, from_json
from pbf_ray.errors import PbfRayError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["RecordFrames", "hadoop_url", "record_frames"]

_PLACE = ("topic", "partition", "offset", "source_id", "key_head", "kafka_timestamp")
_PLACE_SCHEMA = (
    "topic string, partition int, offset bigint, source_id string, key_head string, "
    "kafka_timestamp timestamp"
)
_REJECT_SCHEMA = f"{_PLACE_SCHEMA}, key binary, value binary, reason string, detail string"
_GLOB = re.compile(r"([\\*?\[\]{}])")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:/*")
_FIELDS = tuple(RECORD_SCHEMA.names)


@dataclass
class RecordFrames:
    """Records of a run.

    Attributes:
        records: Accepted records: positions, the fields of the record, ``flagged``.
        rejects: Records void as a whole: positions, ``key``, ``value``, ``reason``, ``detail``.
        consumed: How many records there are.
        cached: Frames that are kept, to be let go at the end.
    """

    records: DataFrame
    rejects: DataFrame
    consumed: int
    cached: list[DataFrame] = field(default_factory=list)


def record_frames(session: SparkSession, source: RecordSource, work: QualityWork) -> RecordFrames:
    """Read and decode the records of a source.

    ``from_json`` of Spark decodes. Only records that are nulls throughout though they are not
    empty objects, and those with strings that no store may hold, are looked at in Python: why they
    are void, or whether they are, Spark does not tell.

    Args:
        session: The session.
        source: What is to be read.
        work: The run.
    """
    raw: list[DataFrame] = []
    columns: list[DataFrame] = []
    consumed: int | None = 0
    if isinstance(source, TopicRecords):
        raw, consumed = [_of_topics(session, source, work)], None
    else:
        consumed = sum(sum(file.row_groups) for file in source.files)
        for kind, files in _by_kind(source):
            if kind == "json":
                frame, lines = _of_lines(session, files, work)
                raw += [frame] if lines else []
                consumed += lines
            elif kind == "values":
                raw.append(_of_values(session, files, work))
            else:
                columns.append(_of_columns(session, files, work))
    return _decoded(session, raw, columns, consumed)


def hadoop_url(url: str) -> str:
    """A place as Hadoop's file systems name it."""
    if "://" not in url:
        return url
    return re.sub(r"^s3://", "s3a://", url)


# -- decoding ------------------------------------------------------------------------------


def _decoded(
    session: SparkSession,
    raw: Sequence[DataFrame],
    columns: Sequence[DataFrame],
    consumed: int | None,
) -> RecordFrames:
    from pyspark.sql import functions as f

    cached: list[DataFrame] = []
    records: list[DataFrame] = []
    rejects: list[DataFrame] = []
    if raw:
        parsed = f.from_json(
            f.col("value").cast("string"),
            record_schema(CORRUPT_RECORD),
            {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT_RECORD},
        )
        rows = _union(raw).withColumn("record", parsed)
        empty = reduce(lambda a, b: a & b, (f.col(f"record.{name}").isNull() for name in _FIELDS))
        corrupt = f.col(f"record.{CORRUPT_RECORD}").isNotNull()
        doubtful = f.col("record").isNull() | (empty & corrupt) | _unstorable("record.")
        decoded = (
            rows.withColumn("doubtful", f.coalesce(doubtful, f.lit(False)))
            .select(
                *_PLACE,
                *(f.col(f"record.{name}").alias(name) for name in _FIELDS),
                corrupt.alias("flagged"),
                "doubtful",
                f.when(f.col("doubtful"), f.col("key")).alias("key"),
                f.when(f.col("doubtful"), f.col("value")).alias("value"),
            )
            .persist()
        )
        cached.append(decoded)
        if consumed is None:
            consumed = decoded.count()
        examined = (
            decoded.filter("doubtful")
            .select(*_PLACE, "key", "value")
            .mapInArrow(_examined, f"{_REJECT_SCHEMA}, {record_schema()}, flagged boolean")
            .persist()
        )
        cached.append(examined)
        kept = [*_PLACE, *_FIELDS, "flagged"]
        records += [
            decoded.filter(~f.col("doubtful")).select(*kept),
            examined.filter("reason IS NULL").select(*kept),
        ]
        rejects.append(examined.filter("reason IS NOT NULL").drop(*_FIELDS, "flagged"))
    for frame in columns:
        bad = f.coalesce(_unstorable(), f.lit(False))
        records.append(frame.filter(~bad).withColumn("flagged", f.lit(False)))
        rejects.append(
            frame.filter(bad).select(
                *_PLACE,
                f.lit(None).cast("binary").alias("key"),
                f.lit(None).cast("binary").alias("value"),
                f.lit("unstorable").alias("reason"),
                f.lit("a string holds U+0000 or is too long").alias("detail"),
            )
        )
    if not records:
        every = f"{_PLACE_SCHEMA}, {record_schema()}, flagged boolean"
        records, rejects = (
            [session.createDataFrame([], every)],
            [session.createDataFrame([], _REJECT_SCHEMA)],
        )
    return RecordFrames(_union(records), _union(rejects), consumed or 0, cached)


def _unstorable(prefix: str = "") -> Column:
    """Whether a string is one that no store may hold; null where all strings are null."""
    from pyspark.sql import functions as f

    names = [
        *(name for name in _FIELDS if str(RECORD_SCHEMA.field(name).type) == "string"),
        *(f"_metadata.{name}" for name in METADATA_FIELDS),
    ]
    checks = [
        f.coalesce(
            (f.instr(f.col(f"{prefix}{name}"), "\x00") > 0)
            | (f.octet_length(f"{prefix}{name}") > MAX_STRING_BYTES),
            f.lit(False),
        )
        for name in names
    ]
    return reduce(lambda a, b: a | b, checks)


def _examined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Doubtful records as our decoder reads them: a reason, or the fields."""
    for batch in batches:
        decoded = from_json(batch["value"].cast(pa.binary()), RECORD_SCHEMA, mode="dead_letter")
        count = batch.num_rows
        place = {decoded_at: row for row, decoded_at in enumerate(decoded.indices.to_pylist())}
        at = pa.array([place.get(index) for index in range(count)], pa.int64())
        why = {row["index"]: row for row in decoded.rejects.to_pylist()}
        fields = [column.combine_chunks() for column in decoded.table.columns]
        fields = [
            pa.concat_arrays(c.chunks) if isinstance(c, pa.ChunkedArray) else c for c in fields
        ]
        arrays = [
            *batch.columns,
            pa.array([why[n]["reason"] if n in why else None for n in range(count)], pa.string()),
            pa.array([why[n]["detail"] if n in why else None for n in range(count)], pa.string()),
            *(column.take(at) for column in fields),
            pc.fill_null(decoded.flagged.take(at), False),
        ]
        names = [*batch.schema.names, "reason", "detail", *_FIELDS, "flagged"]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


# -- files ---------------------------------------------------------------------------------


def _by_kind(source: FileRecords) -> Iterator[tuple[str, list[RecordFile]]]:
    """Files that can be read as one frame: of one kind, and of one schema where that counts."""
    files = sorted(source.files, key=lambda file: (file.kind, file.layout))
    for (kind, _), group in groupby(files, key=lambda file: (file.kind, file.layout)):
        yield kind, list(group)


def _of_lines(
    session: SparkSession, files: Sequence[RecordFile], work: QualityWork
) -> tuple[DataFrame, int]:
    """Lines with their numbers: Spark counts the lines of each split first, and has no numbers."""
    from pyspark.sql import functions as f

    lines = (
        session.read.option("lineSep", "\n")
        .option("recursiveFileLookup", "true")
        .text([_escaped(file) for file in files])
        .select(
            f.col("value").cast("binary").alias("value"),
            f.col("_metadata.file_path").alias("file_path"),
            f.col("_metadata.file_block_start").alias("block"),
            f.monotonically_increasing_id().alias("id"),
        )
    )
    blocks = (
        lines.groupBy("file_path", "block")
        .agg(f.min("id").alias("first"), f.count(f.lit(1)).alias("lines"))
        .collect()
    )
    known = {_bare(file.url): file for file in files}
    before: dict[str, int] = {}
    rows: list[tuple[Any, ...]] = []
    for block in sorted(blocks, key=lambda row: (row["file_path"], row["block"])):
        path = block["file_path"]
        number = before.get(path, 0)
        before[path] = number + block["lines"]
        file = _known(known, path)
        rows.append((path, block["block"], number - block["first"], *_position(file, work)))
    if not rows:
        return lines, 0
    schema = (
        "file_path string, block bigint, shift bigint, topic string, partition int, key_head string"
    )
    blocks_frame = f.broadcast(session.createDataFrame(rows, schema))
    frame = lines.join(blocks_frame, ["file_path", "block"]).select(
        "topic",
        "partition",
        (f.col("id") + f.col("shift")).alias("offset"),
        f.col("topic").alias("source_id"),
        "key_head",
        f.lit(None).cast("timestamp").alias("kafka_timestamp"),
        f.lit(None).cast("binary").alias("key"),
        "value",
    )
    return frame, sum(before.values())


def _of_parquet(
    session: SparkSession, files: Sequence[RecordFile], work: QualityWork, wanted: Iterable[Column]
) -> DataFrame:
    from pyspark.sql import functions as f

    frame = session.read.option("recursiveFileLookup", "true").parquet(
        *[_escaped(file) for file in files]
    )
    hidden = frame.metadataColumn("_metadata")
    rows = frame.select(
        *wanted, hidden["file_path"].alias("file_path"), hidden["row_index"].alias("offset")
    )
    known = {_bare(file.url): file for file in files}
    paths = [row["file_path"] for row in rows.select("file_path").distinct().collect()]
    places = [(path, *_position(_known(known, path), work)) for path in paths]
    schema = "file_path string, topic string, partition int, key_head string"
    return (
        rows.join(f.broadcast(session.createDataFrame(places, schema)), "file_path")
        .drop("file_path")
        .withColumn("source_id", f.col("topic"))
    )


def _of_values(session: SparkSession, files: Sequence[RecordFile], work: QualityWork) -> DataFrame:
    from pyspark.sql import functions as f

    names = dict(session.read.parquet(_escaped(files[0])).dtypes)
    key = f.col("key").cast("binary") if "key" in names else f.lit(None).cast("binary")
    stamp = f.lit(None).cast("timestamp")
    if names.get("timestamp", "").startswith("timestamp"):
        stamp = f.date_trunc("millisecond", f.col("timestamp"))
    wanted = [
        f.col("value").cast("binary").alias("value"),
        key.alias("key"),
        stamp.alias("kafka_timestamp"),
    ]
    return _of_parquet(session, files, work, wanted).select(*_PLACE, "key", "value")


def _of_columns(session: SparkSession, files: Sequence[RecordFile], work: QualityWork) -> DataFrame:
    from pyspark.sql import functions as f

    present = {name for name, _ in session.read.parquet(_escaped(files[0])).dtypes}
    kinds = {"string": "string", "double": "double", "int32": "int"}
    wanted = []
    for item in RECORD_SCHEMA:
        kind = (
            kinds.get(str(item.type))
            or "struct<" + ", ".join(f"{name}: string" for name in METADATA_FIELDS) + ">"
        )
        if item.name not in present:
            column = f.lit(None)
        elif kind.startswith("struct"):
            inner = f.struct(
                *(f.col(f"`{item.name}`.{name}").alias(name) for name in METADATA_FIELDS)
            )
            column = f.when(f.col(f"`{item.name}`").isNotNull(), inner)
        else:
            column = f.col(f"`{item.name}`")
        wanted.append(column.cast(kind).alias(item.name))
    frame = _of_parquet(session, files, work, wanted)
    stamp = f.lit(None).cast("timestamp").alias("kafka_timestamp")
    return frame.select(*_PLACE[:-1], stamp, *_FIELDS)


def _escaped(file: RecordFile) -> str:
    """A file as Spark wants paths: no sign in it stands for others."""
    return _GLOB.sub(r"\\\1", hadoop_url(file.url))


def _bare(url: str) -> str:
    return _SCHEME.sub("", url).lstrip("/")


def _known(known: dict[str, RecordFile], path: str) -> RecordFile:
    file = known.get(_bare(unquote(path)))
    if file is None:
        raise PbfRayError(f"Spark read {path}, which was not named", advice="please report it")
    return file


def _position(file: RecordFile, work: QualityWork) -> tuple[str, int, str]:
    return file.topic, file.partition, _key_head(work.job_id, file.topic)


def _key_head(job_id: str, source_id: str) -> str:
    """The beginning of the record keys of a source (``contracts.record_key``)."""
    return json.dumps([job_id, source_id], separators=(",", ":"))[:-1]


# -- topics --------------------------------------------------------------------------------


def _of_topics(session: SparkSession, source: TopicRecords, work: QualityWork) -> DataFrame:
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as f

    if not source.ranges:
        return session.createDataFrame([], f"{_PLACE_SCHEMA}, key binary, value binary")
    try:
        frame = session.read.format("kafka").options(**kafka_options(source)).load()
    except AnalysisException as error:
        raise PbfRayError(
            f"Spark cannot read from Kafka: {str(error).splitlines()[0]}",
            advice='set spark.packages = "org.apache.spark:spark-sql-kafka-0-10_2.13:VERSION", '
            "with the version of Spark",
        ) from error
    heads = [(topic, name, _key_head(work.job_id, name)) for topic, name in source.sources.items()]
    table = session.createDataFrame(heads, "topic string, source_id string, key_head string")
    stamped = f.when(f.col("timestampType") >= 0, f.col("timestamp")).alias("kafka_timestamp")
    return frame.join(f.broadcast(table), "topic").select(
        "topic", "partition", "offset", "source_id", "key_head", stamped, "key", "value"
    )


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(lambda a, b: a.unionByName(b), frames)
