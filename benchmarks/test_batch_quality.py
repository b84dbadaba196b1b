"""The whole batch job: records in JSON lines to all tables, ours against Spark on the same cores.

Spark is the drop-in of this package: native Spark SQL, warmed up, two threads, and as few shuffle
partitions as suit them. All engines read one file and write Parquet with the same compression.
Their tables are equal, to the bit, before anything is timed. Results go to
``benchmarks/results/batch_quality.json``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from benchmarks.comparison import compare, recorded

from pbf_ray.batch.local import LocalEngine
from pbf_ray.batch.quality import QualityEngine, QualityOptions, TaskQuality, run_quality
from pbf_ray.batch.ray import RayEngine
from pbf_ray.batch.spark import SparkQuality, spark_session
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.engine.cluster import connect, disconnect
from support.workload import Workload

RECORDS = int(os.environ.get("PBF_RAY_BENCH_RECORDS", "400000"))
ROUNDS = int(os.environ.get("PBF_RAY_BENCH_ROUNDS", "5"))
CORES = 2

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    packages = ("pyarrow", "ray", "pyspark")
    with recorded("batch_quality", packages, records=RECORDS, rounds=ROUNDS) as found:
        yield found


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("records") / "records.jsonl"
    with file.open("wb") as lines:
        for _, value in Workload(RECORDS).in_time():
            lines.write((value or b"") + b"\n")
    return file


def test_batch_quality(results: dict[str, Any], records: Path, tmp_path: Path) -> None:
    spark_conf = {"spark.driver.memory": "3g", "spark.sql.shuffle.partitions": "4"}
    connected = connect(
        address=None,
        token_path=tmp_path / "token",
        cpus_needed=CORES,
        object_store_mb=256,
        forward_logs=False,
    )
    try:
        with spark_session(f"local[{CORES}]", conf=spark_conf) as session:
            engines: dict[str, QualityEngine] = {
                "local": TaskQuality(LocalEngine(CORES)),
                "ray": TaskQuality(RayEngine()),
                "spark": SparkQuality(session),
            }
            calls = {name: _job(records, tmp_path / name, each) for name, each in engines.items()}
            consumed = {name: call() for name, call in calls.items()}
            assert min(consumed.values()) == max(consumed.values()) >= RECORDS
            for name in ("ray", "spark"):
                _assert_same(tmp_path / name, tmp_path / "local")
            compare(
                results,
                "batch_quality",
                consumed["local"] / 1000,
                lambda: calls["local"]() and None,
                {name: lambda name=name: calls[name]() and None for name in ("ray", "spark")},
                unit="k_records_per_s",
                rounds=ROUNDS,
            )
    finally:
        if connected:
            disconnect()


def _job(records: Path, output: Path, engine: QualityEngine) -> Callable[[], int]:
    def run() -> int:
        options = QualityOptions(split_bytes=16 << 20)
        return run_quality([records], output, engine=engine, options=options).books.consumed

    return run


def _assert_same(found: Path, wanted: Path) -> None:
    for name, contract in OUTPUT_TABLES.items():
        left, right = (
            pq.read_table(folder / name, schema=contract.schema).sort_by(contract.key)
            for folder in (found, wanted)
        )
        for column in contract.schema.names:
            if column != "processing_timestamp":
                assert _bits(left[column]).equals(_bits(right[column])), f"{name}.{column}"


def _bits(column: pa.ChunkedArray) -> pa.Array:
    """Doubles as their bits, all NaN alike; other types as they are."""
    whole = pa.concat_arrays([chunk for chunk in column.chunks if len(chunk)] or column.chunks)
    if whole.type != pa.float64():
        return whole
    values = np.asarray(whole.fill_null(0.0))
    values = np.where(np.isnan(values), np.nan, values)
    return pa.array(values.view(np.int64), mask=np.asarray(pc.is_null(whole)))
