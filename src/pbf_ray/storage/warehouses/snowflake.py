"""Snowflake: a connection per process, files by PUT and COPY INTO, errors without secrets."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import snowflake.connector
from snowflake.connector.connection import SnowflakeConnection

from pbf_ray.errors import StoreError, StoreUnavailableError
from pbf_ray.storage.warehouses.session import Parameter
from pbf_ray.storage.warehouses.snowflake_dialect import SNOWFLAKE
from pbf_ray.storage.warehouses.snowflake_failures import translated
from pbf_ray.storage.warehouses.tables import WarehouseTables

__all__ = ["SnowflakeAddress", "SnowflakeSession", "SnowflakeTables"]

# Without a handler Python writes warnings to the terminal; what matters is in our errors.
logging.getLogger("snowflake.connector").addHandler(logging.NullHandler())

_SESSION: Final[dict[str, Any]] = {
    "TIMEZONE": "UTC",
    "BINARY_INPUT_FORMAT": "HEX",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "CLIENT_TELEMETRY_ENABLED": False,
    "AUTOCOMMIT": True,
}
_FORMAT: Final = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
)


@dataclass(frozen=True)
class SnowflakeAddress:
    """Where a schema is, and who asks.

    Attributes:
        account: Identifier of the account, as Snowflake gives it out.
        user: Name of the user.
        password: Its password; None where a key stands for it.
        private_key_file: File of the user's private key (PEM), in place of a password.
        private_key_passphrase: What opens that file.
        warehouse: The compute that does the work.
        database: Name of the database.
        schema: Name of the schema; it has to be there.
        role: Role of the user.
        host: Where the account is not at its usual address.
        port: Port.
        protocol: ``https``; ``http`` only for servers of tests.
        timeout_s: Longest wait for an answer over the network.
    """

    account: str
    user: str
    password: str | None = field(default=None, repr=False)
    private_key_file: str | None = None
    private_key_passphrase: str | None = field(default=None, repr=False)
    warehouse: str = "PBF_WH"
    database: str = "PBF_LBM"
    schema: str = "PUBLIC"
    role: str = "PBF_ROLE"
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    timeout_s: float = 30.0

    @property
    def place(self) -> str:
        """Where it is, for people: never a user or a password."""
        return f"{self.account}/{self.database}/{self.schema}"

    def parameters(self) -> dict[str, Any]:
        """What the driver is told. Never log it."""
        seconds = max(2, round(self.timeout_s))
        given = {
            "account": self.account,
            "user": self.user,
            "password": self.password,
            "private_key_file": self.private_key_file,
            "private_key_file_pwd": self.private_key_passphrase,
            "warehouse": self.warehouse,
            "database": self.database,
            "schema": self.schema,
            "role": self.role,
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "login_timeout": seconds,
            "network_timeout": max(seconds, 60),
            "paramstyle": "qmark",
            "application": "pbf_ray",
            "session_parameters": dict(_SESSION),
        }
        if self.private_key_file is not None:
            given["authenticator"] = "SNOWFLAKE_JWT"
        return {key: value for key, value in given.items() if value is not None}


class SnowflakeSession:
    """A connection that is opened on use, in each process anew, and given up when it is lost.

    Args:
        address: The schema.
    """

    dialect = SNOWFLAKE

    def __init__(self, address: SnowflakeAddress) -> None:
        self.address = address
        self.name = f"snowflake://{address.place}"
        self._lock = threading.Lock()
        self._connection: SnowflakeConnection | None = None
        self._pid = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return SnowflakeSession, (self.address,)

    def make_place(self) -> None:
        """Nothing: who may make a schema is for its administrator to say."""

    def check(self) -> None:
        """See that the schema is there, and make and drop a temporary table in it."""
        found = self.rows("SELECT CURRENT_SCHEMA()")
        if not found or found[0][0] is None:
            raise StoreError(
                self.name,
                f"there is no schema {self.address.database}.{self.address.schema}, or this role "
                "may not use it",
                advice="create it, or set snowflake.database, snowflake.schema_name and "
                "snowflake.role",
            )
        self.execute('CREATE OR REPLACE TEMPORARY TABLE "PBF_RAY_CHECK" ("ONE" NUMBER(1, 0))')
        self.execute('DROP TABLE IF EXISTS "PBF_RAY_CHECK"')

    def execute(self, statement: str, parameters: Sequence[Parameter] = ()) -> int:
        """Run a statement; how many rows it changed."""
        with self._cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return int(cursor.rowcount or 0)

    def rows(self, statement: str, parameters: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        """The rows that a small query gives."""
        with self._cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return [tuple(row) for row in cursor.fetchall()]

    def batches(
        self, statement: str, parameters: Sequence[Parameter] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a query gives, as Snowflake's result files come."""
        with self._cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            for table in cursor.fetch_arrow_batches():
                yield from table.combine_chunks().to_batches()

    def load(self, table: str, rows: pa.Table) -> None:
        """PUT a Parquet file into the stage of a new table, and COPY it INTO that."""
        types = self.dialect.types
        columns = ", ".join(f'"{one.name.upper()}" {types[one.type]}' for one in rows.schema)
        quoted = self.dialect.quoted(table)
        with self._spooled(rows) as path:
            self.execute(f"CREATE TRANSIENT TABLE {quoted} ({columns})")
            # The stage of a table goes with it. Its name takes no quotes from every server.
            stage = f"@%{self.dialect.name_of(table)}"
            self.execute(f"PUT 'file://{_escaped(path)}' {stage} AUTO_COMPRESS = FALSE")
            with self._cursor() as cursor:
                cursor.execute(f"COPY INTO {quoted} FROM {stage} {_FORMAT}")
                loaded = sum(int(row[3]) for row in cursor.fetchall())
        if loaded != rows.num_rows:
            raise StoreError(self.name, f"{loaded} of {rows.num_rows} rows were loaded")

    def close(self) -> None:
        """Close the connection of this process; the next use opens a new one."""
        self._give_up(self._connection)

    @contextmanager
    def _spooled(self, rows: pa.Table) -> Iterator[Path]:
        try:
            with tempfile.TemporaryDirectory(prefix="pbf-ray-") as folder:
                path = Path(folder) / "rows.parquet"
                pq.write_table(rows, path, compression="zstd")
                yield path
        except OSError as error:
            raise StoreUnavailableError(
                self.name,
                f"rows cannot be gathered in {tempfile.gettempdir()}: {error.strerror}",
                advice="make room there, or set TMPDIR",
            ) from error

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection: SnowflakeConnection | None = None
        try:
            connection = self._opened()
            with connection.cursor() as cursor:
                yield cursor
        except snowflake.connector.Error as error:
            known = translated(error, store=self.name, account=self.address.account)
            if known.transient:
                self._give_up(connection)
            # Without its cause: the driver's frames know the password.
            raise known from None

    def _opened(self) -> SnowflakeConnection:
        with self._lock:
            if self._connection is None or self._pid != os.getpid():
                self._connection = snowflake.connector.connect(**self.address.parameters())
                self._pid = os.getpid()
            return self._connection

    def _give_up(self, connection: SnowflakeConnection | None) -> None:
        """Close a connection, unless another thread has already opened a new one."""
        with self._lock:
            if connection is None or connection is not self._connection:
                return
            self._connection = None
        # One that came over a fork belongs to the parent.
        if self._pid == os.getpid():
            connection.close(retry=False)


class SnowflakeTables(WarehouseTables):
    """Tables in a schema of Snowflake; see ``WarehouseTables``.

    Args:
        address: The schema.
        tables: The contracts that it wants when it is a further output of a job; None for all.
    """

    def __init__(self, address: SnowflakeAddress, *, tables: Sequence[str] | None = None) -> None:
        super().__init__(SnowflakeSession(address), tables=tables)


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")
