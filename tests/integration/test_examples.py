"""The scripts of examples/ run as they stand."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pbf_ray import Results, Settings
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import DEAD_LETTERS, create_topics
from pbf_ray.simulate import Twin, TwinConfig, parse_fault

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TWIN = TwinConfig(machines=2, layers=6, sensors=2, faults=(parse_fault("hot_spot@M01-B001:3-4"),))


@pytest.fixture
def run(kafka_broker: str, tmp_path: Path) -> Callable[..., str]:
    """Run an example against the broker; gives what it printed."""

    def call(name: str, *arguments: str) -> str:
        script = EXAMPLES / name
        # Not every example runs a job that keeps something.
        if "--data-dir" in script.read_text(encoding="utf-8"):
            arguments = (f"--data-dir={tmp_path / 'data'}", *arguments)
        done = subprocess.run(
            [sys.executable, str(script), f"--bootstrap-servers={kafka_broker}", *arguments],
            cwd=tmp_path,
            env={**os.environ, "POLARS_FMT_MAX_ROWS": "100", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def topic(kafka_broker: str, make_topic: Callable[..., str]) -> str:
    """A topic with the records of ``TWIN``."""
    name = make_topic(partitions=3)
    with RecordProducer(kafka_broker) as producer:
        for record in Twin(TWIN).records():
            producer.send(name, record.key, record.value)
    return name


@pytest.fixture
def results(tmp_path: Path) -> Callable[[str], Results]:
    """What a job of an example has written."""
    return lambda job: Results(Settings(job={"name": job, "data_dir": tmp_path / "data"}))


def test_stream_from_kafka(
    run: Callable[..., str], topic: str, results: Callable[[str], Results]
) -> None:
    sent = sum(1 for _ in Twin(TWIN).records())
    said = run("stream_from_kafka.py", f"--topic={topic}")
    assert "outcome='stopped'" in said
    assert f"finished after {sent} records, 12 layers" in said
    assert results("stream-from-kafka").count("ispm_monitoring") == sent


def test_replay_a_log(run: Callable[..., str], topic_name: str) -> None:
    said = run("replay_a_log.py", f"--topic={topic_name}")
    records = int(re.findall(r"^(\d+) records sent$", said, re.MULTILINE)[0])
    assert records > 10
    # Every layer of this healthy machine offends the default profile, and none its own.
    assert f"profile default: {{'high_pressure': {records}}} in {records} layers" in said
    assert f"profile lpbf-layer-log: {{}} in {records} layers" in said


def test_own_rule_profile(
    run: Callable[..., str], topic: str, results: Callable[[str], Results], tmp_path: Path
) -> None:
    run("own_rule_profile.py", f"--topic={topic}")
    found = results("own-rule-profile").read("ispm_anomalies").to_pylist()
    # First match wins, so whatever is fast or slow is called so, hot or not.
    speeds = results("own-rule-profile").read("ispm_monitoring")["scan_speed"].drop_null()
    wanted = {
        "slow_scan": sum(speed < 1.195 for speed in speeds.to_pylist()),
        "fast_scan": sum(speed > 1.205 for speed in speeds.to_pylist()),
    }
    assert all(wanted.values())
    counts = Counter(row["anomaly_type"] for row in found)
    assert {name: counts[name] for name in wanted} == wanted
    assert "narrow" in (tmp_path / "data" / "narrow.toml").read_text(encoding="utf-8")


def test_own_sink(
    run: Callable[..., str], topic: str, results: Callable[[str], Results], tmp_path: Path
) -> None:
    run("own_sink.py", f"--topic={topic}")
    run("own_sink.py", f"--topic={topic}")  # goes on from its end: nothing comes twice
    found = results("own-sink").read("ispm_anomalies").to_pylist()
    critical = {row["record_key"] for row in found if row["severity"] == "critical"}
    assert critical
    with closing(sqlite3.connect(tmp_path / "data" / "alarms.sqlite")) as database:
        kept = [key for (key,) in database.execute("SELECT record_key FROM alarms")]
        runs = database.execute("SELECT run FROM runs").fetchall()
    assert sorted(kept) == sorted(critical)
    assert runs == [(2,)]


def test_own_sensor_source(run: Callable[..., str], make_topic: Callable[..., str]) -> None:
    said = run("own_sensor_source.py", f"--topic={make_topic()}")
    assert said.splitlines() == ["350 read, 350 sent, 0 failed", "the cable fell out 3 times"]


def test_consume_records(run: Callable[..., str], kafka_broker: str, topic: str) -> None:
    create_topics(client_config(kafka_broker), [DEAD_LETTERS], clamp_replication=True)
    records = [json.loads(record.value or b"") for record in Twin(TWIN).records()]
    said = run("consume_records.py", f"--topic={topic}", f"--records={len(records)}").splitlines()
    assert said[0] == f"{len(records)} processed, 0 dead letters"
    assert said[1] == f"committed: {len(records)} records in 3 partitions"
    hot = Counter(record["build_id"] for record in records if record["temperature"] > 1600)
    assert said[2] == f"hot records: {dict(sorted(hot.items()))}"
