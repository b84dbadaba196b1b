"""The batch form of the main job in Spark SQL, made from the same rule profile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pbf_ray.batch.output import StagedFile
from pbf_ray.batch.places import Place
from pbf_ray.batch.quality.progress import QualityProgress
from pbf_ray.batch.quality.sources import RecordSource
from pbf_ray.batch.quality.work import EPOCH, QualityOptions, QualityWork
from pbf_ray.batch.spark.engine import spark_errors
from pbf_ray.batch.spark.expressions import (
    anomaly_columns,
    event_day,
    json_text,
    layer_summaries,
    rolled,
)
from pbf_ray.batch.spark.record_frames import RecordFrames, hadoop_url, record_frames
from pbf_ray.batch.spark.warned import without_pandas_warning
from pbf_ray.batch.table_files import part_name
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import MalformedRecordError
from pbf_ray.streaming.books import Books

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["SparkQuality"]

_OUR_SETTINGS: Final = {
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.json.enablePartialResults": "true",
    "spark.sql.legacy.statisticalAggregate": "false",
}
"""Settings of the session that decide results, or what readers of the tables see."""

_KINDS: Final = {"int32": "int", "int64": "bigint", "date32[day]": "date"}


class SparkQuality:
    """The run as Spark SQL: no Python but for records in doubt.

    Args:
        session: The session.
    """

    name = "spark"
    in_process = False

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def run(
        self,
        source: RecordSource,
        work: QualityWork,
        options: QualityOptions,  # noqa: ARG002 - Spark cuts the work as it is set up to
        on_progress: Callable[[QualityProgress], None],
    ) -> tuple[list[StagedFile], Books]:
        """What was written, and what became of the records.

        Raises:
            MalformedRecordError: A record is void, and the mode is ``fail``.
            PbfRayError: What Spark said.
        """
        cached: list[DataFrame] = []
        with spark_errors(), without_pandas_warning(), _settings(self._session):
            try:
                return self._run(source, work, on_progress, cached)
            finally:
                for frame in cached:
                    frame.unpersist()

    def _run(
        self,
        source: RecordSource,
        work: QualityWork,
        on_progress: Callable[[QualityProgress], None],
        cached: list[DataFrame],
    ) -> tuple[list[StagedFile], Books]:
        from pyspark.sql import functions as f

        profile = work.semantics.profile
        on_progress(QualityProgress("reading", 1))
        frames = record_frames(self._session, source, work)
        cached += frames.cached
        rejects, dropped = self._rejects(frames, work)
        anomaly_type, severity = anomaly_columns(profile)
        judged = frames.records.withColumns({"anomaly_type": anomaly_type, "severity": severity})
        files: list[StagedFile] = []
        tables = {
            "dead_letters": rejects,
            "ispm_monitoring": judged.withColumn("date", event_day()),
            "ispm_anomalies": judged.filter("anomaly_type IS NOT NULL").withColumn(
                "late", f.lit(False)
            ),
        }
        for name, rows in tables.items():
            files += _written(name, _stamped(rows, work), work.staging)
        on_progress(QualityProgress("layers", 1, 0, frames.consumed))
        quality = rolled(judged.drop("severity", "flagged", "kafka_timestamp")).persist()
        cached.append(quality)
        if work.semantics.quality_metrics:
            files += _written("quality_metrics", _stamped(quality, work), work.staging)
        layers = _keyed(layer_summaries(quality, profile), work)
        files += _written("layer_quality", layers, work.staging)
        books = _books(files, work.staging, frames.consumed, dropped)
        on_progress(QualityProgress("layers", 1, 1, frames.consumed))
        return files, books

    @staticmethod
    def _rejects(frames: RecordFrames, work: QualityWork) -> tuple[DataFrame, int]:
        """The dead letters by the mode of the run, and how many were dropped."""
        mode = work.semantics.malformed
        if mode == "dead_letter":
            return frames.rejects, 0
        void = frames.rejects.filter("reason <> 'unstorable'")
        if mode == "fail":
            first = void.orderBy("topic", "partition", "offset").limit(1).collect()
            if first:
                row = first[0]
                position = f"{row['topic']}/{row['partition']} offset {row['offset']}"
                raise MalformedRecordError(
                    row["detail"], index=int(row["offset"]), position=position
                )
        return frames.rejects.filter("reason = 'unstorable'"), void.count()


def _stamped(rows: DataFrame, work: QualityWork) -> DataFrame:
    """Rows with the columns of position and run that all tables of records have."""
    from pyspark.sql import functions as f

    return rows.withColumns(
        {
            "record_key": f.concat(
                "key_head", f.lit(","), f.col("partition").cast("string"), f.lit(","),
                f.col("offset").cast("string"), f.lit("]"),
            ),
            **_run_columns(work),
        }
    )  # fmt: skip


def _keyed(layers: DataFrame, work: QualityWork) -> DataFrame:
    from pyspark.sql import functions as f

    head = f"[{json.dumps(work.job_id)},"
    layer = f.coalesce(f.col("layer").cast("string"), f.lit("null"))
    key = f.concat(f.lit(head), json_text(f.col("build_id")), f.lit(","), layer, f.lit("]"))
    return layers.withColumns(
        {"layer_key": key, "revision": f.lit(1).cast("bigint"), **_run_columns(work)}
    )


def _run_columns(work: QualityWork) -> dict[str, Any]:
    from pyspark.sql import functions as f

    return {
        "job_id": f.lit(work.job_id),
        "processing_timestamp": f.timestamp_micros(f.lit(work.clock_us)),
        "epoch": f.lit(EPOCH).cast("bigint"),
    }


def _written(name: str, rows: DataFrame, staging: Place) -> list[StagedFile]:
    """Write a table; the files that have rows."""
    from pyspark.sql import functions as f

    columns = []
    for field in OUTPUT_TABLES[name].schema:
        kind = _KINDS.get(str(field.type))
        column = f.col(f"`{field.name}`")
        columns.append(column.cast(kind).alias(field.name) if kind else column)
    folder = staging / name
    target = hadoop_url(folder.url)
    rows.select(*columns).write.mode("error").option("compression", "zstd").parquet(target)
    folder.file_system.invalidate_cache()
    counts = []
    for path in sorted(folder.file_system.find(folder.path)):
        if path.endswith(".parquet"):
            with folder.file_system.open(path, "rb") as stream:
                counts.append((path.rpartition("/")[2], pq.read_metadata(stream).num_rows))
    full = [(file, count) for file, count in counts if count]
    return [
        StagedFile(f"{name}/{part_name(n, len(full))}", f"{name}/{file}", count)
        for n, (file, count) in enumerate(full)
    ]


def _books(files: list[StagedFile], staging: Place, consumed: int, dropped: int) -> Books:
    """What became of the records, counted in the tables as they are written."""
    rows: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    flagged = 0
    counted = {
        "ispm_anomalies": "anomaly_type",
        "dead_letters": "reason",
        "ispm_monitoring": "flagged",
    }
    for file in files:
        table = file.name.partition("/")[0]
        rows[table] += file.rows
        if table not in counted:
            continue
        place = staging / file.staged
        with place.errors(), place.file_system.open(place.path, "rb") as stream:
            column = pq.read_table(stream, columns=[counted[table]])[counted[table]]
        if table == "ispm_monitoring":
            flagged += int(pc.sum(column.cast(pa.int64())).as_py() or 0)
        else:
            (kinds if table == "ispm_anomalies" else reasons).update(
                {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}
            )
    return Books(
        consumed=consumed,
        accepted=rows["ispm_monitoring"],
        dead_letters=rows["dead_letters"],
        dropped=dropped,
        flagged=flagged,
        anomalies=rows["ispm_anomalies"],
        layers=rows["layer_quality"],
        anomalies_by_type=dict(kinds),
        dead_letters_by_reason=dict(reasons),
    )


@contextmanager
def _settings(session: SparkSession) -> Iterator[None]:
    """Set what decides results while a run lasts."""
    # How files are cut must not follow executors that come and go: lines are counted by these cuts.
    cuts = session.conf.get("spark.sql.shuffle.partitions")
    ours = {**_OUR_SETTINGS, "spark.sql.files.minPartitionNum": str(cuts)}
    before: dict[str, Any] = {key: session.conf.get(key, None) for key in ours}
    for key, value in ours.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                session.conf.unset(key)
            else:
                session.conf.set(key, value)
