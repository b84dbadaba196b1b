"""Connections to one SQLite file: transactions, snapshots for reading, typed errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["SqliteFile"]

_JOURNAL_BYTES: Final = 64 * 2**20


class SqliteFile:
    """One SQLite file: a writing connection per process, a new one for each reading.

    The connections are opened on use and not pickled.

    Args:
        path: The file; its folder is made by the first write.
        name: Name of the store, for messages.
        busy_timeout_s: How long to wait for another writer.
    """

    def __init__(self, path: Path, *, name: str, busy_timeout_s: float) -> None:
        self.path = path
        self.name = name
        self.busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._writer_pid = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.name, self.busy_timeout_s)

    def close(self) -> None:
        """Close the writing connection; the next write opens it again."""
        with self._lock:
            writer, self._writer = self._writer, None
            # A connection that came over a fork belongs to the parent.
            if writer is not None and self._writer_pid == os.getpid():
                writer.close()

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """The writing connection of this process; dropped if anything goes wrong with it."""
        with self._lock:
            try:
                if self._writer is None or self._writer_pid != os.getpid():
                    self._writer = self._open_writer()
                    self._writer_pid = os.getpid()
                yield self._writer
            except sqlite3.Error as error:
                self.close()
                raise self._translated(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end of the block, rolled back on any exception."""
        with self.connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                # Also after KeyboardInterrupt; some errors have rolled back by themselves.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that readers in threads do not wait for writers.

        Each statement sees one state of the file, of whole epochs.
        """
        if not self.path.exists():
            raise StoreContentError(
                self.name, "there is no such file", advice="run a job that writes it first"
            )
        try:
            with closing(self._connect("ro")) as connection:
                yield connection
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}",
            uri=True,
            timeout=self.busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=32,
        )

    def _open_writer(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                self.name,
                f"its folder cannot be made: {error}",
                advice="choose a folder that this user may write",
            ) from error
        connection = self._connect("rwc")
        try:
            self._keep_log(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep_log(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self.busy_timeout_s
        while True:
            try:
                mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
                if mode != "wal":
                    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait for others here, for example who make the file as well.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.005)
        if mode != "wal":
            raise StoreError(
                self.name,
                f"SQLite cannot keep a write-ahead log here (journal mode {mode})",
                advice="use a local disk: network file systems lack shared memory",
            )

    def _translated(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            # Python itself refused: a closed connection, a wrong number of values, a huge integer.
            return StoreError(self.name, f"{type(error).__name__}: {error}")
        kind, advice = _SQLITE_ERRORS.get(code & 0xFF, (StoreError, ""))
        symbol = getattr(error, "sqlite_errorname", str(code))
        return kind(self.name, f"{error} ({symbol})", advice=advice, code=symbol)


def _reopen(path: Path, name: str, busy_timeout_s: float) -> SqliteFile:
    return SqliteFile(path, name=name, busy_timeout_s=busy_timeout_s)


_SQLITE_ERRORS: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_BUSY: (StoreUnavailableError, "another program holds a long write transaction"),
    sqlite3.SQLITE_LOCKED: (StoreUnavailableError, "another program holds a lock on the table"),
    sqlite3.SQLITE_FULL: (StoreUnavailableError, "the disk is full: make room"),
    sqlite3.SQLITE_IOERR: (StoreUnavailableError, "see the disk and the system log"),
    sqlite3.SQLITE_NOMEM: (StoreUnavailableError, "too little memory is free"),
    sqlite3.SQLITE_READONLY: (StoreError, "give this user the right to write file and folder"),
    sqlite3.SQLITE_PERM: (StoreError, "give this user the right to write file and folder"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "see that the folder exists and this user may use it"),
    sqlite3.SQLITE_NOTADB: (StoreContentError, "the file is something else: name another"),
    sqlite3.SQLITE_CORRUPT: (
        StoreContentError,
        "restore a copy, or move the file away and replay the job under another name",
    ),
    sqlite3.SQLITE_CONSTRAINT: (StoreContentError, "a row breaks a constraint of its table"),
    sqlite3.SQLITE_MISMATCH: (StoreContentError, "a value does not fit its column"),
    sqlite3.SQLITE_TOOBIG: (StoreContentError, "a value is over SQLite's limit of length"),
    sqlite3.SQLITE_ERROR: (StoreContentError, "was the store prepared? run the job once"),
}
