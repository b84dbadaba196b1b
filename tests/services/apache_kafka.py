"""Apache Kafka itself as a test broker: one KRaft process on loopback and free ports.

Needs ``java`` and the jars of ``tests/services/fetch.py``. Run as a script it starts a broker,
prints its address and keeps it until Ctrl-C: ``python tests/services/apache_kafka.py``.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from pbf_ray.errors import AccessDeniedError, BrokerUnavailableError
from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.owned_process import OwnedProcess

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.class_archive import class_path, sharing_option
from services.fetch import find_apache_kafka
from services.server_settings import one_node

__all__ = ["ApacheKafka", "apache_kafka_missing", "free_ports"]

_NOTHING: Mapping[str, str] = MappingProxyType({})

_CLUSTER_ID = "pbfRayTestClusterAAAAA"

_LOG4J = """\
rootLogger.level = {level}
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{{1}}: %m%n
"""


def apache_kafka_missing() -> str:
    """Why Apache Kafka cannot be started here; empty if it can."""
    if shutil.which("java") is None:
        return "java is not on PATH"
    if find_apache_kafka() is None:
        return "its jars are not fetched (make services)"
    return ""


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on just now, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class ApacheKafka:
    """One Apache Kafka process, broker and controller in one.

    ``stop`` or ``kill`` and then ``start`` again keeps port and data: a broker that was away. Three
    of them are ``kafka_cluster.KafkaCluster``.

    Args:
        folder: Where data, settings and log go; made if absent; None takes a temporary folder
            that ``close`` removes.
        node_id: KRaft node id.
        port: Port of the broker; None picks a free one.
        controller_port: Port of the controller; None picks a free one.
        settings: All server properties but ``log.dirs``, in place of those of a single node.
        properties: Further server properties; they override the others.
        heap: ``-Xmx`` of the JVM.
        java_options: Further options of the JVM, in place of the archive of classes.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        node_id: int = 1,
        port: int | None = None,
        controller_port: int | None = None,
        settings: Mapping[str, str] = _NOTHING,
        properties: Mapping[str, str] = _NOTHING,
        heap: str = "512m",
        java_options: Sequence[str] = (),
    ) -> None:
        missing = apache_kafka_missing()
        jars = find_apache_kafka()
        if missing or jars is None:
            raise RuntimeError(f"Apache Kafka cannot be started: {missing}")
        self._jars = jars
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="pbf-kafka-")) if folder is None else folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.node_id = node_id
        self._given_ports = (port, controller_port)
        self._settings = dict(settings)
        self._properties = dict(properties)
        self._heap = heap
        self._java_options = tuple(java_options)
        self.port = 0
        self.controller_port = 0
        self._process: OwnedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``127.0.0.1:port``; the port is known once ``start`` was called."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        assert self._process is not None
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self.folder / "kafka.log"

    def start(self, *, timeout_s: float = 90.0, wait: bool = True) -> ApacheKafka:
        """Format the storage (first start only), start the broker and wait until it answers.

        Args:
            timeout_s: Longest wait for readiness, seconds.
            wait: False returns at once: nodes of a cluster wait for each other.

        Returns:
            This object.
        """
        attempts = 1 if self.port else 3
        for attempt in range(1, attempts + 1):
            if not self.port:
                self._choose_ports()
            config = self._write_settings()
            if not (self.folder / "data" / "meta.properties").exists():
                self._format(config)
            self._process = OwnedProcess(
                self._java("kafka.Kafka", str(config)), log_path=self.log_path
            )
            self._process.start()
            if not wait:
                return self
            try:
                self.wait_ready(timeout_s)
            except RuntimeError:
                # Another process took the port between the choice and the start.
                taken = "already in use" in self._process.log_tail(200)
                self.kill()
                if not taken or attempt == attempts or any(self._given_ports):
                    raise
                self.port = 0
                shutil.rmtree(self.folder / "data", ignore_errors=True)
                self.log_path.unlink()
                continue
            return self
        raise AssertionError("unreachable")

    def wait_ready(self, timeout_s: float = 90.0, *, brokers: int = 1) -> None:
        """Poll the protocol until the broker answers.

        Raises:
            RuntimeError: With the end of the log, if the process ended or the time is over.
        """
        assert self._process is not None
        config = client_config(self.bootstrap_servers)
        left_s = timeout_s
        while True:
            try:
                wait_for_broker(config, 2.0, minimum_brokers=brokers)
            except AccessDeniedError:
                raise
            except BrokerUnavailableError as error:
                left_s -= 2.0
                if self._process.running and left_s > 0:
                    continue
                state = "did not become ready" if self._process.running else "ended"
                tail = self._process.log_tail(30)
                raise RuntimeError(f"Apache Kafka {state}: {error}\n{tail}") from error
            return

    def stop(self, *, grace_s: float = 20.0) -> None:
        """Stop cleanly, kill what has not ended after ``grace_s``; the data stays."""
        if self._process is not None:
            self._process.stop(grace_s=grace_s)

    def kill(self) -> None:
        """``kill -9``; the data stays."""
        if self._process is not None:
            self._process.kill()

    def suspend(self) -> None:
        """Freeze the process (SIGSTOP): a broker that is there but does not answer."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def close(self) -> None:
        """Kill the process and remove a temporary folder."""
        self.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _choose_ports(self) -> None:
        port, controller_port = self._given_ports
        free = free_ports(2)
        self.port = port or free[0]
        self.controller_port = controller_port or free[1]

    def _write_settings(self) -> Path:
        settings = {
            **(self._settings or one_node(self.node_id, self.port, self.controller_port)),
            "log.dirs": str(self.folder / "data"),
            **self._properties,
        }
        path = self.folder / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (self.folder / "log4j2.properties").write_text(_LOG4J.format(level="INFO"))
        return path

    def _format(self, config: Path) -> None:
        command = self._java(
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            _CLUSTER_ID,
            "--config",
            str(config),
        )
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if ran.returncode != 0:
            raise RuntimeError(f"formatting Kafka's storage failed:\n{ran.stdout}{ran.stderr}")

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            "java",
            f"-Xmx{self._heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # quick to start; a test's broker is never hot
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            *(self._java_options or sharing_option(self._jars)),
            "-cp",
            class_path(self._jars),
            main,
            *arguments,
        ]


def main() -> int:
    """Run a broker until Ctrl-C."""
    with ApacheKafka() as broker:
        sys.stdout.write(f"{broker.bootstrap_servers}\nlog: {broker.log_path}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
