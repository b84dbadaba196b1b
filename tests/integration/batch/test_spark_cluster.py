"""Batch quality on a real standalone master and worker, with records from a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbf_ray.kafka.offsets import ClusterView
from services.apache_kafka import apache_kafka_missing
from services.fetch import find_spark_kafka
from services.spark_standalone import SparkStandalone
from support.oracle import assert_table, expected
from support.quality_inputs import odd_records, output_tables
from support.workload import Workload, produce


def _missing() -> str:
    missing = apache_kafka_missing()
    if not missing and find_spark_kafka() is None:
        missing = "Spark's Kafka source was not fetched: make services"
    return missing


def test_records_of_kafka_on_a_standalone_cluster_and_in_this_process(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    if missing := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs it: {missing}")
        pytest.skip(missing)
    topic = make_topic(partitions=3)
    odd = [(b"odd", value) for value in odd_records() if len(value) < 10_000]
    sent = produce(kafka_broker, topic, iter([*Workload(1200).in_time(), *odd]), 3)
    # The records behind the range are not read: the command names the end.
    counts = [sum(raw.partition == number for raw in sent) for number in range(3)]
    ends = [count - 7 for count in counts]
    records = [raw for raw in sent if 5 <= raw.offset < ends[raw.partition]]
    source = ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id
    wanted = expected(records, job_id="job", sources={topic: source}, whole_input=True)

    start = ",".join(f"{number}:5" for number in range(3))
    end = ",".join(f"{number}:{offset}" for number, offset in enumerate(ends))
    place = f"kafka://{topic}?start={start}&end={end}"
    every = expected(sent, job_id="job", sources={topic: source}, whole_input=True)
    with SparkStandalone(tmp_path / "cluster") as cluster:
        for engine in ("local", "spark"):
            output = tmp_path / engine
            books = _run(kafka_broker, place, output, engine, cluster.master)
            assert wanted.books.items() <= books.items(), engine
            for name, table in output_tables(output).items():
                assert_table(name, table, wanted.tables[name])
        assert list((tmp_path / "cluster" / "work").glob("app-*/0")), "an executor did it"
        ran = subprocess.run(
            [sys.executable, "-c", READ, cluster.master, _jars(), kafka_broker, topic],
            capture_output=True, text=True, check=False, timeout=280, env=_environment(),
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    rows, found = map(int, ran.stdout.split())
    assert (rows, found) == (len(sent), len(every.tables["ispm_anomalies"]))


READ = """
import sys
from pbf_ray.compat.spark import detect_anomalies, read_ispm, spark_session

master, jars, servers, topic = sys.argv[1:]
conf = {"spark.jars": jars, "spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "2"}
with spark_session(master, conf=conf) as spark:
    rows = read_ispm(spark, servers, topic).count()
    first = {"startingOffsets": "earliest"}
    stream = read_ispm(spark, servers, topic, streaming=True, options=first)
    query = detect_anomalies(stream).writeStream.format("memory").queryName("found")
    query.trigger(availableNow=True).start().awaitTermination()
    print(rows, spark.table("found").count())
"""
"""A batch and a stream over the whole topic: how many records, and how many anomalies."""


def _environment() -> dict[str, str]:
    return {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"}


def _jars() -> str:
    jars = find_spark_kafka()
    assert jars is not None
    # Spark has the others of these jars itself.
    wanted = ("spark-sql-kafka", "spark-token-provider", "kafka-clients", "commons-pool2")
    return ",".join(str(jar) for jar in sorted(jars.glob("*.jar")) if jar.name.startswith(wanted))


def _run(broker: str, place: str, output: Path, engine: str, master: str) -> dict[str, int]:
    settings = {
        "job.name": "job",
        "spark.jars": _jars(),
        "spark.driver_memory": "512m",
        "spark.executor_memory": "512m",
        "spark.executor_cores": "2",
        "spark.executor_instances": "1",
        "spark.parallelism": "2",
    }
    command = [sys.executable, "-m", "pbf_ray"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    command += ["batch", "quality", "--input", place, "--output", str(output), "--engine", engine]
    command += ["--bootstrap-servers", broker, "--master", master, "--json"]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280, env=_environment()
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    result = json.loads(ran.stdout.splitlines()[-1])
    return {name: int(count) for name, count in result["books"].items()}
