"""Server properties of the test brokers: one node's own, and those that ``deploy/kafka`` ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["DEPLOYED", "TESTING", "one_node", "property_name", "read_env", "read_properties"]

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
"""What users start three brokers from."""

TESTING: Mapping[str, str] = {
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "4",
    # Retention and compaction within the patience of a test, not of a week.
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.segment.delete.delay.ms": "500",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
}
"""What makes a broker small and quick; nothing here decides what becomes of a record."""


def one_node(node_id: int, port: int, controller_port: int) -> dict[str, str]:
    """Properties of a broker that is alone, broker and controller in one.

    Args:
        node_id: KRaft node id.
        port: Port of the broker on 127.0.0.1.
        controller_port: The controller's.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": f"{node_id}@127.0.0.1:{controller_port}",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "auto.create.topics.enable": "false",
        "num.partitions": "1",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        **TESTING,
    }


def read_properties(file: Path) -> dict[str, str]:
    """The properties of a file: ``key=value``, comments begin with ``#``."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"{file}: {line!r} is not key=value"
            assert key not in found, f"{file}: {key} stands twice"
            found[key] = value
    return found


def read_env(file: Path) -> dict[str, str]:
    """The server properties that a file of ``KAFKA_...`` variables sets."""
    return {property_name(name): value for name, value in read_properties(file).items()}


def property_name(variable: str) -> str:
    """The server property that the official image makes of an environment variable."""
    assert variable.startswith("KAFKA_"), variable
    name = variable.removeprefix("KAFKA_").lower().replace("_", ".")
    return name.replace("...", "-").replace("..", "_")
