"""A cache in one SQLite file: no server; epochs are transactions behind a fence."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pbf_ray.errors import FencedError
from pbf_ray.storage.base import EpochCommit, may_apply
from pbf_ray.storage.caches.base import CacheStore, check_cache_keys, check_ttl
from pbf_ray.storage.sqlitefile import SqliteFile

__all__ = ["SqliteCache"]

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS pbf_ray_cache (
        key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, expires_s REAL NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS pbf_ray_cache_expires ON pbf_ray_cache (expires_s)",
    """CREATE TABLE IF NOT EXISTS pbf_ray_cache_jobs (
        job_id TEXT NOT NULL PRIMARY KEY, incarnation INTEGER NOT NULL, epoch INTEGER
    )""",
)
_SET: Final = (
    "INSERT INTO pbf_ray_cache (key, value, expires_s) VALUES (?, ?, ?) ON CONFLICT (key) "
    "DO UPDATE SET value = excluded.value, expires_s = excluded.expires_s"
)
_AT_ONCE: Final = 900
"""Parameters of one statement."""
_SWEEP_EACH_S: Final = 60.0


class SqliteCache(CacheStore):
    """Values in an SQLite file of their own.

    Args:
        path: The file; its folder is made if need be.
        ttl_s: How long values stay where nothing else is said, in seconds.
        busy_timeout_s: How long to wait for another writer of the same file.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, ttl_s: float = 3600.0, busy_timeout_s: float = 10.0
    ) -> None:
        self.path = Path(path).absolute()
        self.name = f"sqlite:{self.path}"
        self.ttl_s = check_ttl(ttl_s, store=self.name)
        self._file = SqliteFile(self.path, name=self.name, busy_timeout_s=busy_timeout_s)
        self._swept_s = 0.0

    def check(self) -> None:
        """Take the write lock of the file and let it go."""
        with self._writing():
            pass

    def put(self, values: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        """Set values, in one transaction."""
        check_cache_keys(values, store=self.name)
        life_s = self._life_s(ttl_s)
        with self._writing() as connection:
            self._set(connection, values, life_s)

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values that are there and have not expired."""
        check_cache_keys(keys, store=self.name)
        found: dict[str, bytes] = {}
        with self._reading() as connection:
            if connection is None:
                return found
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                found.update(
                    connection.execute(
                        "SELECT key, value FROM pbf_ray_cache "  # noqa: S608 - only marks
                        f"WHERE expires_s > ? AND key IN ({marks})",
                        (time.time(), *some),
                    )
                )
        return found

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix, of one state of the file."""
        check_cache_keys([prefix], store=self.name)
        with self._reading() as connection:
            if connection is None:
                return
            rows = connection.execute(
                "SELECT key FROM pbf_ray_cache "
                "WHERE key >= ? AND substr(key, 1, ?) = ? AND expires_s > ?",
                (prefix, len(prefix), prefix, time.time()),
            ).fetchall()
        for (key,) in rows:
            yield key

    def delete(self, keys: Sequence[str]) -> int:
        """Forget values, in one transaction."""
        check_cache_keys(keys, store=self.name)
        forgotten = 0
        with self._writing() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                forgotten += connection.execute(
                    f"DELETE FROM pbf_ray_cache WHERE expires_s > ? AND key IN ({marks})",  # noqa: S608
                    (time.time(), *some),
                ).rowcount
        return forgotten

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job in the fence table."""
        with self._writing() as connection:
            registered, _ = self._job(connection, job_id)
            if registered is not None and registered > incarnation:
                raise FencedError(job_id, mine=incarnation, newer=registered, where=self.name)
            if registered != incarnation:
                connection.execute(
                    "INSERT INTO pbf_ray_cache_jobs (job_id, incarnation) VALUES (?, ?) "
                    "ON CONFLICT (job_id) DO UPDATE SET incarnation = excluded.incarnation",
                    (job_id, incarnation),
                )

    def apply(
        self,
        job_id: str,
        incarnation: int,
        epoch: int,
        values: Mapping[str, bytes],
        *,
        ttl_s: float | None = None,
    ) -> bool:
        """Fence, epoch and values in one transaction."""
        check_cache_keys(values, store=self.name)
        life_s = self._life_s(ttl_s)
        write = EpochCommit(job_id, incarnation, epoch)
        with self._writing() as connection:
            registered, last = self._job(connection, job_id)
            if not may_apply(write, store=self.name, incarnation=registered, committed=last):
                return False
            self._set(connection, values, life_s)
            connection.execute(
                "UPDATE pbf_ray_cache_jobs SET epoch = ? WHERE job_id = ?", (epoch, job_id)
            )
        return True

    def applied_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job; None before the first."""
        with self._reading() as connection:
            return self._job(connection, job_id)[1] if connection else None

    def close(self) -> None:
        """Close the connection of this process."""
        self._file.close()

    def _life_s(self, ttl_s: float | None) -> float:
        return self.ttl_s if ttl_s is None else check_ttl(ttl_s, store=self.name)

    @staticmethod
    def _job(connection: sqlite3.Connection, job_id: str) -> tuple[int | None, int | None]:
        row = connection.execute(
            "SELECT incarnation, epoch FROM pbf_ray_cache_jobs WHERE job_id = ?", (job_id,)
        ).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    @staticmethod
    def _set(connection: sqlite3.Connection, values: Mapping[str, bytes], life_s: float) -> None:
        expires_s = time.time() + life_s
        connection.executemany(_SET, ((key, value, expires_s) for key, value in values.items()))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._file.writing() as connection:
            for statement in _TABLES:
                connection.execute(statement)
            now_s = time.time()
            if abs(now_s - self._swept_s) > _SWEEP_EACH_S:
                connection.execute("DELETE FROM pbf_ray_cache WHERE expires_s <= ?", (now_s,))
                self._swept_s = now_s
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """None where nothing has been written yet."""
        if not self.path.exists():
            yield None
            return
        with self._file.reading() as connection:
            made = connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'pbf_ray_cache_jobs'"
            ).fetchone()
            yield connection if made[0] else None
