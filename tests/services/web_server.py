"""Servers of the tests that talk HTTP: started on a free port of loopback, awaited, ended."""

from __future__ import annotations

import abc
import tempfile
import time
from pathlib import Path
from typing import ClassVar, Self

import requests

from pbf_ray.kafka.owned_process import OwnedProcess
from services.apache_kafka import free_ports
from services.environments import Environment
from services.own_server import OwnServer

__all__ = ["WebServer"]


class WebServer(OwnServer):
    """A server in an environment of its own; ``stop``, ``kill`` and ``start`` keep its port."""

    environment: ClassVar[Environment]
    answers_at: ClassVar[str]
    """A path that any answer to means: it is there."""

    def __init__(self) -> None:
        missing = self.environment.missing()
        if missing:
            raise RuntimeError(f"{self.environment.name} cannot be started: {missing}")
        self.port = 0
        self._folder = Path(tempfile.mkdtemp(prefix=f"pbf-{self.environment.name}-"))
        self._process: OwnedProcess | None = None

    @abc.abstractmethod
    def command(self) -> list[str]:
        """What is run, behind the interpreter."""

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "server.log"

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start the server and wait until it answers."""
        if not self.port:
            self.port = free_ports(1)[0]
        (self._folder / "tmp").mkdir(exist_ok=True)
        home, scratch = self.environment.home, self._folder / "tmp"
        self._process = OwnedProcess(
            ["env", f"HOME={home}", f"TMPDIR={scratch}", str(self.environment.python),
             *self.command()],
            log_path=self.log_path,
        )  # fmt: skip
        self._process.start()
        end = time.monotonic() + timeout_s
        while True:
            try:
                requests.get(f"http://127.0.0.1:{self.port}{self.answers_at}", timeout=10)
            except requests.RequestException as error:
                if not self._process.running or time.monotonic() > end:
                    state = "does not answer" if self._process.running else "ended"
                    tail = self._process.log_tail(10)
                    name = self.environment.name
                    raise RuntimeError(f"{name} {state}: {error}\n{tail}") from error
                time.sleep(0.05)
            else:
                return self
