"""The demo's broker does what the demo needs, and dies with its owner."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.embedded import EmbeddedBroker
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import ALL_TOPICS, ISPM_MONITORING, create_topics, list_topics

pytest.importorskip("noida_db", reason="needs the extra: pip install 'pbf_ray[embedded]'")
pytestmark = pytest.mark.integration

OWNER = """
import sys, time
from pathlib import Path
from pbf_ray.kafka.embedded import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1])).start()
print(broker.pid, broker.bootstrap_servers, flush=True)
time.sleep(300)
"""


def send(servers: str, topic: str, values: range) -> None:
    with RecordProducer(servers) as producer:
        for number in values:
            producer.send(topic, b"sensor-%d" % (number % 5), b"%d" % number)


def read_all(servers: str, topic: str) -> list[int]:
    view = ClusterView(servers, [topic])
    with PartitionReader(servers, max_ahead_bytes=0) as reader:
        batch = reader.read(view.ranges(view.describe().partitions), timeout_s=30)
    return sorted(int(value or b"") for value in batch.value)


def test_topics_records_offsets_and_groups_survive_a_stop(tmp_path: Path) -> None:
    topic = ISPM_MONITORING.name
    with EmbeddedBroker(tmp_path) as broker:
        servers = broker.bootstrap_servers
        made = create_topics(client_config(servers), ALL_TOPICS, clamp_replication=True)
        assert [outcome.created for outcome in made] == [True] * len(ALL_TOPICS)
        send(servers, topic, range(5000))
        assert read_all(servers, topic) == list(range(5000))
        view = ClusterView(servers, [topic])
        source = view.describe().topics[topic].source_id
        assert view.commit_group("g", {(topic, 3): 17}).result(30) is None
        assert broker.running
    assert not broker.running
    with EmbeddedBroker(tmp_path) as broker:
        servers = broker.bootstrap_servers
        assert set(list_topics(client_config(servers))) >= {spec.name for spec in ALL_TOPICS}
        assert ClusterView(servers, [topic]).describe().topics[topic].source_id == source
        admin = AdminClient(client_config(servers))
        told = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("g")])["g"]
        assert [(p.partition, p.offset) for p in told.result(30).topic_partitions] == [(3, 17)]
        send(servers, topic, range(5000, 6000))
        assert read_all(servers, topic) == list(range(6000))


def test_calls_that_follow_each_other_read_every_record_once(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        servers = broker.bootstrap_servers
        create_topics(client_config(servers), [ISPM_MONITORING], clamp_replication=True)
        view = ClusterView(servers, [ISPM_MONITORING.name])
        position = dict.fromkeys(view.describe().partitions, 0)
        got: list[int] = []
        for ahead in (0, 1 << 20):
            with PartitionReader(servers, max_ahead_bytes=ahead) as reader:
                for turn in range(4):
                    start = (4 if ahead else 0) + turn
                    send(servers, ISPM_MONITORING.name, range(start * 100, start * 100 + 100))
                    ends = view.ends(position)
                    batch = reader.read({k: (position[k], ends[k]) for k in ends}, timeout_s=30)
                    got += [int(value or b"") for value in batch.value]
                    position = ends
        assert sorted(got) == list(range(800))


def test_it_dies_with_an_owner_that_is_killed_and_keeps_the_records(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        pid, servers = owner.stdout.readline().split()
        create_topics(client_config(servers), [ISPM_MONITORING], clamp_replication=True)
        send(servers, ISPM_MONITORING.name, range(3000))
    finally:
        owner.kill()
        owner.communicate()
    deadline = time.monotonic() + 30
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the broker outlived its owner"
        time.sleep(0.02)
    with EmbeddedBroker(tmp_path) as broker:
        assert read_all(broker.bootstrap_servers, ISPM_MONITORING.name) == list(range(3000))


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match="embedded broker ended"):
            EmbeddedBroker(tmp_path, port=port).start()
