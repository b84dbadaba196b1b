"""Making and looking at topics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pbf_ray.errors import BrokerError, TopicMissingError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import (
    ISPM_MONITORING,
    Difference,
    TopicSpec,
    create_topics,
    delete_topics,
    describe_topics,
    list_topics,
)

pytestmark = pytest.mark.integration


def test_making_topics_twice_changes_nothing_and_tells_differences(
    kafka_broker: str, topic_name: str
) -> None:
    config = client_config(kafka_broker)
    spec = TopicSpec(topic_name, 3, replication=1, compression="lz4", min_insync_replicas=1)
    other = replace(spec, name=f"{topic_name}-b", partitions=1)
    first = create_topics(config, [spec, other])
    assert [(o.name, o.created, o.replication, o.clamped) for o in first] == [
        (spec.name, True, 1, False),
        (other.name, True, 1, False),
    ]
    state = describe_topics(config, [spec.name])[0]
    assert [p.number for p in state.partitions] == [0, 1, 2]
    assert state.replication == 1
    assert {key: state.config[key] for key in spec.config} == spec.config

    again = create_topics(config, [spec])[0]
    assert (again.created, again.differences) == (False, ())
    wanted = replace(spec, partitions=12, retention_ms=1234, compression="snappy")
    told = create_topics(config, [wanted])[0]
    assert not told.created
    assert set(told.differences) == {
        Difference("partitions", "12", "3"),
        Difference("retention.ms", "1234", "604800000"),
        Difference("compression.type", "snappy", "lz4"),
    }
    assert describe_topics(config, [spec.name])[0] == state


def test_replication_is_lowered_only_on_request(kafka_broker: str, topic_name: str) -> None:
    config = client_config(kafka_broker)
    spec = replace(ISPM_MONITORING, name=topic_name)
    small = TopicSpec(f"{topic_name}-small", 1, replication=1, min_insync_replicas=1)
    with pytest.raises(BrokerError, match="1 broker, too few") as caught:
        create_topics(config, [small, spec])
    assert caught.value.topics == [topic_name]
    assert not set(list_topics(config)) & {topic_name, small.name}
    outcome = create_topics(config, [spec], clamp_replication=True)[0]
    assert (outcome.created, outcome.replication, outcome.clamped) == (True, 1, True)
    # The clamped topic can be written to: as many copies must be in sync as there can be.
    with RecordProducer(kafka_broker) as producer:
        for number in range(50):
            producer.send(topic_name, b"%d" % number, b"x")
    state = describe_topics(config, [topic_name])[0]
    assert len(state.partitions) == 12
    assert sum(partition.end - partition.first for partition in state.partitions) == 50
    assert all(partition.leader in partition.in_sync for partition in state.partitions)
    again = create_topics(config, [spec], clamp_replication=True)[0]
    assert (again.created, again.differences) == (False, ())
    assert Difference("replication", "3", "1") in create_topics(config, [spec])[0].differences


def test_a_topic_that_the_broker_refuses(kafka_broker: str) -> None:
    with pytest.raises(BrokerError, match="no such thing"):
        create_topics(
            client_config(kafka_broker),
            [TopicSpec("no such thing!", 1, replication=1, min_insync_replicas=1)],
        )


def test_deleting(kafka_broker: str, topic_name: str) -> None:
    config = client_config(kafka_broker)
    names = [f"{topic_name}-{letter}" for letter in "ab"]
    specs = [TopicSpec(name, 1, replication=1, min_insync_replicas=1) for name in names]
    create_topics(config, specs)
    assert set(names) <= set(list_topics(config))
    assert not any(name.startswith("__") for name in list_topics(config))
    delete_topics(config, names)
    assert not set(names) & set(list_topics(config))
    with pytest.raises(TopicMissingError):
        delete_topics(config, names[:1])
    with pytest.raises(TopicMissingError):
        describe_topics(config, names)
    delete_topics(config, [])
    assert describe_topics(config, []) == []
