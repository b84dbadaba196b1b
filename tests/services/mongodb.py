"""A server that speaks MongoDB's protocol, for the tests: on loopback, with its data in a file.

No package registry has MongoDB itself. This is mongo-java-server (BSD-3-Clause), with a main
class of ours that writes every message to the file before it is answered, so that ``kill -9``
loses nothing that was acknowledged. What it does as MongoDB does, and the stores use: bulk inserts
and upserts with matched counts, unique ``_id``, conditional updates, sort and range, all values.

What it does not have: authentication, TLS, transactions and sessions, updates by aggregation
pipelines, validators, indexes that make queries fast. It orders texts by UTF-16 units where
MongoDB compares UTF-8 bytes, and takes NaN for greater than every number in comparisons.

Run as a script it starts a server, prints the settings that reach it and keeps it until Ctrl-C:
``python tests/services/mongodb.py``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from pbf_ray.kafka.owned_process import OwnedProcess

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.apache_kafka import free_ports
from services.fetch import cache_folder, find_mongo_server
from services.own_server import OwnServer

__all__ = ["MongoServer", "mongodb_missing"]

_SOURCE = Path(__file__).with_name("DurableMongoServer.java")


def mongodb_missing() -> str:
    """Why no such server can be started here; empty if it can."""
    if shutil.which("java") is None:
        return "java is not on PATH"
    if find_mongo_server() is None:
        return "its jars are not fetched (make services)"
    if importlib.util.find_spec("pymongo") is None:
        return "pymongo is not installed (make setup)"
    return ""


class MongoServer(OwnServer):
    """One server process; ``stop`` or ``kill`` and then ``start`` keep port and data."""

    def __init__(self) -> None:
        missing = mongodb_missing()
        jars = find_mongo_server()
        if missing or jars is None:
            raise RuntimeError(f"the MongoDB server cannot be started: {missing}")
        self.port = 0
        self._class_path = f"{jars}/*:{_compiled(jars)}"
        self._folder = Path(tempfile.mkdtemp(prefix="pbf-mongodb-"))
        self._process: OwnedProcess | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``mongodb`` of the settings."""
        return {"host": "127.0.0.1", "port": self.port}

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "server.log"

    def connect(self, **options: Any) -> Any:
        """A plain client, for tests that look from outside."""
        import pymongo

        return pymongo.MongoClient("127.0.0.1", self.port, **options)

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start the server and wait until it answers."""
        first = not self.port
        for attempt in range(3):
            if first:
                self.port = free_ports(1)[0]
            self._process = OwnedProcess(
                [
                    "java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                    "-cp", self._class_path, _SOURCE.stem,
                    str(self.port), str(self._folder / "data.mv"),
                ],
                log_path=self.log_path,
            )  # fmt: skip
            self._process.start()
            try:
                self._wait(timeout_s)
            except RuntimeError:
                # Another process took the port between the choice and the start.
                taken = "Address already in use" in self._process.log_tail(50)
                self._process.kill()
                if not (first and taken) or attempt == 2:
                    raise
            else:
                return self
        raise AssertionError("unreachable")

    def _wait(self, timeout_s: float) -> None:
        import pymongo
        from pymongo.errors import PyMongoError

        assert self._process is not None
        end = time.monotonic() + timeout_s
        while True:
            try:
                with self.connect(serverSelectionTimeoutMS=500) as client:
                    client.admin.command("ping")
            except PyMongoError as error:
                running = self._process.running
                if running and time.monotonic() < end:
                    continue
                state = "does not answer" if running else "ended"
                tail = self._process.log_tail(20)
                raise RuntimeError(
                    f"the MongoDB server {state} (pymongo {pymongo.version}): {error}\n{tail}"
                ) from error
            return


def _compiled(jars: Path) -> Path:
    """The folder with the compiled main class; compiled once per source."""
    mark = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"{jars.name}-main-{mark}"
    with (cache_folder() / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / f"{_SOURCE.stem}.class").is_file():
            with tempfile.TemporaryDirectory(dir=cache_folder()) as work:
                classes = Path(work) / "classes"
                compiler = next(jars.glob("ecj-*.jar"))
                class_path = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
                done = subprocess.run(
                    ["java", "-jar", str(compiler), "-17", "-proc:none", "-cp", class_path,
                     "-d", str(classes), str(_SOURCE)],
                    capture_output=True,
                    text=True,
                    check=False,
                )  # fmt: skip
                if done.returncode:
                    raise RuntimeError(f"{compiler.name} failed:\n{done.stdout}{done.stderr}")
                shutil.rmtree(folder, ignore_errors=True)
                classes.rename(folder)
    return folder


def main() -> int:
    """Run a server until Ctrl-C."""
    with MongoServer() as server:
        for key, value in server.settings.items():
            sys.stdout.write(f"export MONGODB_{key.upper()}={value}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
