"""A server of Spark Connect, on loopback and a free port, from the jars of pyspark."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from services.apache_kafka import free_ports

__all__ = ["SparkConnect", "spark_connect_missing"]

_CLIENT = ("grpc", "grpc_status", "google.rpc", "zstandard", "pandas")


def spark_connect_missing() -> str:
    """What a client of Spark Connect lacks here; empty if nothing."""
    for name in _CLIENT:
        try:
            found = find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"{name} is not installed: pip install 'pyspark[connect]'"
    return ""


class SparkConnect:
    """A server that is a Spark of its own; usable as a context manager.

    Args:
        folder: Where its log and its files go.
        patience_s: How long it may take to start.
    """

    def __init__(self, folder: Path, *, patience_s: float = 240.0) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None
        self.master = ""

    def __enter__(self) -> Self:
        import pyspark

        self._folder.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        home = Path(pyspark.__file__).parent
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.ui.enabled": "false",
        }
        command = [
            str(home / "bin" / "spark-submit"),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master", "local[2]",
            "--driver-memory", "512m",
            *(part for key, value in settings.items() for part in ("--conf", f"{key}={value}")),
            "spark-internal",
        ]  # fmt: skip
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        try:
            self._wait(port)
        except BaseException:
            self.close()
            raise
        self.master = f"sc://127.0.0.1:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def _log(self) -> Path:
        return self._folder / "connect.log"

    def _wait(self, port: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                pass
            else:
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self._log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"the server of Spark Connect did not start:\n{text[-3000:]}")
            time.sleep(0.1)
