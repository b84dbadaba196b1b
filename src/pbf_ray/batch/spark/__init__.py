"""Batch pipelines on Spark; the only place in ``batch`` that imports pyspark."""

from pbf_ray.batch.spark.conf import spark_conf
from pbf_ray.batch.spark.engine import SparkEngine
from pbf_ray.batch.spark.quality import SparkQuality
from pbf_ray.batch.spark.reading import read_builds
from pbf_ray.batch.spark.session import spark_session

__all__ = ["SparkEngine", "SparkQuality", "read_builds", "spark_conf", "spark_session"]
