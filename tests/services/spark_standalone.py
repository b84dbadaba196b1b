"""A Spark master and a worker of its own, on loopback and free ports, from the jars of pyspark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["SparkStandalone"]

_CORES = 2
_MEMORY = "1g"


class SparkStandalone:
    """A master and a worker; usable as a context manager.

    Args:
        folder: Where logs and the worker's files go.
        patience_s: How long they may take to find each other.
    """

    def __init__(self, folder: Path, *, patience_s: float = 240.0) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._processes: list[subprocess.Popen[bytes]] = []
        self.master = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            where = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
            self._start("Master", where)
            started = self._wait("Master", r"Starting Spark master at (spark://\S+)")
            self.master = started
            work = ["--work-dir", str(self._folder / "work")]
            shape = ["--cores", str(_CORES), "--memory", _MEMORY]
            self._start("Worker", [*where, *work, *shape, self.master])
            self._wait("Worker", r"(Successfully registered with master)")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End both; the worker first, which ends its executors."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def _log(self, role: str) -> Path:
        return self._folder / f"{role.lower()}.log"

    def _start(self, role: str, arguments: list[str]) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        # Level INFO, for the address of the master is told on it.
        settings = self._folder / "log4j2.properties"
        settings.write_text(
            "rootLogger.level = info\nrootLogger.appenderRef.out.ref = out\n"
            "appender.out.type = Console\nappender.out.name = out\n"
            "appender.out.target = SYSTEM_ERR\nappender.out.layout.type = PatternLayout\n"
            "appender.out.layout.pattern = %p %c{1}: %m%n\n"
        )
        command = [
            *(
                "java",
                "-cp",
                f"{home / 'jars'}/*",
                f"-Dlog4j2.configurationFile={settings}",
                "-Xmx256m",
            ),
            f"org.apache.spark.deploy.{'master' if role == 'Master' else 'worker'}.{role}",
            *arguments,
        ]
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_SCALA_VERSION": "2.13",  # what its shell scripts find out
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        with self._log(role).open("wb") as log:
            self._processes.append(
                subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
            )

    def _wait(self, role: str, pattern: str) -> str:
        deadline = time.monotonic() + self._patience_s
        while True:
            text = self._log(role).read_text(encoding="utf-8", errors="replace")
            if found := re.search(pattern, text):
                return found[1]
            if self._processes[-1].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Spark's {role} did not start:\n{text[-3000:]}")
            time.sleep(0.1)
