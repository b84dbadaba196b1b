"""Anomalies and rolling quality of Spark frames, with the replaced pipeline's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbf_ray.batch.spark.expressions import anomaly_columns, record_schema, rolled
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, RuleProfile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["calculate_quality_metrics", "detect_anomalies", "read_ispm"]

_POSITION = ("topic", "partition", "offset")


def detect_anomalies(df: DataFrame, profile: RuleProfile = DEFAULT_PROFILE) -> DataFrame:
    """The records that are anomalies, with ``anomaly_type`` and ``severity``.

    The first rule of the profile that is true names the anomaly. Also for streaming frames.

    Args:
        df: Records, with the channels that the rules use as columns; others stay as they are.
        profile: The rules.
    """
    anomaly_type, severity = anomaly_columns(profile)
    judged = df.withColumns({"anomaly_type": anomaly_type, "severity": severity})
    return judged.filter("anomaly_type IS NOT NULL")


def calculate_quality_metrics(df: DataFrame) -> DataFrame:
    """Records with the running statistics of their layer up to their timestamp.

    ``temperature_avg``, ``temperature_std`` and so on for the four channels, and ``quality_score``.
    Not for streaming frames: Spark refuses such windows there, and ``pbf-ray stream`` does not.

    Args:
        df: Records, with ``build_id``, ``layer``, ``timestamp`` and the channels. Columns
            ``topic``, ``partition`` and ``offset``, as far as present, order records of equal
            timestamp, so that sums do not depend on chance.
    """
    return rolled(df, [name for name in _POSITION if name in df.columns])


def read_ispm(
    spark: SparkSession,
    servers: str,
    topics: str = "ispm-monitoring",
    *,
    streaming: bool = False,
    options: Mapping[str, Any] | None = None,
    max_offsets_per_trigger: int = 12_000,
) -> DataFrame:
    """Records of a topic, decoded, with ``processing_timestamp`` and ``date``.

    The columns are the fields of the record, and ``topic``, ``partition``, ``offset`` and
    ``kafka_timestamp``. A record that cannot be read is a row of nulls, as it was before; the dead
    letters of ``pbf-ray batch quality`` say why.

    Needs the package ``spark-sql-kafka-0-10`` of the Spark version in the session.

    Args:
        spark: The session.
        servers: Comma-separated ``host:port``.
        topics: Topics, with commas.
        streaming: A streaming frame from the latest offset on, as the replaced job had; else the
            whole of the topics as a batch.
        options: Further options of Spark's Kafka source; they win over those made here.
        max_offsets_per_trigger: Records that a streaming query takes at once.
    """
    from pyspark.sql import functions as f

    chosen: dict[str, Any] = {
        "kafka.bootstrap.servers": servers,
        "subscribe": topics,
        "kafka.isolation.level": "read_committed",
        "startingOffsets": "latest" if streaming else "earliest",
        # Before, lost records were passed over in silence.
        "failOnDataLoss": "true",
    }
    if streaming:
        chosen["maxOffsetsPerTrigger"] = max_offsets_per_trigger
    reader = spark.readStream if streaming else spark.read
    frame = reader.format("kafka").options(**{**chosen, **(options or {})}).load()
    record = f.from_json(f.col("value").cast("string"), record_schema())
    return frame.select(
        *_POSITION,
        f.col("timestamp").alias("kafka_timestamp"),
        record.alias("record"),
    ).select(
        *(f.col(f"record.{name}").alias(name) for name in RECORD_SCHEMA.names),
        *_POSITION,
        "kafka_timestamp",
        f.current_timestamp().alias("processing_timestamp"),
        f.to_date(f.timestamp_seconds("record.timestamp")).alias("date"),
    )
