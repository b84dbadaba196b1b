"""The coordinator's view of the cluster: ids, partitions, offsets, the group's progress."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from pbf_ray.errors import BrokerError, BrokerUnavailableError, TopicMissingError
from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import TopicSpec, create_topics, delete_topics
from services.apache_kafka import ApacheKafka, free_ports

pytestmark = pytest.mark.integration


def poll_until(holds: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_topics_have_an_identity_and_new_partitions_are_found(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    names = [make_topic(3), make_topic(1)]
    view = ClusterView(kafka_broker, names)
    found = view.describe()
    assert found.cluster_id
    assert set(found.topics) == set(names)
    assert found.partitions == tuple(
        sorted([(names[0], number) for number in range(3)] + [(names[1], 0)])
    )
    for name, topic in found.topics.items():
        assert topic.source_id == f"{found.cluster_id}:{topic.topic_id or name}"
    assert view.describe() == found
    admin = AdminClient(client_config(kafka_broker))
    admin.create_partitions([NewPartitions(names[1], 4)])[names[1]].result(30)
    poll_until(lambda: view.describe().topics[names[1]].partitions == (0, 1, 2, 3))
    assert view.describe().topics[names[1]].source_id == found.topics[names[1]].source_id
    assert view.ranges(view.describe().partitions)[names[1], 3] == (0, 0)


@pytest.mark.usefixtures("needs_apache_kafka")
def test_a_topic_that_is_made_anew_is_another_source(kafka_broker: str, topic_name: str) -> None:
    config = client_config(kafka_broker)
    spec = TopicSpec(topic_name, 1, replication=1, min_insync_replicas=1)
    create_topics(config, [spec])
    view = ClusterView(kafka_broker, [topic_name])
    before = view.describe().topics[topic_name]
    delete_topics(config, [topic_name])
    with pytest.raises(TopicMissingError):
        view.describe()
    create_topics(config, [spec])
    after = view.describe().topics[topic_name]
    assert before.topic_id
    assert after.topic_id not in {"", before.topic_id}
    assert after.source_id != before.source_id


def test_the_end_is_the_last_stable_offset(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    view = ClusterView(kafka_broker, [topic])
    with RecordProducer(kafka_broker) as plain:
        for number in range(20):
            plain.send(topic, b"%d" % number, b"x")
    both = [(topic, 0), (topic, 1)]
    ranges = view.ranges(both)
    assert sum(end for _, end in ranges.values()) == 20
    assert {first for first, _ in ranges.values()} == {0}
    assert view.ends(both) == {key: end for key, (_, end) in ranges.items()}
    assert view.ranges([]) == {}

    writer = Producer(client_config(kafka_broker, {"transactional.id": topic}))
    writer.init_transactions(30)
    writer.begin_transaction()
    for _ in range(5):
        writer.produce(topic, b"open", partition=0)
    assert writer.flush(30) == 0
    with RecordProducer(kafka_broker) as plain:
        for number in range(20):
            plain.send(topic, b"%d" % number, b"x")
    stable = ranges[topic, 0][1]
    latest = Consumer(
        client_config(kafka_broker, {"group.id": "x", "isolation.level": "read_uncommitted"})
    )
    high = latest.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    latest.close()
    assert high > stable + 5
    # Records behind an open transaction cannot be read yet, committed or not.
    assert view.ends(both) == {
        (topic, 0): stable,
        (topic, 1): 40 - (high - 5),
    }
    writer.commit_transaction(30)
    poll_until(lambda: view.ends(both)[topic, 0] == high + 1)


def test_missing_topics_and_partitions(kafka_broker: str, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    view = ClusterView(kafka_broker, [topic, f"{topic}-missing"])
    with pytest.raises(TopicMissingError) as caught:
        view.describe()
    assert caught.value.topic == f"{topic}-missing"
    with pytest.raises(TopicMissingError):
        view.ranges([(f"{topic}-missing", 0)])
    with pytest.raises(BrokerError, match="no partition 5"):
        view.ends([(topic, 0), (topic, 5)])


def test_a_broker_that_is_away_is_an_error_in_bounded_time() -> None:
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    view = ClusterView(dead, ["t"], timeout_s=1.0)
    for question in (view.describe, lambda: view.ranges([("t", 0)])):
        with pytest.raises(BrokerUnavailableError, match="refused") as caught:
            question()
        assert caught.value.address == dead
    problem = view.commit_group("g", {("t", 0): 1}).result(30)
    assert isinstance(problem, BrokerUnavailableError)
    with pytest.raises(BrokerUnavailableError, match="refused"):
        wait_for_broker(client_config(dead), 1.0)


def test_progress_is_what_lag_tools_see(kafka_broker: str, make_topic: Callable[..., str]) -> None:
    topic = make_topic(3)
    group = f"{topic}-group"
    with RecordProducer(kafka_broker) as producer:
        for number in range(60):
            producer.send(topic, b"%d" % number, b"x")
    view = ClusterView(kafka_broker, [topic])
    reports = [view.commit_group(group, {(topic, 0): n, (topic, 1): n + 1}) for n in range(1, 11)]
    assert [report.result(30) for report in reports] == [None] * 10
    assert view.commit_group(group, {(topic, 2): 4}).result(30) is None
    admin = AdminClient(client_config(kafka_broker))
    told = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    committed = {(p.topic, p.partition): p.offset for p in told.result(30).topic_partitions}
    assert committed == {(topic, 0): 10, (topic, 1): 11, (topic, 2): 4}
    # An ordinary consumer of that group would go on from there.
    consumer = Consumer(client_config(kafka_broker, {"group.id": group}))
    places = [TopicPartition(topic, number) for number in range(3)]
    assert [place.offset for place in consumer.committed(places, timeout=30)] == [10, 11, 4]
    consumer.close()


@pytest.mark.slow
def test_a_view_lives_through_a_restart_of_the_broker(apache_kafka: ApacheKafka) -> None:
    servers = apache_kafka.bootstrap_servers
    spec = TopicSpec("t", 2, replication=1, min_insync_replicas=1)
    create_topics(client_config(servers), [spec])
    view = ClusterView(servers, ["t"], timeout_s=60)
    with RecordProducer(servers) as producer:
        for number in range(10):
            producer.send("t", b"%d" % number, b"x")
    before = view.describe(), view.ranges([("t", 0), ("t", 1)])
    apache_kafka.stop()
    assert not apache_kafka.running
    with pytest.raises(BrokerUnavailableError):
        ClusterView(servers, ["t"], timeout_s=1.0).describe()
    apache_kafka.start()
    assert (view.describe(), view.ranges([("t", 0), ("t", 1)])) == before
