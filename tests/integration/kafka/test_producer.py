"""The producer's books: every accepted record is sent or failed, and the broker agrees."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbf_ray.config.kafka_clients import ProducerSettings
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    RecordRefusedError,
    SettingError,
    TopicMissingError,
)
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.sensor_source import SensorRecord
from pbf_ray.kafka.topics import TopicSpec, create_topics
from services.apache_kafka import ApacheKafka
from support.consumers import read_all, wait_until

pytestmark = pytest.mark.integration


def test_a_full_buffer_holds_the_sender_back_and_loses_nothing(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(3)
    count, size = 5_000, 0
    headers = [("origin", b"test")]
    with RecordProducer(kafka_broker, {"queue.buffering.max.messages": "50"}) as producer:
        for number in range(count):
            key, value = b"sensor-%d" % (number % 7), b"%d" % number
            producer.send(topic, key, value, headers=headers)
            assert producer.waiting <= 50
            size += len(key) + len(value)
        assert producer.flush(60) == 0
        assert (producer.sent, producer.failed, producer.waiting) == (count, 0, 0)
        assert producer.sent_bytes == size
        assert producer.first_error is None
    assert headers == [("origin", b"test")]
    view = ClusterView(kafka_broker, [topic])
    ranges = view.ranges(view.describe().partitions)
    assert sum(end for _, end in ranges.values()) == count
    with PartitionReader(kafka_broker) as reader:
        batch = reader.read(ranges, timeout_s=30)
    assert sorted(int(value or b"") for value in batch.value) == list(range(count))
    # Equal keys share a partition and keep their order.
    last: dict[bytes | None, int] = {}
    homes: dict[bytes | None, set[int]] = {}
    for key, value, partition in zip(batch.key, batch.value, batch.partition, strict=True):
        assert int(value or b"") > last.get(key, -1)
        last[key] = int(value or b"")
        homes.setdefault(key, set()).add(int(partition))
    assert all(len(home) == 1 for home in homes.values())


def _stands_still(pid: int) -> bool:
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


@pytest.mark.slow
def test_records_that_cannot_be_delivered_are_counted_and_raised(
    apache_kafka: ApacheKafka, caplog: pytest.LogCaptureFixture
) -> None:
    servers = apache_kafka.bootstrap_servers
    spec = TopicSpec("t", 2, replication=1, min_insync_replicas=1)
    create_topics(client_config(servers), [spec])
    producer = RecordProducer(servers, {"delivery.timeout.ms": "5000"})
    for number in range(100):
        producer.send("t", b"%d" % number, b"x")
    assert producer.flush(60) == 0

    apache_kafka.suspend()
    wait_until(lambda: _stands_still(apache_kafka.pid), "every thread of the broker stands still")
    try:
        producer.send("t", None, b"held up")
        with pytest.raises(BrokerError, match="1 records were not delivered") as early:
            producer.close(0.1)
        assert early.value.waiting == 1
    finally:
        apache_kafka.resume()
    assert producer.flush(60) == 0
    assert (producer.sent, producer.failed) == (101, 0)

    apache_kafka.kill()
    for number in range(40):
        producer.send("t", b"%d" % number, b"x")
    batch = producer.send_batch("t", [{"sensor_id": "s1"}], timeout_s=0.1)
    assert (batch.sent, batch.failed, batch.queued) == (0, 0, 1)
    assert producer.waiting == 41
    with (
        caplog.at_level(logging.ERROR, logger="pbf_ray.kafka.producer_client"),
        pytest.raises(BrokerUnavailableError) as caught,
    ):
        producer.close(60)
    assert (producer.sent, producer.failed, producer.waiting) == (101, 41, 0)
    assert caught.value is producer.first_error
    ours = [record for record in caplog.records if record.name == "pbf_ray.kafka.producer_client"]
    assert len(ours) == 1


def test_what_cannot_be_queued_is_an_error_at_once(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    with RecordProducer(kafka_broker) as producer:
        with pytest.raises(RecordRefusedError, match="too large") as refused:
            producer.send(topic, None, b"x" * 2_000_000)
        assert refused.value.topic == topic
        with pytest.raises(ValueError, match="positive"):
            producer.send(topic, None, b"x", timestamp_ms=0)
        producer.send(topic, None, b"x")
        assert producer.flush(60) == 0
        assert (producer.sent, producer.failed) == (1, 1)
    # Its sender was told: closing does not tell it again.
    with pytest.raises(ValueError, match="closed"):
        producer.send(topic, None, b"x")
    with pytest.raises(SettingError, match="acks"):
        RecordProducer(kafka_broker, {"acks": "1"})


def test_a_batch_tells_of_each_record_and_a_record_is_what_the_stream_decodes(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(3)
    metadata = {"message_id": "of-the-machine"}
    whole = {
        "sensor_id": "s1", "timestamp": 1.5, "temperature": math.nan, "pressure": np.float32(0.5),
        "laser_power": -math.inf, "scan_speed": None, "build_id": "B\u00fc", "layer": np.int64(3),
    }  # fmt: skip
    records: list[Any] = [
        whole,
        {"sensor_id": "s1", "timestamp": object()},
        {**whole, "_metadata": metadata},
        {"sensor_id": "s1", "filler": "x" * 2_000_000},
        SensorRecord(b"raw", key="s1"),
        ["no", "record"],
        SensorRecord(None, key="s1"),
    ]
    given = repr(records)
    options = ProducerSettings(producer_id="gauge-7")
    with RecordProducer(kafka_broker, options=options) as producer:
        batch = producer.send_batch(topic, records)
        states = [delivery.state for delivery in batch.deliveries]
        assert states == ["sent", "failed", "sent", "failed", "sent", "failed", "sent"]
        assert (batch.sent, batch.failed, batch.queued) == (4, 3, 0)
        metrics = producer.metrics()
        assert (metrics.sent, metrics.failed, metrics.queued) == (4, 3, 0)
        assert metrics.last_sent_s is not None
    assert repr(records) == given
    problems = [d.error.problem for d in batch.deliveries if d.error is not None]
    assert problems[0] == "field 'timestamp': object is no JSON value"
    assert "too large" in problems[1]
    assert problems[2] == "list is neither a mapping nor a SensorRecord"
    # One key, so one partition and the order of sending.
    sent = [delivery for delivery in batch.deliveries if delivery.state == "sent"]
    assert [delivery.offset for delivery in sent] == [0, 1, 2, 3]
    found = read_all(kafka_broker, topic)
    assert [record.key for record in found] == [b"s1"] * 4
    assert [record.value for record in found[2:]] == [b"raw", None]
    fields = from_json([record.value for record in found[:2]], RECORD_SCHEMA).table.to_pylist()
    for decoded in fields:
        assert math.isnan(decoded["temperature"])
        assert decoded["laser_power"] == -math.inf
        assert (decoded["pressure"], decoded["layer"], decoded["build_id"]) == (0.5, 3, "B\u00fc")
        assert decoded["_metadata"]["producer_id"] == "gauge-7"
    assert fields[1]["_metadata"]["message_id"] == "of-the-machine"
    assert fields[0]["_metadata"]["message_id"] != "of-the-machine"


@pytest.mark.usefixtures("needs_apache_kafka")
def test_a_missing_topic(kafka_broker: str, topic_name: str) -> None:
    producer = RecordProducer(kafka_broker, {"topic.metadata.propagation.max.ms": "200"})
    producer.send(topic_name, None, b"x")
    with pytest.raises(TopicMissingError):
        producer.close(60)
    assert (producer.sent, producer.failed) == (0, 1)


def test_an_error_in_the_block_is_not_hidden_by_what_failed(
    kafka_broker: str, topic_name: str
) -> None:
    def run() -> None:
        settings = {"topic.metadata.propagation.max.ms": "200"}
        with RecordProducer(kafka_broker, settings) as producer:
            producer.send(topic_name, None, b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
