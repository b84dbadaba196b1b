"""Frames of Spark code of before: the same anomalies and rolling quality as by our kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pbf_ray.batch.quality import find_records, run_quality
from pbf_ray.batch.quality.sources import BrokerAccess
from pbf_ray.batch.spark import SparkQuality
from pbf_ray.compat.spark import calculate_quality_metrics, detect_anomalies, read_ispm
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.errors import PbfRayError
from pbf_ray.monitoring.judge import anomalies
from pbf_ray.monitoring.quality import rolling_quality
from pbf_ray.monitoring.rules import DEFAULT_PROFILE
from support.oracle import same
from support.quality_inputs import odd_records
from support.workload import produce

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: row["offset"])


def test_frames_have_the_anomalies_and_the_rolling_quality_of_our_kernels(
    spark: Any, tmp_path: Path
) -> None:
    records = from_json(odd_records(), RECORD_SCHEMA, mode="dead_letter").table
    records = records.append_column("offset", pa.array(np.arange(records.num_rows)))
    pq.write_table(records, tmp_path / "records.parquet")
    frame = spark.read.parquet(str(tmp_path / "records.parquet"))
    judged = _rows(anomalies(records, DEFAULT_PROFILE))
    rolled = _rows(rolling_quality(records))
    for found, wanted in (
        (detect_anomalies(frame).toArrow(), judged),
        (calculate_quality_metrics(frame).toArrow(), rolled),
    ):
        rows = _rows(found)
        assert len(rows) == len(wanted) > 20
        for row, right in zip(rows, wanted, strict=True):
            assert row.keys() == right.keys()
            for name, value in row.items():
                assert same(value, right[name]), (row["offset"], name, value, right[name])


def test_topics_without_sparks_kafka_source_are_refused_in_one_line(
    spark: Any, kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic()
    produce(kafka_broker, topic, iter([(b"k", b"{}")]), 1)
    access = BrokerAccess(kafka_broker)
    assert find_records([f"kafka://{topic}"], access).ranges == {(topic, 0): (0, 1)}
    with pytest.raises(PbfRayError, match=r"set spark\.packages"):
        run_quality(
            [f"kafka://{topic}"], tmp_path / "out", engine=SparkQuality(spark), access=access
        )
    with pytest.raises(Exception, match="kafka"):
        read_ispm(spark, kafka_broker, topic)
