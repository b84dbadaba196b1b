"""Connections to one PostgreSQL database: a pool per process, typed errors, no secrets shown."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["PostgresAddress", "PostgresPool"]

_Pool = ConnectionPool[psycopg.Connection]

# Without a handler Python writes warnings to the terminal; what matters is in our errors.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# What the server, the database or the user may have set otherwise, and what texts depend on.
_SESSION: Final[dict[LiteralString, LiteralString]] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_min_messages": "warning",
    "synchronous_commit": "on",
}


@dataclass(frozen=True)
class PostgresAddress:
    """Where a database is, and how its connections are kept.

    Attributes:
        host: Name or address.
        port: Port.
        database: Name of the database.
        user: Name of the user.
        password: Its password; None for servers that ask for none, and for ``~/.pgpass``.
        sslmode: As libpq has it: ``prefer``, ``require``, ``verify-full``, ...
        sslrootcert: File of the authorities that may sign the server's certificate.
        pool_size: Most connections of one process.
        pool_timeout_s: Longest wait for one, and for the server to answer.
        pool_recycle_s: A connection older than this is replaced.
    """

    host: str
    port: int = 5432
    database: str = "pbf_lbm"
    user: str = "pbf_user"
    password: str | None = field(default=None, repr=False)
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    pool_size: int = 50
    pool_timeout_s: float = 30.0
    pool_recycle_s: float = 3600.0

    def parameters(self) -> dict[str, Any]:
        """What libpq is told. Never log it."""
        given = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "connect_timeout": max(2, round(min(self.pool_timeout_s, 30.0))),
            "application_name": "pbf_ray",
            "client_encoding": "UTF8",
            # A server that vanished without a word is noticed in a minute, not in two hours.
            "keepalives_idle": 20,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
        }
        return {key: value for key, value in given.items() if value is not None}


class PostgresPool:
    """A pool that is opened on use, in each process anew, and given up when the server goes.

    The first connection after that is made directly, so that an error says what is wrong and not
    only that no connection came.

    Args:
        address: The database.
        name: Name of the store, for messages.
    """

    def __init__(self, address: PostgresAddress, *, name: str) -> None:
        self.address = address
        self.name = name
        self._lock = threading.Lock()
        self._pool: _Pool | None = None
        self._pid = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.address, self.name)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """A connection in autocommit mode that answers; given back at the end of the block.

        Raises:
            StoreUnavailableError: The server is away or cannot serve now.
            StoreError: It refuses for good.
            StoreContentError: Tables or values do not fit.
        """
        pool: _Pool | None = None
        try:
            pool, connection = self._taken()
            try:
                yield connection
            except BaseException:
                if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    # In the middle of a COPY, for example; the server stops working on it.
                    connection.close()
                raise
            finally:
                pool.putconn(connection)
        except (PoolTimeout, PoolClosed) as error:
            self._give_up(pool)
            raise StoreUnavailableError(
                self.name,
                f"no connection came free: {error}",
                advice="raise postgres.pool_size, or see why the server does not answer",
            ) from None
        except psycopg.Error as error:
            translated = self.translated(error)
            if translated.transient:
                self._give_up(pool)
            # Without its cause: libpq's messages are in ours, its connection parameters are not.
            raise translated from None

    @contextmanager
    def writing(self) -> Iterator[psycopg.Connection]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        with self.connected() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        self._give_up(self._pool)

    def _give_up(self, pool: _Pool | None) -> None:
        """Close a pool, unless another thread has already done so and opened a new one."""
        with self._lock:
            if pool is not None and pool is self._pool:
                self._pool = None
                # A pool that came over a fork belongs to the parent.
                if self._pid == os.getpid():
                    pool.close(timeout=5.0)

    def _taken(self) -> tuple[_Pool, psycopg.Connection]:
        """A connection that answers. The pool's own check would wait until the time is up."""
        for last in (False, True):
            pool = self._opened()
            connection = pool.getconn()
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.OperationalError:
                pool.putconn(connection)
                self._give_up(pool)
                if last:
                    raise
            else:
                return pool, connection
        raise AssertionError("unreachable")

    def _opened(self) -> _Pool:
        with self._lock:
            if self._pool is None or self._pid != os.getpid():
                # Tells at once what is wrong; the pool would only tell that time is up.
                psycopg.connect(**self.address.parameters()).close()
                pool = ConnectionPool(
                    kwargs={**self.address.parameters(), "autocommit": True},
                    min_size=1,
                    max_size=self.address.pool_size,
                    timeout=self.address.pool_timeout_s,
                    max_lifetime=self.address.pool_recycle_s,
                    max_idle=600.0,
                    reconnect_timeout=5.0,
                    num_workers=1,
                    configure=_configure,
                    open=True,
                )
                try:
                    pool.wait(self.address.pool_timeout_s)
                except BaseException:
                    pool.close(timeout=5.0)
                    raise
                self._pool, self._pid = pool, os.getpid()
            return self._pool

    def translated(self, error: psycopg.Error) -> StoreError:
        """Our error for one of the driver's: transient, of content, or terminal."""
        state = error.sqlstate
        problem = _plain(error)
        if state is None:
            return self._without_state(error, problem)
        facts = {"code": state}
        if state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES:
            advice = "it is tried again; see the server's log if that goes on"
            return StoreUnavailableError(self.name, problem, advice=advice, **facts)
        for prefix, (kind, advice) in _ADVICE.items():
            if state.startswith(prefix):
                return kind(self.name, problem, advice=advice, **facts)
        return StoreError(self.name, problem, **facts)

    def _without_state(self, error: psycopg.Error, problem: str) -> StoreError:
        if isinstance(error, pg.OperationalError | pg.InterfaceError):
            # libpq hands down no code when a connection is refused. The words are those of a
            # server without translations; otherwise it is only tried for longer than need be.
            terminal = next((advice for words, advice in _REFUSALS if words in problem), None)
            if terminal is not None:
                return StoreError(self.name, problem, advice=terminal)
            return StoreUnavailableError(
                self.name,
                problem,
                advice=f"see that PostgreSQL runs at {self.address.host}:{self.address.port} "
                "(postgres.host, postgres.port)",
            )
        if isinstance(error, pg.DataError):
            return StoreContentError(self.name, problem)
        return StoreError(self.name, problem)


def _reopen(address: PostgresAddress, name: str) -> PostgresPool:
    return PostgresPool(address, name=name)


def _configure(connection: psycopg.Connection) -> None:
    for key, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (key, value))


def _plain(error: psycopg.Error) -> str:
    parts = [error.diag.message_primary or str(error) or type(error).__name__]
    if error.diag.message_detail and error.sqlstate not in {"23505", "23502"}:
        parts.append(error.diag.message_detail)
    return "; ".join(parts)


_TRANSIENT_CLASSES: Final = {
    "08",  # connection
    "40",  # rolled back: deadlock, serialisation
    "53",  # out of memory, disk, connections
    "57",  # shut down, starting up, cancelled
    "58",  # of the system the server runs on
}
_TRANSIENT_STATES: Final = {
    "55P03",  # lock not available
    "25006",  # read only: a standby that is being promoted
}
_ADVICE: Final[dict[str, tuple[type[StoreError], str]]] = {
    "42P01": (StoreContentError, "was the store prepared? run the job once"),
    "42703": (StoreContentError, "somebody has changed the table; see its columns"),
    "42501": (StoreError, "GRANT this user the right to create and write its tables"),
    "28": (StoreError, "check postgres.user and postgres.password"),
    "3D": (StoreError, "create the database, or set postgres.database"),
    "3F": (StoreError, "create the schema, or set postgres.schema_name"),
    "22": (StoreContentError, "a value does not fit its column"),
    "23": (StoreContentError, "a row breaks a constraint of its table"),
    "54": (StoreContentError, "a value or a table is over a limit of PostgreSQL"),
}
_REFUSALS: Final = (
    ("password authentication failed", "check postgres.user and postgres.password"),
    ("no password supplied", "set POSTGRES_PASSWORD or postgres.password"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf lets this user not in from here"),
    ("does not exist", "create it, or set postgres.database and postgres.user"),
    ("permission denied", "GRANT this user CONNECT on the database"),
    ("certificate verify failed", "check postgres.sslrootcert"),
    ("server does not support SSL", "set postgres.sslmode, or turn TLS on in the server"),
    ("invalid sslmode", "postgres.sslmode is one of disable, prefer, require, verify-full"),
)
