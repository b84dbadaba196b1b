"""Three brokers of Apache Kafka on loopback, started from the files that ``deploy/kafka`` ships.

Only what a shared small machine needs is overridden: ports, folders, threads, heaps. Run as a
script it starts a cluster, prints its addresses and keeps it until Ctrl-C:
``python tests/services/kafka_cluster.py [--secure]``.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.topics import describe_topics, list_topics

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.apache_kafka import ApacheKafka, free_ports
from services.server_settings import DEPLOYED, TESTING, read_env, read_properties

__all__ = ["KafkaCluster"]

NODES = (1, 2, 3)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_PORTS = ("CLIENT", "BROKER", "CONTROLLER", "LOCAL")
_SECRETS = "/etc/kafka/secrets"


class KafkaCluster:
    """Three nodes, each broker and controller; they are told apart by their numbers 1, 2 and 3.

    Args:
        folder: Where data, settings, secrets and logs go.
        secure: Start with ``secure.env`` on top: clients need TLS and a password, nodes
            certificates. The plain listener of the tests stays, beside it.
        properties: Further server properties of every node.
        heap: ``-Xmx`` of each JVM.
    """

    def __init__(
        self,
        folder: Path,
        *,
        secure: bool = False,
        properties: Mapping[str, str] = _NOTHING,
        heap: str = "256m",
    ) -> None:
        self.folder = folder
        self.secure = secure
        self._properties = dict(properties)
        self._heap = heap
        self._ports: dict[tuple[str, int], int] = {}
        self._nodes: dict[int, ApacheKafka] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if secure:
            self._make_certificates()

    @property
    def bootstrap_servers(self) -> str:
        """All three addresses of the listener that asks for nothing."""
        return self._servers("LOCAL")

    @property
    def secure_servers(self) -> str:
        """All three addresses of the listener for clients with TLS and a password."""
        return self._servers("CLIENT")

    @property
    def broker_servers(self) -> str:
        """All three addresses of the listener among brokers: a node's certificate is needed."""
        return self._servers("BROKER")

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that clients are to trust."""
        return self.folder / "secrets" / "ca.pem"

    def node_file(self, number: int) -> Path:
        """Key and certificate of a node."""
        return self.folder / "secrets" / f"broker-{number}" / "node.pem"

    def log(self, number: int) -> str:
        """What a node has logged."""
        return self._nodes[number].log_path.read_text(errors="replace")

    # -- life ------------------------------------------------------------------------------

    def start(self, *, timeout_s: float = 120.0) -> Self:
        """Start all nodes and wait until they are one cluster."""
        for attempt in range(3):
            self._make_nodes()
            try:
                self._start_all(timeout_s)
            except RuntimeError as error:
                # Another process may take a port between the choice and the start.
                self.close()
                if "already in use" not in str(error) or attempt == 2:
                    raise
                for number in NODES:
                    shutil.rmtree(self.folder / str(number), ignore_errors=True)
            else:
                return self
        raise AssertionError("unreachable")

    def _start_all(self, timeout_s: float) -> None:
        # Each formats its storage first, which takes a JVM of its own: side by side.
        with ThreadPoolExecutor(len(NODES)) as threads:
            list(threads.map(lambda node: node.start(wait=False), self._nodes.values()))
        for node in self._nodes.values():
            node.wait_ready(timeout_s, brokers=len(NODES))

    def kill(self, number: int) -> None:
        """``kill -9`` of a node; its data stays."""
        self._nodes[number].kill()

    def suspend(self, number: int) -> None:
        """Freeze a node: it is there but does not answer."""
        self._nodes[number].suspend()

    def resume(self, number: int) -> None:
        """Let a frozen node go on."""
        self._nodes[number].resume()

    def bring_back(self, number: int, *, wait: bool = True) -> None:
        """Start a node again that was killed, and wait until it answers."""
        self._nodes[number].start(wait=wait)

    def running(self, number: int) -> bool:
        """Whether a node is alive."""
        return self._nodes[number].running

    def mend(self) -> None:
        """Bring back whoever is away, and wait until all copies of all topics are in sync."""
        for number in NODES:
            if not self.running(number):
                self.bring_back(number, wait=False)
        self.await_in_sync()

    def await_in_sync(self, copies: int = len(NODES), *, timeout_s: float = 300.0) -> None:
        """Wait until every partition of every topic has ``copies`` copies in sync, and a leader."""
        config = client_config(self.bootstrap_servers)
        deadline = time.monotonic() + timeout_s
        while True:
            behind: object
            try:
                names = list_topics(config, timeout_s=5.0)
                behind = [
                    (topic.name, partition.number, partition.in_sync)
                    for topic in describe_topics(config, names, timeout_s=5.0)
                    for partition in topic.partitions
                    if len(partition.in_sync) < min(copies, len(partition.replicas))
                ]
            except BrokerError as error:
                behind = error
            if not behind:
                return
            assert time.monotonic() < deadline, f"not in sync after {timeout_s} s: {behind}"
            time.sleep(0.5)

    def leader(self, topic: str, partition: int) -> int:
        """Number of the node that leads a partition."""
        admin = AdminClient(client_config(self.bootstrap_servers))
        told = admin.describe_topics(TopicCollection([topic]), request_timeout=10)[topic].result(15)
        return int(told.partitions[partition].leader.id)

    def close(self) -> None:
        """Kill all nodes."""
        for node in self._nodes.values():
            node.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------------

    def _servers(self, listener: str) -> str:
        return ",".join(f"127.0.0.1:{self._ports[listener, number]}" for number in NODES)

    def _make_certificates(self) -> None:
        # As docs/kafka-cluster.md says, but for addresses: nodes are found at 127.0.0.1 only.
        nodes = [f"broker-{number}=broker-{number},127.0.0.1" for number in NODES]
        program = str(DEPLOYED / "certificates.py")
        command = [sys.executable, program, str(self.folder / "secrets"), *nodes]
        subprocess.run(command, check=True, timeout=60)

    def _make_nodes(self) -> None:
        places = [(listener, number) for number in NODES for listener in _PORTS]
        self._ports = dict(zip(places, free_ports(len(places)), strict=True))
        self._nodes = {
            number: ApacheKafka(
                self.folder / str(number),
                node_id=number,
                port=self._ports["LOCAL", number],
                controller_port=self._ports["CONTROLLER", number],
                settings=self._settings(number),
                heap=self._heap,
            )
            for number in NODES
        }

    def _settings(self, number: int) -> dict[str, str]:
        settings = read_properties(DEPLOYED / "server.properties")
        if self.secure:
            secrets = str(self.folder / "secrets" / f"broker-{number}")
            for key, value in read_env(DEPLOYED / "secure.env").items():
                settings[key] = value.replace(_SECRETS, secrets)
            # Whoever comes by the plain listener of the tests may do everything.
            settings["super.users"] += ";User:ANONYMOUS"
        settings["listener.security.protocol.map"] += ",LOCAL:PLAINTEXT"
        mine = {name: f"127.0.0.1:{self._ports[name, number]}" for name in _PORTS}
        voters = ",".join(f"{n}@127.0.0.1:{self._ports['CONTROLLER', n]}" for n in NODES)
        return {
            **settings,
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": ",".join(f"{name}://{at}" for name, at in mine.items()),
            "advertised.listeners": ",".join(
                f"{name}://{at}" for name, at in mine.items() if name != "CONTROLLER"
            ),
            **TESTING,
            # A dead broker is taken out in seconds, as it would be in production in ten.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "replica.lag.time.max.ms": "5000",
            **self._properties,
        }


def main() -> int:
    """Run a cluster until Ctrl-C."""
    import tempfile

    with (
        tempfile.TemporaryDirectory(prefix="pbf-kafka-") as folder,
        KafkaCluster(Path(folder), secure="--secure" in sys.argv) as cluster,
    ):
        sys.stdout.write(f"{cluster.bootstrap_servers}\n")
        if cluster.secure:
            sys.stdout.write(f"secure: {cluster.secure_servers}\nca: {cluster.ca_file}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
