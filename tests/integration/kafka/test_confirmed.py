"""Records sent to exact places, each with its outcome."""

from __future__ import annotations

from collections.abc import Callable

from pbf_ray.errors import BrokerUnavailableError, RecordRefusedError, TopicMissingError
from pbf_ray.kafka.confirmed import ConfirmedSender, OutgoingRecord
from pbf_ray.kafka.partition_reader import PartitionReader


def test_every_record_has_an_outcome(
    needs_apache_kafka: None,  # the embedded broker has no limit of size
    kafka_broker: str,
    make_topic: Callable[..., str],
    topic_name: str,
) -> None:
    topic = make_topic(partitions=3, config={"max.message.bytes": "2000"})
    records = [
        OutgoingRecord(topic, b"k", b"first", partition=2, headers=[("pbf-replay-of", b"here")]),
        OutgoingRecord(topic, b"k", bytes(range(256)) * 40, partition=1),
        OutgoingRecord(topic_name, b"k", b"nowhere"),
        OutgoingRecord(topic, None, None, partition=2),
    ]
    with ConfirmedSender(kafka_broker, {"compression.type": "none"}) as sender:
        first, large, nowhere, last = sender.send(records)
        (again,) = sender.send([records[0]])
    assert [(d.state, d.partition, d.offset) for d in (first, last, again)] == [
        ("sent", 2, 0),
        ("sent", 2, 1),
        ("sent", 2, 2),
    ]
    assert isinstance(large.error, RecordRefusedError)
    assert isinstance(nowhere.error, TopicMissingError)
    with PartitionReader(kafka_broker) as reader:
        batch = reader.read({(topic, 2): (0, 3)}, timeout_s=20)
    assert batch.value == [b"first", None, b"first"]
    assert batch.replay_of == {0: "here", 2: "here"}


def test_a_broker_that_is_away_is_an_outcome(kafka_broker: str) -> None:
    with ConfirmedSender("127.0.0.1:1", timeout_s=1.0) as sender:
        (outcome,) = sender.send([OutgoingRecord("any", None, b"x")])
    assert isinstance(outcome.error, BrokerUnavailableError | TopicMissingError)
    assert outcome.error.transient or isinstance(outcome.error, TopicMissingError)
