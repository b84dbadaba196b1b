"""The rules and statistics of a profile as expressions of Spark SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA
from pbf_ray.monitoring.rules import Rule, RuleProfile

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "anomaly_columns",
    "event_day",
    "json_text",
    "layer_summaries",
    "record_schema",
    "rolled",
    "score",
]

_DAY_US = 86_400_000_000
_YEAR_1_US = -62_135_596_800_000_000
_YEAR_10000_US = 253_402_300_800_000_000
_ORDER = ("topic", "partition", "offset")


def record_schema(corrupt_column: str | None = None) -> str:
    """``contracts.RECORD_SCHEMA`` in the words of Spark, with a column for corrupt records."""
    kinds = {"string": "string", "double": "double", "int32": "int"}
    fields = []
    for field in RECORD_SCHEMA:
        kind = kinds.get(str(field.type))
        if kind is None:
            inner = ", ".join(f"{part.name}: string" for part in field.type.fields)
            kind = f"struct<{inner}>"
        fields.append(f"`{field.name}` {kind}")
    if corrupt_column is not None:
        fields.append(f"`{corrupt_column}` string")
    return ", ".join(fields)


def anomaly_columns(profile: RuleProfile) -> tuple[Column, Column]:
    """Anomaly type and severity of a record: of the first rule that is true, else null."""
    from pyspark.sql import functions as f

    nothing = f.lit(None).cast("string")
    anomaly_type = severity = None
    for rule in profile.rules:
        holds, kind, level = _holds(rule), f.lit(rule.anomaly_type), f.lit(rule.severity)
        anomaly_type = (
            f.when(holds, kind) if anomaly_type is None else anomaly_type.when(holds, kind)
        )
        severity = f.when(holds, level) if severity is None else severity.when(holds, level)
    if anomaly_type is None or severity is None:
        return nothing, nothing
    return anomaly_type, severity


def _holds(rule: Rule) -> Column:
    from pyspark.sql import functions as f

    value, threshold = f.col(rule.channel), f.lit(float(rule.threshold))
    if rule.op == ">":
        return value > threshold
    if rule.op == ">=":
        return value >= threshold
    return value < threshold if rule.op == "<" else value <= threshold


def event_day() -> Column:
    """``monitoring.dates.event_date`` of the column ``timestamp``, whatever the session's zone."""
    from pyspark.sql import functions as f

    micros = f.col("timestamp") * 1e6
    # NaN is greater than every number in Spark, and null is no number: both fail here.
    known = (micros >= float(_YEAR_1_US)) & (micros < float(_YEAR_10000_US))
    whole = f.when(known, micros).cast("long")
    days = f.round((whole - f.pmod(whole, f.lit(_DAY_US))) / _DAY_US)
    return f.date_from_unix_date(days.cast("int"))


def score(deviation: Column) -> Column:
    """The quality score of a standard deviation of the temperature."""
    from pyspark.sql import functions as f

    return (
        f.when(deviation < 10, 1.0)
        .when(deviation < 20, 0.8)
        .when(deviation < 30, 0.6)
        .otherwise(0.4)
    )


def rolled(records: DataFrame, position: Sequence[str] = _ORDER) -> DataFrame:
    """Records with the ``_avg`` and ``_std`` of each channel, and ``quality_score``.

    The rows of a layer are sorted by all of (timestamp, position) before the window, which wants
    them by timestamp and so leaves the order of its peers as it is: sums are the same in every run.

    Args:
        records: Rows with ``build_id``, ``layer``, ``timestamp`` and the channels.
        position: Columns that order records of equal timestamp.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    layer = ("build_id", "layer")
    ordered = records.repartition(*layer).sortWithinPartitions(*layer, "timestamp", *position)
    window = Window.partitionBy(*layer).orderBy(f.col("timestamp").asc_nulls_first())
    statistics = {}
    for name in CHANNELS:
        statistics[f"{name}_avg"] = f.avg(name).over(window)
        statistics[f"{name}_std"] = f.stddev_samp(name).over(window)
    return ordered.withColumns(statistics).withColumn(
        "quality_score", score(f.col("temperature_std"))
    )


def layer_summaries(quality: DataFrame, profile: RuleProfile) -> DataFrame:
    """The columns of ``LAYER_QUALITY`` from ``build_id`` to ``anomalies_by_type``, a row per layer.

    Means and deviations are those of the last row of the layer, not an aggregate of their own:
    Spark would merge parts of it, and round otherwise.

    Args:
        quality: Rows of :func:`rolled`, with ``anomaly_type``.
        profile: The profile that judged.
    """
    from pyspark.sql import functions as f

    last = f.struct(
        "timestamp", *(f"{name}_{what}" for name in CHANNELS for what in ("avg", "std"))
    )
    types = sorted(profile.anomaly_types)
    found = quality.groupBy("build_id", "layer").agg(
        f.count(f.lit(1)).alias("n"),
        f.min("timestamp").alias("first_timestamp"),
        f.max_by(last, f.struct("timestamp", *_ORDER)).alias("last"),
        *(
            aggregate(name).alias(f"{name}_{what}")
            for name in CHANNELS
            for what, aggregate in (("n", f.count), ("min", f.min), ("max", f.max))
        ),
        f.count("anomaly_type").alias("anomalies"),
        *(
            f.count(f.when(f.col("anomaly_type") == kind, 1)).alias(f"_type_{number}")
            for number, kind in enumerate(types)
        ),
    )
    counts = [
        f.when(
            f.col(f"_type_{number}") > 0,
            f.concat(f.lit(f"{json.dumps(kind)}:"), f.col(f"_type_{number}").cast("string")),
        )
        for number, kind in enumerate(types)
    ]
    by_type = f.concat_ws(",", *counts) if counts else f.lit("")
    return found.select(
        "build_id",
        "layer",
        "n",
        "first_timestamp",
        f.col("last.timestamp").alias("last_timestamp"),
        *(
            f.col(f"last.{name}_{what}" if what in ("avg", "std") else f"{name}_{what}").alias(
                f"{name}_{what}"
            )
            for name in CHANNELS
            for what in ("n", "avg", "std", "min", "max")
        ),
        score(f.col("last.temperature_std")).alias("quality_score"),
        "anomalies",
        f.concat(f.lit("{"), by_type, f.lit("}")).alias("anomalies_by_type"),
    )


def json_text(text: Column) -> Column:
    """A text as JSON in ASCII, as ``json.dumps`` writes it; null is ``null``."""
    from pyspark.sql import functions as f

    def unit(code: Column) -> Column:
        return f.concat(f.lit("\\u"), f.lpad(f.lower(f.hex(code)), 4, "0"))

    def escaped(letter: Column) -> Column:
        code = f.ascii(letter)
        above = code - 0x10000
        result = f.when(letter == '"', '\\"').when(letter == "\\", "\\\\")
        for raw, short in (
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
            ("\b", "\\b"),
            ("\f", "\\f"),
        ):
            result = result.when(letter == raw, short)
        return (
            result.when((code >= 0x20) & (code < 0x7F), letter)
            .when(code < 0x10000, unit(code))
            .otherwise(
                f.concat(
                    unit(f.shiftright(above, 10) + 0xD800), unit(above.bitwiseAND(0x3FF) + 0xDC00)
                )
            )
        )

    plain = text.rlike(r"^[ !#-\[\]-~]*$")
    odd = f.array_join(f.transform(f.split(text, ""), escaped), "")
    return (
        f.when(text.isNull(), "null")
        .when(plain, f.concat(f.lit('"'), text, f.lit('"')))
        .otherwise(f.concat(f.lit('"'), odd, f.lit('"')))
    )
