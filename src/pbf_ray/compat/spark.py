"""Functions for teams with Spark code: frames in, frames out, names as in the replaced pipeline.

    from pbf_ray.compat.spark import calculate_quality_metrics, detect_anomalies, read_ispm

The code is in ``pbf_ray.batch.spark.frames``.
"""

from pbf_ray.batch.spark.conf import spark_conf
from pbf_ray.batch.spark.frames import (
    calculate_quality_metrics,
    detect_anomalies,
    read_ispm,
)
from pbf_ray.batch.spark.session import spark_session

__all__ = [
    "calculate_quality_metrics",
    "detect_anomalies",
    "read_ispm",
    "spark_conf",
    "spark_session",
]
