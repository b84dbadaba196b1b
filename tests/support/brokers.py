"""The broker of the integration tests: Apache Kafka where it can run, else the embedded one.

``kafka_broker`` gives the bootstrap servers of one broker that a whole test session shares, so
tests take their topics from ``topic_name`` or ``make_topic``. With ``CI=true`` only Apache Kafka
will do. The terminal summary says which broker was used.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pbf_ray.errors import BrokerError, MissingDependencyError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.embedded import EmbeddedBroker
from pbf_ray.kafka.offsets import ClusterView
from services.apache_kafka import ApacheKafka, apache_kafka_missing
from services.kafka_cluster import KafkaCluster
from support.taking_turns import start_alone

__all__ = [
    "apache_kafka",
    "kafka_broker",
    "kafka_cluster",
    "make_topic",
    "needs_apache_kafka",
    "pytest_report_header",
    "pytest_terminal_summary",
    "topic_name",
]

_used: list[str] = []

# deploy/kafka offers SCRAM only, as PLAIN keeps passwords in the broker's settings; clients of
# other clusters need it all the same.
PLAIN_USERS = {
    "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
    "listener.name.client.plain.sasl.jaas.config": (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        'user_pbf="right-password";'
    ),
}


def pytest_report_header() -> str:
    """Says before the run which broker the tests will get."""
    missing = apache_kafka_missing()
    return f"kafka: embedded broker ({missing})" if missing else "kafka: Apache Kafka"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says after the run which broker the tests had."""
    for line in _used:
        terminalreporter.write_line(f"kafka broker of this run: {line}")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of the session's broker; ``auto.create.topics`` is off."""
    missing = apache_kafka_missing()
    folder = tmp_path_factory.mktemp("kafka-broker")
    if not missing:
        with ApacheKafka(folder) as apache:
            _used.append(f"Apache Kafka at {apache.bootstrap_servers}")
            yield apache.bootstrap_servers
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs Apache Kafka for these tests: {missing}")
    try:
        with EmbeddedBroker(folder) as embedded:
            _used.append(f"embedded, because of Apache Kafka: {missing}")
            yield embedded.bootstrap_servers
    except MissingDependencyError as error:
        pytest.fail(f"no broker for these tests: Apache Kafka: {missing}; embedded: {error}")


@pytest.fixture
def needs_apache_kafka() -> None:
    """Skip, with CI fail, where Apache Kafka cannot run: the embedded broker has limits."""
    missing = apache_kafka_missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs Apache Kafka for these tests: {missing}")
    if missing:
        pytest.skip(f"needs Apache Kafka: {missing}")


@pytest.fixture
def apache_kafka(needs_apache_kafka: None, tmp_path: Path) -> Iterator[ApacheKafka]:
    """An Apache Kafka of the test's own, started: it may be stopped, killed, started again."""
    with ApacheKafka(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def _three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    folder = tmp_path_factory.mktemp("kafka-cluster")
    with ExitStack() as stack:
        with start_alone():
            cluster = stack.enter_context(KafkaCluster(folder, secure=True, properties=PLAIN_USERS))
        _used.append(f"three of Apache Kafka at {cluster.bootstrap_servers}")
        yield cluster


@pytest.fixture
def kafka_cluster(
    needs_apache_kafka: None, request: pytest.FixtureRequest
) -> Iterator[KafkaCluster]:
    """Three brokers that the session shares, as ``deploy/kafka`` starts them, with TLS and ACLs.

    A test may kill them; afterwards all are brought back.
    """
    own = request.path.parent.name in {"three_brokers", "chaos"}
    assert own, "or two processes start three brokers each"
    cluster: KafkaCluster = request.getfixturevalue("_three_brokers")
    yield cluster
    cluster.mend()


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A topic name that no other test uses; the topic is not made."""
    return _unique(request.node.name)


@pytest.fixture
def make_topic(kafka_broker: str, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Make a topic of a unique name: ``make_topic(partitions=3, config={...}) -> name``."""
    admin = AdminClient(client_config(kafka_broker))

    def make(partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = _unique(request.node.name)
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        admin.create_topics([topic])[name].result()
        places = [(name, number) for number in range(partitions)]
        deadline = time.monotonic() + 30
        while True:
            try:
                ClusterView(kafka_broker, [name]).ranges(places)
            except BrokerError:
                # A new topic, and then its leaders, take a moment to be known everywhere.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return name

    return make


def _unique(test: str) -> str:
    plain = "".join(c if c.isalnum() else "-" for c in test)[:80]
    return f"{plain}-{uuid.uuid4().hex[:8]}"
