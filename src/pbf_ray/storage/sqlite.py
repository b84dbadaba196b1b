"""Tables in one SQLite file: no server, any SQL tool reads it while the stream writes.

One transaction per epoch looks at the fence, at the last epoch, and writes all tables. The file
is in WAL mode, so readers see the last whole epoch and never wait, and ``synchronous=FULL``, so
that what a checkpoint counts on survives a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import FencedError, StoreContentError
from pbf_ray.storage.base import (
    EpochCommit,
    StoreCapabilities,
    may_apply,
)
from pbf_ray.storage.fitting import conform, prepared
from pbf_ray.storage.selectingstore import SelectingStore
from pbf_ray.storage.selection import Condition, written_before
from pbf_ray.storage.sqlcolumns import (
    columns_of,
    conditions_sql,
    decode,
    encode,
    quote_identifier,
)
from pbf_ray.storage.sqlitefile import SqliteFile

__all__ = ["SqliteStore"]

_MIGRATIONS: Final[tuple[str, ...]] = (
    # 1: the fence and the last epoch of each job.
    """CREATE TABLE pbf_ray_jobs (
        job_id TEXT NOT NULL PRIMARY KEY, incarnation INTEGER NOT NULL, epoch INTEGER
    )""",
)
"""Statement n brings the bookkeeping from version n to n + 1; only ever appended to."""

_ROWS_PER_FETCH: Final = 50_000


class SqliteStore(SelectingStore):
    """Result tables in an SQLite file.

    A row of an "append" contract whose key is already there is left as it is: replays are
    stopped by the epoch, so such a row is the same record again (a job whose offsets were set
    back), and what readers have seen should not change under them. A row of an "upsert"
    contract replaces the one there.

    Args:
        path: The file; its folder is made if need be.
        busy_timeout_s: How long to wait for another writer of the same file.
    """

    capabilities = StoreCapabilities(
        transactions=True,
        upsert=True,
        staged_files=False,
        ttl=False,
        clear=True,
        new_columns=True,
        prune=True,
    )

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float = 10.0) -> None:
        self.path = Path(path).absolute()
        self.name = f"sqlite:{self.path}"
        self._contracts: dict[str, TableContract] = {}
        self._file = SqliteFile(self.path, name=self.name, busy_timeout_s=busy_timeout_s)

    def check(self) -> None:
        """Take the write lock of the file and let it go."""
        with self._file.writing() as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Create or verify the tables, in one transaction; columns that may be null are added."""
        with self._file.writing() as connection:
            self._migrate(connection)
            for contract in contracts:
                self._prepare_table(connection, contract)
                _index(connection, contract)
        self._contracts.update({contract.name: contract for contract in contracts})

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job in the fence table."""
        with self._file.writing() as connection:
            registered, _ = self._job(connection, job_id)
            if registered is not None and registered > incarnation:
                raise FencedError(job_id, mine=incarnation, newer=registered, where=self.name)
            connection.execute(
                "INSERT INTO pbf_ray_jobs (job_id, incarnation) VALUES (?, ?) "
                "ON CONFLICT (job_id) DO UPDATE SET incarnation = excluded.incarnation",
                (job_id, incarnation),
            )

    def commit(self, write: EpochCommit) -> bool:
        """Fence, epoch and rows in one transaction."""
        # Encoding takes longer than writing, and needs no lock on the file.
        inserts = []
        for staged in write.rows:
            contract = prepared(self._contracts, staged.table, store=self.name)
            table = conform(contract, staged.inline(), store=self.name)
            if table.num_rows:
                inserts.append((self._insert_sql(contract), encode(table)))
        with self._file.writing() as connection:
            incarnation, committed = self._job(connection, write.job_id)
            if not may_apply(write, store=self.name, incarnation=incarnation, committed=committed):
                return False
            for sql, columns in inserts:
                connection.executemany(sql, zip(*columns, strict=True))
            connection.execute(
                "UPDATE pbf_ray_jobs SET epoch = ? WHERE job_id = ?", (write.epoch, write.job_id)
            )
        return True

    def put(self, contract: TableContract, table: pa.Table) -> None:
        """One transaction of upserts."""
        prepared(self._contracts, contract.name, store=self.name)
        rows = conform(contract, table, store=self.name)
        statement = self._insert_sql(contract)
        columns = encode(rows)
        with self._file.writing() as connection:
            if rows.num_rows:
                connection.executemany(statement, zip(*columns, strict=True))

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job; None before the first."""
        with self._file.reading() as connection:
            return self._job(connection, job_id)[1]

    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""
        where, values = self._where(job_id)
        sql = f"SELECT count(*) FROM {quote_identifier(contract.name)}{where}"  # noqa: S608
        with self._file.reading() as connection:
            rows: int = connection.execute(sql, values).fetchone()[0]
        return rows

    def clear(self, job_id: str, incarnation: int) -> None:
        """Delete the rows of the job from all prepared tables, in one transaction."""
        with self._file.writing() as connection:
            registered, committed = self._job(connection, job_id)
            following = EpochCommit(job_id, incarnation, (committed or 0) + 1)
            may_apply(following, store=self.name, incarnation=registered, committed=committed)
            for name in self._contracts:
                connection.execute(
                    f"DELETE FROM {quote_identifier(name)} WHERE job_id = ?",  # noqa: S608
                    (job_id,),
                )

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Delete old rows in one transaction."""
        condition = written_before(contract, before, store=self.name)
        field = contract.schema.field(condition.column)
        column = pa.array([condition.value], field.type)
        # As text that is stored in the same way, which sorts as the times do.
        bound = encode(pa.Table.from_arrays([column], schema=pa.schema([field])))[0][0]
        table = quote_identifier(contract.name)
        where = f"FROM {table} WHERE {quote_identifier(condition.column)} < ?"
        with self._file.writing() as connection:
            if dry_run:
                counted: int = connection.execute(f"SELECT count(*) {where}", (bound,)).fetchone()[
                    0
                ]
                return counted
            return connection.execute(f"DELETE {where}", (bound,)).rowcount

    def maintain(self) -> None:
        """Move the log into the file as far as readers allow, and refresh statistics."""
        with self._file.connected() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            connection.execute("PRAGMA optimize").fetchall()

    def close(self) -> None:
        """Close the writing connection of this process."""
        self._file.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS pbf_ray_schema (version INTEGER NOT NULL PRIMARY KEY)"
        )
        version = connection.execute("SELECT max(version) FROM pbf_ray_schema").fetchone()[0] or 0
        if version > len(_MIGRATIONS):
            raise StoreContentError(
                self.name,
                f"its version is {version}, this pbf_ray knows {len(_MIGRATIONS)}",
                advice="upgrade pbf_ray",
                version=version,
            )
        for number, statement in enumerate(_MIGRATIONS[version:], start=version + 1):
            connection.execute(statement)
            connection.execute("INSERT INTO pbf_ray_schema (version) VALUES (?)", (number,))

    def _prepare_table(self, connection: sqlite3.Connection, contract: TableContract) -> None:
        columns = columns_of(contract, store=self.name)
        wanted = {
            column.name: column.sql_type + " NOT NULL" * column.required for column in columns
        }
        wanted[contract.key] += " PRIMARY KEY"
        found = {
            name: kind + " NOT NULL" * required + " PRIMARY KEY" * (key > 0)
            for _, name, kind, required, _, key in connection.execute(
                f"PRAGMA table_info({quote_identifier(contract.name)})"
            )
        }
        if not found:
            described = ", ".join(
                f"{quote_identifier(name)} {kind}" for name, kind in wanted.items()
            )
            connection.execute(f"CREATE TABLE {quote_identifier(contract.name)} ({described})")
            return
        lacking = [column for column in columns if column.name not in found]
        problems = [f"has the unknown column {name}" for name in found if name not in wanted]
        problems += [
            f"has {name} as {found[name]}, not {kind}"
            for name, kind in wanted.items()
            if name in found and found[name] != kind
        ]
        if problems or any(column.required for column in lacking):
            problems = [f"lacks {column.name}" for column in lacking] + problems
            raise StoreContentError(
                self.name,
                f"table {contract.name} does not fit: {'; '.join(problems)}",
                advice="it was made by something else or by another version; rename it, or write "
                "to another file",
                table=contract.name,
            )
        for column in lacking:
            connection.execute(
                f"ALTER TABLE {quote_identifier(contract.name)} "
                f"ADD COLUMN {quote_identifier(column.name)} {column.sql_type}"
            )

    def _insert_sql(self, contract: TableContract) -> str:
        names = [quote_identifier(column.name) for column in columns_of(contract, store=self.name)]
        key = quote_identifier(contract.key)
        if contract.changes == "append":
            # Not INSERT OR IGNORE: that would also swallow a NULL in a NOT NULL column.
            action = "NOTHING"
        else:
            action = "UPDATE SET " + ", ".join(
                f"{name} = excluded.{name}" for name in names if name != key
            )
        return (
            f"INSERT INTO {quote_identifier(contract.name)} ({', '.join(names)}) "  # noqa: S608
            f"VALUES ({', '.join('?' * len(names))}) ON CONFLICT ({key}) DO {action}"
        )

    def _tables(
        self,
        contract: TableContract,
        schema: pa.Schema,
        where: Sequence[Condition],
        *,
        limit: int | None,
        ordered: bool,
    ) -> Iterator[pa.Table]:
        # Each field once for SQL, in the order of the contract; Arrow puts them in order.
        fields = list(dict.fromkeys(schema.names))
        stored = pa.schema([field for field in contract.schema if field.name in fields])
        names = [column.name for column in columns_of(contract, store=self.name, fields=fields)]
        clause, values = conditions_sql(where, contract.schema)
        wanted = ", ".join(map(quote_identifier, names))
        sql = f"SELECT {wanted} FROM {quote_identifier(contract.name)}{clause}"  # noqa: S608
        if ordered:
            sql += f" ORDER BY {quote_identifier(contract.key)}"
        if limit is not None:
            sql += " LIMIT ?"
            values.append(max(limit, 0))
        with self._file.reading() as connection:
            cursor = connection.execute(sql, values)
            while rows := cursor.fetchmany(_ROWS_PER_FETCH):
                table = decode(
                    list(zip(*rows, strict=True)), stored, store=self.name, table=contract.name
                )
                yield pa.Table.from_arrays(
                    [table.column(name) for name in schema.names], schema=schema
                )

    @staticmethod
    def _where(job_id: str | None) -> tuple[str, list[Any]]:
        return ("", []) if job_id is None else (' WHERE "job_id" = ?', [job_id])

    @staticmethod
    def _job(connection: sqlite3.Connection, job_id: str) -> tuple[int | None, int | None]:
        row = connection.execute(
            "SELECT incarnation, epoch FROM pbf_ray_jobs WHERE job_id = ?", (job_id,)
        ).fetchone()
        return (None, None) if row is None else (row[0], row[1])


def _index(connection: sqlite3.Connection, contract: TableContract) -> None:
    """What dashboards ask for: the layers of a build, and what a job has written lately."""
    for columns in (("build_id", "layer"), ("job_id", "epoch")):
        if set(columns) <= set(contract.schema.names):
            name = "_".join((contract.name, *columns, "idx"))
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS {quote_identifier(name)} ON "
                f"{quote_identifier(contract.name)} "
                f"({', '.join(map(quote_identifier, columns))})"
            )
