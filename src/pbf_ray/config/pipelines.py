"""Settings of the batch pipelines, and of the Spark that they may run on."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pbf_ray.config.fields import ByteCount, FilePath, PositiveCount, Section

__all__ = ["BatchSettings", "SparkSettings"]

_MEMORY: Final = re.compile(r"[1-9]\d*[kmgt]", re.IGNORECASE)


def _memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        raise ValueError("should be an amount of memory as Java has it, for example 512m or 4g")
    return value.lower()


_Memory = Annotated[str, AfterValidator(_memory)]
_Factor = Annotated[float, BeforeValidator(float), Field(gt=1)]


class BatchSettings(Section):
    """How the batch form of the main job reads records."""

    engine: Literal["ray", "local", "spark"] = Field(
        default="ray", description="who works: Ray Data, threads of this process, or Spark SQL"
    )
    split_bytes: ByteCount = Field(
        default=32 * 2**20, description="bytes of input that one task reads, about"
    )
    format: Literal["parquet", "delta"] = Field(
        default="parquet",
        description="what tables are: folders of Parquet files, or Delta Lake tables over them",
    )


class SparkSettings(Section):
    """Which Spark the batch pipelines run on, and how its session is set up.

    Defaults are those of the pipeline that pbf_ray replaces, but for Delta Lake and the event log,
    which are off until they are asked for.
    """

    master: Annotated[str, Field(min_length=1)] = Field(
        default="local[*]",
        description="Spark master: local[*], spark://host:port, yarn, or Spark Connect as sc://host",
    )
    app_name: Annotated[str, Field(min_length=1)] = Field(
        default="pbf-ray", description="what Spark calls the application"
    )
    driver_memory: _Memory = Field(default="4g", description="heap of the driver")
    driver_max_result: _Memory = Field(
        default="2g", description="most that the driver takes back from a job"
    )
    executor_memory: _Memory = Field(
        default="8g", description="heap of an executor; local masters have none"
    )
    executor_cores: PositiveCount = Field(default=4, description="cores of an executor")
    executor_instances: PositiveCount = Field(default=10, description="executors, on YARN")
    parallelism: PositiveCount = Field(
        default=40, description="partitions of a shuffle, before adaptive execution merges them"
    )
    kryo: bool = Field(default=True, description="serialise JVM objects with Kryo")
    adaptive: bool = Field(
        default=True,
        description="adaptive execution: merges partitions, splits skewed ones, reads locally",
    )
    skew_factor: _Factor = Field(
        default=5.0, description="a partition so many times the median is skewed"
    )
    skew_bytes: ByteCount = Field(default=256 * 10**6, description="and has at least so many bytes")
    advisory_partition_bytes: ByteCount = Field(
        default=128 * 10**6, description="bytes of a partition that adaptive execution aims at"
    )
    arrow: bool = Field(default=True, description="exchange rows with Python as Arrow")
    arrow_batch_records: PositiveCount = Field(default=10_000, description="rows of an Arrow batch")
    delta: bool = Field(
        default=False, description="Delta Lake's extension and catalog; its jars have to be there"
    )
    event_log: FilePath | None = Field(
        default=None, description="folder of Spark's event log; none is written if not set"
    )
    packages: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Maven coordinates that Spark fetches, with commas: Kafka, Delta"
    )
    jars: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="jars that are there already, with commas; as packages"
    )
    checkpoint_location: FilePath | None = Field(
        default=None, description="folder of the checkpoints of streaming queries"
    )
    kafka_max_offsets_per_trigger: PositiveCount = Field(
        default=12_000,
        description="records that a streaming query takes at once: 1000 for each of 12 partitions",
    )
