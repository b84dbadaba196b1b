"""What real topics hold besides records, and what goes wrong around them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from pbf_ray.config import Settings
from pbf_ray.errors import (
    CheckpointMismatchError,
    OffsetsVanishedError,
    TopicMissingError,
    TopicRecreatedError,
)
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.job_topics import source_ids
from support.oracle import ExpectedTables, Raw, expected
from support.read_back import read_back
from support.stream_runs import assert_results, await_consumed, settings_for


def record(second: float, layer: int = 1) -> bytes:
    return json.dumps(
        {
            "timestamp": 1.75e9 + second,
            "temperature": 1600 + second,
            "build_id": "B",
            "layer": layer,
        }
    ).encode()


def equals_oracle(settings: Settings, delivered: list[Raw]) -> None:
    """Every table is the oracle's over these records, none late, and the books hold."""
    kafka = settings.kafka
    sources = source_ids(ClusterView(kafka.bootstrap_servers, list(kafka.topics)))
    job_id = settings.job.name
    wanted = expected(delivered, job_id=job_id, sources=sources, clock_s=time.time())
    assert wanted.books["consumed"] == len(delivered)
    assert_results(settings, ExpectedTables(wanted))


def test_transactions_markers_and_aborted_records(
    needs_apache_kafka: None,
    kafka_broker: str,
    make_topic: Callable[..., str],
    tmp_path: Path,
    ray_cluster: None,
) -> None:
    topic = make_topic(partitions=2)
    producer = Producer(client_config(kafka_broker) | {"transactional.id": topic})
    producer.init_transactions()
    kept: list[Raw] = []
    for number in range(30):
        producer.begin_transaction()
        delivered: list[Raw] = []

        def note(error: object, message: Message, into: list[Raw] = delivered) -> None:
            assert error is None
            stamp = message.timestamp()[1]
            into.append(
                Raw(topic, message.partition(), message.offset(), b"k", message.value(), stamp)
            )

        for partition in (0, 1):
            producer.produce(topic, record(number), b"k", partition=partition, on_delivery=note)
        assert producer.flush(30) == 0  # aborted records are in the log, too
        if number % 3 == 1:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            kept += delivered
    settings = settings_for(
        kafka_broker, topic, tmp_path, epoch_max_rows=7, until_end=True, allowed_lateness_s=1000.0
    )
    result = StreamJob(settings).run()
    assert result.books["consumed"] == len(kept) == 40
    equals_oracle(settings, kept)


def test_partitions_added_while_the_job_runs(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path, ray_cluster: None
) -> None:
    topic = make_topic(partitions=1)

    def send(partition: int, count: int) -> None:
        producer = Producer(client_config(kafka_broker))  # a fresh one knows the new partitions
        for second in range(count):
            producer.produce(topic, record(second), b"k", partition=partition)
        assert producer.flush(30) == 0

    send(0, 50)
    # Rows of partitions that come later are as old as the first ones: none is to be late.
    settings = settings_for(kafka_broker, topic, tmp_path, allowed_lateness_s=1000.0)
    with StreamJob(settings) as job:
        await_consumed(job, 50)
        admin = AdminClient(client_config(kafka_broker))
        admin.create_partitions([NewPartitions(topic, 3)])[topic].result()
        send(1, 40)
        send(2, 30)
        await_consumed(job, 120)
        job.finish()
        result = job.wait(120)
    assert result is not None
    assert result.books["consumed"] == 120
    equals_oracle(settings, read_back(kafka_broker, topic))


def make_anew(broker: str, topic: str) -> None:
    """Delete a topic and make one of the same name."""
    admin = AdminClient(client_config(broker))
    admin.delete_topics([topic])[topic].result()
    deadline = time.monotonic() + 60
    while topic in admin.list_topics().topics:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()


def send(broker: str, topic: str, seconds: range, *, age_s: float = 0.0) -> None:
    """Send a record for each second; to Kafka they are ``age_s`` old."""
    producer = Producer(client_config(broker))
    for second in seconds:
        stamp = int((time.time() - age_s) * 1000)
        producer.produce(topic, record(second), b"k", partition=0, timestamp=stamp)
    assert producer.flush(30) == 0


def test_a_topic_made_anew_is_refused(
    needs_apache_kafka: None,  # the embedded broker tells no topic ids
    kafka_broker: str,
    make_topic: Callable[..., str],
    tmp_path: Path,
    ray_cluster: None,
) -> None:
    topic = make_topic(partitions=1)
    settings = settings_for(kafka_broker, topic, tmp_path)
    send(kafka_broker, topic, range(40))
    before = read_back(kafka_broker, topic)
    sources = source_ids(ClusterView(kafka_broker, [topic]))
    with StreamJob(settings) as job:
        await_consumed(job, 40)
        make_anew(kafka_broker, topic)
        send(kafka_broker, topic, range(100, 130))
        with pytest.raises((TopicRecreatedError, TopicMissingError)):
            job.wait(120)
    with pytest.raises(TopicRecreatedError, match="deleted and made anew"):
        StreamJob(settings).run()
    books = Results(settings).books()
    assert (books["consumed"], books["accepted"]) == (40, 40), "nothing of the new topic"
    assert {row["source_id"] for row in Results(settings).read("ispm_monitoring").to_pylist()} <= {
        sources[topic]
    }
    # As the error says: another job name, whose outputs start afresh.
    anew = settings_for(kafka_broker, topic, tmp_path, job="anew", until_end=True)
    StreamJob(anew).run()
    equals_oracle(anew, read_back(kafka_broker, topic))
    assert len(before) == 40


def test_retention_past_the_committed_offset(
    needs_apache_kafka: None,
    kafka_broker: str,
    make_topic: Callable[..., str],
    tmp_path: Path,
    ray_cluster: None,
) -> None:
    topic = make_topic(partitions=1)
    settings = settings_for(kafka_broker, topic, tmp_path, allowed_lateness_s=1000.0)
    send(kafka_broker, topic, range(30), age_s=7200.0)
    with StreamJob(settings) as job:
        await_consumed(job, 30)
        job.stop()
        assert job.wait(120) is not None
    read = read_back(kafka_broker, topic)
    send(kafka_broker, topic, range(30, 70), age_s=7200.0)
    admin = AdminClient(client_config(kafka_broker))
    keep = ConfigEntry("retention.ms", "60000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[keep])
    admin.incremental_alter_configs([resource])[resource].result(30)
    view = ClusterView(kafka_broker, [topic])
    deadline = time.monotonic() + 90
    while view.ranges([(topic, 0)])[topic, 0][0] < 70:
        assert time.monotonic() < deadline, "the broker has removed nothing"
        time.sleep(0.1)
    send(kafka_broker, topic, range(70, 95))

    to_the_end = settings.replace({"stream.until_end": True})
    with pytest.raises(OffsetsVanishedError, match="--accept-loss") as caught:
        StreamJob(to_the_end).run()
    assert (caught.value.partition, caught.value.wanted, caught.value.first) == (0, 30, 70)
    assert Results(settings).books()["consumed"] == 30, "nothing was passed over in silence"

    StreamJob(to_the_end.replace({"stream.accept_loss": True})).run()
    delivered = [*read, *read_back(kafka_broker, topic)]
    assert len(delivered) == 55
    equals_oracle(settings, delivered)
    commit = CheckpointLog(CheckpointFolder(settings.checkpoint_path)).last_commit()
    assert commit is not None
    assert [lost[:4] for lost in commit.lost] == [(topic, 0, 30, 70)]


def cli(settings: Settings, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "pbf_ray", "stream", "--until-end",
            "--bootstrap-servers", settings.kafka.bootstrap_servers,
            "--topic", settings.kafka.topics[0],
            "--data-dir", str(settings.job.data_dir), "--job", settings.job.name, *more,
        ],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_no_broker_one_line_and_exit_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pbf_ray", "--set", "kafka.connect_timeout_s=2", "stream",
            "--bootstrap-servers", "127.0.0.1:1", "--data-dir", str(tmp_path),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_topic_is_named(kafka_broker: str, topic_name: str, tmp_path: Path) -> None:
    done = cli(settings_for(kafka_broker, topic_name, tmp_path))
    assert done.returncode == 1
    assert f"topic {topic_name} does not exist" in done.stderr
    assert "pbf-ray topics create" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_of_a_newer_version_is_refused(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    settings = settings_for(kafka_broker, make_topic(partitions=1), tmp_path)
    path = settings.checkpoint_path / "job.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"pbf_ray_checkpoint": 99, "kind": "job", "sha256": ""}\n{}\n')
    done = cli(settings)
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert "format 99" in done.stderr
    assert "Traceback" not in done.stderr


def test_stores_that_are_ahead_of_the_checkpoint_are_refused(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path, ray_cluster: None
) -> None:
    topic = make_topic(partitions=1)
    producer = Producer(client_config(kafka_broker))
    for second in range(20):
        producer.produce(topic, record(second), b"k")
    assert producer.flush(30) == 0
    settings = settings_for(kafka_broker, topic, tmp_path, until_end=True, epoch_max_rows=5)
    StreamJob(settings).run()
    shutil.rmtree(settings.checkpoint_path)
    with pytest.raises(CheckpointMismatchError, match="removed, emptied or replaced"):
        StreamJob(settings).run()
