"""The settings of a Spark session, in Spark's own names."""

from __future__ import annotations

from typing import Literal

from pbf_ray.config.pipelines import SparkSettings

__all__ = ["spark_conf"]


def spark_conf(
    settings: SparkSettings, purpose: Literal["batch", "stream"] = "batch"
) -> dict[str, str]:
    """Spark's settings for a session.

    What Spark has dropped stands here under its present name: ``spark.default.parallelism`` does
    not reach SQL (``spark.sql.shuffle.partitions`` does), the Arrow switch moved to
    ``spark.sql.execution.arrow.pyspark.enabled``, and the rate limit of the old Kafka streams is an
    option of the source (``compat.spark.read_ispm``).

    Args:
        settings: The section ``spark``.
        purpose: ``"batch"``, or ``"stream"`` for streaming queries: those write checkpoints, and
            keep the number of partitions that their state was made with.
    """
    conf = {
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.maxResultSize": settings.driver_max_result,
        "spark.default.parallelism": str(settings.parallelism),
        "spark.sql.shuffle.partitions": str(settings.parallelism),
        "spark.sql.execution.arrow.pyspark.enabled": _flag(settings.arrow),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(settings.arrow_batch_records),
    }
    if settings.kryo:
        conf["spark.serializer"] = "org.apache.spark.serializer.KryoSerializer"
    if not settings.master.startswith("local"):
        conf |= {
            "spark.executor.memory": settings.executor_memory,
            "spark.executor.cores": str(settings.executor_cores),
            "spark.executor.instances": str(settings.executor_instances),
        }
    if settings.delta:
        conf |= {
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        }
    if settings.packages is not None:
        conf["spark.jars.packages"] = settings.packages
    if settings.jars is not None:
        conf["spark.jars"] = settings.jars
    if settings.event_log is not None:
        conf |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": settings.event_log.as_uri(),
        }
    return conf | (_of_streams(settings) if purpose == "stream" else _of_batches(settings))


def _of_batches(settings: SparkSettings) -> dict[str, str]:
    adaptive = _flag(settings.adaptive)
    return {
        "spark.sql.adaptive.enabled": adaptive,
        "spark.sql.adaptive.coalescePartitions.enabled": adaptive,
        "spark.sql.adaptive.localShuffleReader.enabled": adaptive,
        "spark.sql.adaptive.skewJoin.enabled": adaptive,
        "spark.sql.adaptive.skewJoin.skewedPartitionFactor": f"{settings.skew_factor:g}",
        "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": f"{settings.skew_bytes}b",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": f"{settings.advisory_partition_bytes}b",
    }


def _of_streams(settings: SparkSettings) -> dict[str, str]:
    if settings.checkpoint_location is None:
        return {}
    return {"spark.sql.streaming.checkpointLocation": settings.checkpoint_location.as_uri()}


def _flag(value: bool) -> str:
    return "true" if value else "false"
