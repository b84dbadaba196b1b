"""The demo's broker: a separate process that speaks Kafka on loopback. Never for production.

It is ``noida-db`` (MIT; the extra ``embedded``), of which only the Kafka service is started. All
that pbf_ray knows of it is in this module, so that another broker can take its place.

What was tried and works: topics with partitions, idempotent producers, snappy, lz4 and zstd,
earliest and latest offsets, last stable offset under open transactions, end-of-partition events,
manual assignment, committed group offsets, a cluster id, record timestamps.

Its limits, each of them seen:

* It keeps all records in memory and saves them a moment after it has acknowledged them. ``stop``
  and the death of the owner let it save; a ``kill -9`` of the broker itself loses records.
* Topics have no id: ``ClusterView`` names them by cluster id and topic name, so a topic that was
  deleted and made anew is not noticed. The cluster id is a constant.
* Reading *transactional* records from an offset in the middle hides committed records behind
  earlier aborted transactions. pbf_ray's own producer uses no transactions.
* A producer that names a topic which is not there makes it, with one partition.
* An empty fetch is answered at once, so an idle consumer keeps half a processor busy here and
  there: give ``PartitionReader`` ``max_ahead_bytes=0``.
* Retention looks at record timestamps: records that are stamped as old as the retention are gone
  at once. Send with the time of sending; the event time stands in the record.
* Replication factor 1, no authentication, no TLS, no quotas.
"""

from __future__ import annotations

import logging
import re
import signal
import stat
import time
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from pbf_ray.errors import BrokerError, BrokerUnavailableError
from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.owned_process import OwnedProcess
from pbf_ray.optional import require

__all__ = ["EmbeddedBroker"]

_log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"^\s*kafka\s+(127\.0\.0\.1:\d+)\s*$", re.MULTILINE)


class EmbeddedBroker:
    """Runs the demo's broker; it ends with this object or with this process, whichever is first.

    Args:
        folder: Where its data and log go; made if absent. A later broker with the same folder
            has the same topics and records.
        port: Port on 127.0.0.1; 0 takes a free one.

    Raises:
        MissingDependencyError: If the extra ``embedded`` is not installed.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self._folder = Path(folder)
        self._port = port
        self._program = _program()
        self._process: OwnedProcess | None = None
        self._address = ""

    @property
    def bootstrap_servers(self) -> str:
        """``127.0.0.1:port`` of the running broker.

        Raises:
            BrokerError: If it is not started.
        """
        if not self._address:
            raise BrokerError("the embedded broker is not started", advice="call start()")
        return self._address

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self._folder / "broker.log"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of the broker.

        Raises:
            BrokerError: If it is not started.
        """
        if self._process is None:
            raise BrokerError("the embedded broker is not started", advice="call start()")
        return self._process.pid

    def start(self, *, timeout_s: float = 30.0) -> Self:
        """Start the broker and wait until it answers.

        Raises:
            BrokerError: If it ends at once, for example because its port is taken.
            BrokerUnavailableError: If it does not answer within ``timeout_s``.
        """
        if self.running:
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        self.log_path.unlink(missing_ok=True)
        self._process = OwnedProcess(
            [
                str(self._program),
                "start",
                "--only",
                "kafka",
                "--host",
                "127.0.0.1",
                "--kafka-port",
                str(self._port),
                "--data-dir",
                str(self._folder / "data"),
            ],
            log_path=self.log_path,
            death_signal=signal.SIGTERM,
        )
        self._process.start()
        deadline = time.monotonic() + timeout_s
        try:
            self._address = self._announced(self._process, deadline)
            wait_for_broker(client_config(self._address), max(1.0, deadline - time.monotonic()))
        except BrokerError:
            self._process.kill()
            self._address = ""
            raise
        _log.info("embedded broker at %s, data in %s", self._address, self._folder)
        return self

    def _announced(self, process: OwnedProcess, deadline: float) -> str:
        """The address that the broker prints once it listens."""
        while True:
            said = _ADDRESS.search(process.log_tail())
            if said is not None:
                return said.group(1)
            if not process.running:
                raise BrokerError(
                    f"the embedded broker ended with code {process.exit_code}: "
                    f"{process.log_tail(3)}",
                    advice=f"see {self.log_path}",
                    log=str(self.log_path),
                )
            if time.monotonic() > deadline:
                raise BrokerUnavailableError("127.0.0.1", f"nothing listens; see {self.log_path}")
            process.wait(0.02)

    def stop(self, *, grace_s: float = 15.0) -> None:
        """Let the broker save its records and end; kill it after ``grace_s``."""
        if self._process is not None:
            self._process.stop(grace_s=grace_s)
        self._address = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _program() -> Path:
    package = require("noida_db", extra="embedded", purpose="the embedded broker")
    program = Path(str(resources.files(package) / "noida-db"))
    if not program.is_file():
        raise BrokerError(
            f"the package noida-db has no program at {program}",
            advice="pip install --force-reinstall 'pbf_ray[embedded]'",
        )
    if not program.stat().st_mode & stat.S_IXUSR:
        # Wheels do not keep the mode; the package's own launcher does the same.
        program.chmod(0o755)
    return program
