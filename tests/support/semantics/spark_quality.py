"""Anomalies, rolling quality and layer summaries, written down in Spark SQL by hand."""

# ruff: noqa: S608 - SQL of this file's own texts

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa

from pbf_ray.contracts import CHANNELS
from support.semantics.spark_decoding import from_spark, to_spark

__all__ = [
    "ANOMALY_SQL",
    "MACHINE_ANOMALY_SQL",
    "MACHINE_PROFILE_TOML",
    "SCORE_SQL",
    "spark_anomalies",
    "spark_rolling",
    "spark_rolling_in_canonical_order",
    "spark_summaries",
    "view",
]

ANOMALY_SQL: Final = (
    """
    temperature > 1700.0D OR temperature < 1500.0D OR pressure > 1.0D OR pressure < 0.9D
    OR laser_power > 250.0D OR laser_power < 150.0D
    """,
    """
    CASE WHEN temperature > 1700.0D THEN 'high_temperature'
         WHEN temperature < 1500.0D THEN 'low_temperature'
         WHEN pressure > 1.0D THEN 'high_pressure'
         WHEN pressure < 0.9D THEN 'low_pressure'
         WHEN laser_power > 250.0D THEN 'high_laser_power'
         WHEN laser_power < 150.0D THEN 'low_laser_power'
         ELSE 'unknown' END
    """,
    """
    CASE WHEN anomaly_type IN ('high_temperature', 'high_pressure') THEN 'critical'
         WHEN anomaly_type IN ('low_temperature', 'low_pressure') THEN 'warning'
         ELSE 'info' END
    """,
)
"""Filter, type and severity of the default profile."""

MACHINE_PROFILE_TOML: Final = """
name = "another machine"
[units]
oxygen = "ppm"
[[rules]]
channel = "oxygen"
at_least = 1000
anomaly_type = "oxygen"
severity = "critical"
[[rules]]
channel = "scan_speed"
above = 7.5
anomaly_type = "speed"
[[rules]]
channel = "scan_speed"
at_most = 0.9
anomaly_type = "speed"
[[rules]]
channel = "temperature"
above = 1700
anomaly_type = "hot"
severity = "warning"
[[rules]]
channel = "temperature"
at_least = 1600
anomaly_type = "warm"
"""

MACHINE_ANOMALY_SQL: Final = (
    """
    oxygen >= 1000.0D OR scan_speed > 7.5D OR scan_speed <= 0.9D OR temperature > 1700.0D
    OR temperature >= 1600.0D
    """,
    """
    CASE WHEN oxygen >= 1000.0D THEN 'oxygen'
         WHEN scan_speed > 7.5D OR scan_speed <= 0.9D THEN 'speed'
         WHEN temperature > 1700.0D THEN 'hot'
         WHEN temperature >= 1600.0D THEN 'warm' ELSE 'unknown' END
    """,
    """
    CASE WHEN anomaly_type IN ('oxygen') THEN 'critical'
         WHEN anomaly_type IN ('hot') THEN 'warning' ELSE 'info' END
    """,
)
"""The same of the profile above, with every comparison and a channel of its own."""

SCORE_SQL: Final = """
    CASE WHEN temperature_std < 10.0D THEN 1.0D WHEN temperature_std < 20.0D THEN 0.8D
         WHEN temperature_std < 30.0D THEN 0.6D ELSE 0.4D END
"""
"""``isnan`` first: NaN is greater than every number, and null makes no branch true."""


@contextmanager
def view(spark: Any, table: pa.Table, name: str = "records") -> Iterator[str]:
    """The table under a name that SQL knows."""
    to_spark(spark, table).createOrReplaceTempView(name)
    try:
        yield name
    finally:
        spark.catalog.dropTempView(name)


def spark_anomalies(spark: Any, table: pa.Table, sql: tuple[str, str, str]) -> pa.Table:
    """``id``, ``anomaly_type`` and ``severity`` of the anomalies, by id."""
    where, kind, severity = sql
    with view(spark, table):
        return from_spark(
            spark.sql(
                f"SELECT id, anomaly_type, {severity} AS severity FROM "
                f"(SELECT *, {kind} AS anomaly_type FROM records WHERE {where}) ORDER BY id"
            )
        )


def spark_rolling(spark: Any, table: pa.Table) -> tuple[pa.Table, str]:
    """``id`` and the rolling columns, by id; and the plan of it. The frame is Spark's default."""
    columns = ", ".join(
        f"avg({name}) OVER w AS {name}_avg, stddev({name}) OVER w AS {name}_std"
        for name in CHANNELS
    )
    with view(spark, table):
        frame = spark.sql(
            f"SELECT *, {SCORE_SQL} AS quality_score FROM (SELECT id, {columns} FROM records "
            "WINDOW w AS (PARTITION BY build_id, layer ORDER BY timestamp)) ORDER BY id"
        )
        return from_spark(frame), frame._jdf.queryExecution().toString()


def spark_rolling_in_canonical_order(spark: Any, table: pa.Table) -> pa.Table:
    """The same, with peers summed in the order of topic, partition and offset.

    The rows are rolled one by one in that order; then all peers take the value of the last.
    """
    steps = ", ".join(
        f"avg({name}) OVER w AS {name}_avg, stddev({name}) OVER w AS {name}_std"
        for name in CHANNELS
    )
    lasts = ", ".join(
        f"last({name}_{statistic}) OVER p AS {name}_{statistic}"
        for name in CHANNELS
        for statistic in ("avg", "std")
    )
    with view(spark, table):
        return from_spark(
            spark.sql(
                f"SELECT *, {SCORE_SQL} AS quality_score FROM (SELECT id, {lasts} FROM "
                f"(SELECT *, {steps} FROM records WINDOW w AS (PARTITION BY build_id, layer "
                "ORDER BY timestamp, topic, partition, offset ROWS UNBOUNDED PRECEDING)) "
                "WINDOW p AS (PARTITION BY build_id, layer, timestamp ORDER BY topic, partition, "
                "offset ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) ORDER BY id"
            )
        )


def spark_summaries(
    spark: Any, table: pa.Table, sql: tuple[str, str, str]
) -> tuple[pa.Table, dict[tuple[str | None, int | None], dict[str, int]]]:
    """Statistics by (build_id, layer), nulls first, and the anomalies of each by type."""
    where, kind, _ = sql
    columns = ", ".join(
        f"count({name}) AS {name}_n, avg({name}) AS {name}_avg, stddev({name}) AS {name}_std, "
        f"min({name}) AS {name}_min, max({name}) AS {name}_max"
        for name in CHANNELS
    )
    with view(spark, table):
        summaries = from_spark(
            spark.sql(
                f"SELECT *, {SCORE_SQL} AS quality_score FROM (SELECT build_id, layer, "
                "count(*) AS n, min(timestamp) AS first_timestamp, "
                f"max(timestamp) AS last_timestamp, {columns} FROM records "
                "GROUP BY build_id, layer) ORDER BY build_id, layer"
            )
        )
        counts = from_spark(
            spark.sql(
                f"SELECT build_id, layer, {kind} AS kind, count(*) AS n FROM records "
                f"WHERE {where} GROUP BY build_id, layer, kind"
            )
        )
    by_type: dict[tuple[str | None, int | None], dict[str, int]] = {}
    for row in counts.to_pylist():
        by_type.setdefault((row["build_id"], row["layer"]), {})[row["kind"]] = row["n"]
    return summaries, by_type
