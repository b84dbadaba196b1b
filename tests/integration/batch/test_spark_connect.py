"""Batch quality and tasks through Spark Connect, on a real server in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pbf_ray.batch import batch_quality
from pbf_ray.contracts import OUTPUT_TABLES
from services.spark_connect import SparkConnect, spark_connect_missing
from support.quality_inputs import odd_records, output_tables

CLIENT = """
import json, sys
from pbf_ray.batch import batch_quality
from pbf_ray.batch.spark import SparkEngine, spark_session

master, records, output = sys.argv[1:]
with spark_session(master, conf={"spark.executor.memory": "1g"}) as session:
    made = batch_quality([records], output, engine=session)
    lengths = list(SparkEngine(session).run(len, ["a", "bb", "ccc"]))
    print(json.dumps([made.books.to_plain(), lengths, type(session).__module__]))
"""


def test_a_client_of_spark_connect_gives_the_tables_of_the_local_engine(tmp_path: Path) -> None:
    if missing := spark_connect_missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs it: {missing}")
        pytest.skip(missing)
    records = tmp_path / "odd.jsonl"
    records.write_bytes(b"".join(value + b"\n" for value in odd_records() if b"\n" not in value))
    wanted = batch_quality([records], tmp_path / "local", engine="local")
    with SparkConnect(tmp_path / "server") as server:
        words = ["-W", "ignore", "-c", CLIENT, server.master, str(records), str(tmp_path / "out")]
        ran = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, check=False, timeout=280
        )
    assert ran.returncode == 0, ran.stderr[-4000:]
    books, lengths, session = json.loads(ran.stdout.splitlines()[-1])
    assert session.startswith("pyspark.sql.connect."), "the client itself has no Spark"
    assert books == wanted.books.to_plain()
    assert sorted(lengths) == [1, 2, 3]
    ours = output_tables(tmp_path / "local")
    for name, table in output_tables(tmp_path / "out").items():
        assert _rows(name, table) == _rows(name, ours[name]), name


def _rows(name: str, table: pa.Table) -> list[str]:
    columns = [column for column in table.column_names if column != "processing_timestamp"]
    rows = table.select(columns).sort_by(OUTPUT_TABLES[name].key).to_pylist()
    return [repr(row) for row in rows]
