"""What lies in a topic, read by a consumer of Kafka's own kind, independent of the stream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from pbf_ray.kafka.client import client_config
from support.oracle import Raw

__all__ = ["read_back"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


def read_back(
    bootstrap_servers: str,
    topic: str,
    client: Mapping[str, str] = _NOTHING,
    *,
    timeout_s: float = 60.0,
) -> list[Raw]:
    """All records of a topic that a read_committed consumer sees, by partition and offset."""
    consumer = Consumer(
        client_config(bootstrap_servers, client)
        | {
            "group.id": "read-back",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=timeout_s).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        found: list[Raw] = []
        reading = set(partitions)
        deadline = time.monotonic() + timeout_s
        while reading:
            assert time.monotonic() < deadline, f"{topic}: {reading} not read to the end"
            for message in consumer.consume(1000, 0.1):
                error = message.error()
                if error is None:
                    place = message.partition(), message.offset()
                    stamp = message.timestamp()[1]
                    found.append(Raw(topic, *place, message.key(), message.value(), stamp))
                elif error.code() == KafkaError._PARTITION_EOF:
                    reading.discard(message.partition())
    finally:
        consumer.close()
    return sorted(found, key=lambda raw: (raw.partition, raw.offset))
