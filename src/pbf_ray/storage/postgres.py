"""Tables in PostgreSQL: epoch and rows in one transaction, COPY in and COPY out.

A commit copies the rows into a staging table of its session and moves them with one upsert per
table. The row of the job in ``pbf_ray_jobs`` is locked for the length of the transaction: it is
the fence and the last epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql

from pbf_ray.contracts import TableContract
from pbf_ray.errors import FencedError
from pbf_ray.storage.base import (
    EpochCommit,
    StoreCapabilities,
    may_apply,
)
from pbf_ray.storage.escapedkeys import escape_key
from pbf_ray.storage.fitting import conform, distinct_keys, prepared
from pbf_ray.storage.postgres_columns import columns_of, read_csv, write_csv
from pbf_ray.storage.postgres_pool import PostgresAddress, PostgresPool
from pbf_ray.storage.postgres_tables import prepare_tables, staging_table
from pbf_ray.storage.selectingstore import SelectingStore
from pbf_ray.storage.selection import Condition, written_before

__all__ = ["PostgresStore"]

_BYTES_PER_BATCH: Final = 4 << 20
_COMPARISONS: Final[dict[str, LiteralString]] = {
    "=": "{} = %s",
    ">=": "{} >= %s",
    ">": "{} > %s",
    "<=": "{} <= %s",
    "<": "{} < %s",
    "in": "{} = ANY(%s)",
}


class PostgresStore(SelectingStore):
    """Tables in a schema of a PostgreSQL database.

    A row of an "append" contract whose key is already there is left as it is, one of an "upsert"
    contract replaces the one there, as in the other SQL stores.

    Args:
        address: The database.
        schema: The schema of PostgreSQL that the tables are in; made if it is not there.
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

    def __init__(self, address: PostgresAddress, *, schema: str = "public") -> None:
        self.schema = schema
        self.name = f"postgres://{address.host}:{address.port}/{address.database}/{schema}"
        self._pool = PostgresPool(address, name=self.name)
        self._contracts: dict[str, TableContract] = {}

    def check(self) -> None:
        """Write: a temporary table, which needs no right on the tables themselves."""
        with self._pool.writing() as connection:
            connection.execute("CREATE TEMP TABLE pbf_ray_check (one integer) ON COMMIT DROP")
            connection.execute("INSERT INTO pbf_ray_check VALUES (1)")

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Create or verify the tables, in one transaction; columns that may be null are added."""
        with self._pool.writing() as connection:
            prepare_tables(connection, self.schema, contracts, store=self.name)
        self._contracts.update({contract.name: contract for contract in contracts})

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job in the fence table."""
        with self._pool.writing() as connection:
            row = connection.execute(
                self._sql(
                    "INSERT INTO {jobs} AS known (job_id, incarnation) VALUES (%s, %s) "
                    "ON CONFLICT (job_id) DO UPDATE "
                    "SET incarnation = greatest(known.incarnation, excluded.incarnation) "
                    "RETURNING incarnation"
                ),
                (job_id, incarnation),
            ).fetchone()
            registered = incarnation if row is None else int(row[0])
            if registered > incarnation:
                raise FencedError(job_id, mine=incarnation, newer=registered, where=self.name)

    def commit(self, write: EpochCommit) -> bool:
        """Fence, epoch and rows in one transaction."""
        parts: dict[str, list[pa.Table]] = {}
        for staged in write.rows:
            contract = prepared(self._contracts, staged.table, store=self.name)
            parts.setdefault(staged.table, []).append(
                conform(contract, staged.inline(), store=self.name)
            )
        with self._pool.writing() as connection:
            if not self._may_apply(connection, write):
                return False
            for name, tables in parts.items():
                self._write(connection, self._contracts[name], pa.concat_tables(tables))
            connection.execute(
                self._sql("UPDATE {jobs} SET epoch = %s WHERE job_id = %s"),
                (write.epoch, write.job_id),
            )
        return True

    def put(self, contract: TableContract, table: pa.Table) -> None:
        """One transaction: COPY into a staging table, one upsert."""
        prepared(self._contracts, contract.name, store=self.name)
        rows = conform(contract, table, store=self.name)
        with self._pool.writing() as connection:
            self._write(connection, contract, rows)

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job; None before the first."""
        with self._pool.connected() as connection:
            row = connection.execute(
                self._sql("SELECT epoch FROM {jobs} WHERE job_id = %s"), (job_id,)
            ).fetchone()
        return None if row is None else row[0]

    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""
        where = [] if job_id is None else [Condition("job_id", "=", job_id)]
        clause, values = self._where(contract, where)
        statement = sql.SQL("SELECT count(*) FROM {}{}").format(self._table(contract), clause)
        with self._pool.connected() as connection:
            row = connection.execute(statement, values).fetchone()
        return 0 if row is None else int(row[0])

    def clear(self, job_id: str, incarnation: int) -> None:
        """Delete the rows of the job from all prepared tables, in one transaction."""
        with self._pool.writing() as connection:
            registered, committed = self._job(connection, job_id)
            following = EpochCommit(job_id, incarnation, (committed or 0) + 1)
            may_apply(following, store=self.name, incarnation=registered, committed=committed)
            for contract in self._contracts.values():
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE job_id = %s").format(self._table(contract)),
                    (job_id,),
                )

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Delete old rows in one transaction."""
        condition = written_before(contract, before, store=self.name)
        where, values = self._where(contract, [condition])
        table = self._table(contract)
        with self._pool.writing() as connection:
            if dry_run:
                row = connection.execute(
                    sql.SQL("SELECT count(*) FROM {}{}").format(table, where), values
                ).fetchone()
                return 0 if row is None else int(row[0])
            return connection.execute(
                sql.SQL("DELETE FROM {}{}").format(table, where), values
            ).rowcount

    def maintain(self) -> None:
        """Nothing: PostgreSQL vacuums and analyses by itself."""

    def close(self) -> None:
        """Close the connections of this process."""
        self._pool.close()

    # -- writing ---------------------------------------------------------------------------

    def _write(
        self, connection: psycopg.Connection, contract: TableContract, rows: pa.Table
    ) -> None:
        if not rows.num_rows:
            return
        rows = distinct_keys(contract, rows)
        staging = staging_table(connection, self.schema, contract, store=self.name)
        columns = columns_of(contract, store=self.name)
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(staging, names)
        with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            for block in write_csv(contract, rows):
                copy.write(block)
        if contract.changes == "append":
            action: sql.Composable = sql.SQL("NOTHING")
        else:
            action = sql.SQL("UPDATE SET {}").format(
                sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column.name))
                    for column in columns
                    if column.name != contract.key
                )
            )
        connection.execute(
            sql.SQL(
                "INSERT INTO {table} ({names}) SELECT {names} FROM {staging} "
                "ON CONFLICT ({key}) DO {action}"
            ).format(
                table=self._table(contract),
                names=names,
                staging=staging,
                key=sql.Identifier(contract.key),
                action=action,
            )
        )

    def _may_apply(self, connection: psycopg.Connection, write: EpochCommit) -> bool:
        incarnation, committed = self._job(connection, write.job_id)
        return may_apply(write, store=self.name, incarnation=incarnation, committed=committed)

    def _job(self, connection: psycopg.Connection, job_id: str) -> tuple[int | None, int | None]:
        row = connection.execute(
            self._sql("SELECT incarnation, epoch FROM {jobs} WHERE job_id = %s FOR UPDATE"),
            (job_id,),
        ).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    # -- reading ---------------------------------------------------------------------------

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
        stored = pa.schema([field for field in contract.schema if field.name in schema.names])
        columns = columns_of(contract, store=self.name, fields=stored.names)
        clause, values = self._where(contract, where)
        statement = sql.SQL("COPY (SELECT {} FROM {}{}{}{}) TO STDOUT (FORMAT csv)").format(
            sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            self._table(contract),
            clause,
            sql.SQL(" ORDER BY {}").format(self._ordered_key(contract)) if ordered else sql.SQL(""),
            sql.SQL("") if limit is None else sql.SQL(" LIMIT {}").format(max(limit, 0)),
        )
        with (
            self._pool.connected() as connection,
            connection.cursor() as cursor,
            cursor.copy(statement, values) as copy,
        ):
            for lines in _blocks(copy):
                table = read_csv(contract, lines, stored, store=self.name)
                yield pa.Table.from_arrays(
                    [table.column(name) for name in schema.names], schema=schema
                )

    def _where(
        self, contract: TableContract, conditions: Sequence[Condition]
    ) -> tuple[sql.Composable, list[Any]]:
        if not conditions:
            return sql.SQL(""), []
        parts, values = [], []
        for condition in conditions:
            key = condition.column == contract.key
            column = self._ordered_key(contract) if key else sql.Identifier(condition.column)
            parts.append(sql.SQL(_COMPARISONS[condition.comparison]).format(column))
            text = key and isinstance(condition.value, str)
            values.append(escape_key(condition.value) if text else condition.value)
        return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(parts)), values

    @staticmethod
    def _ordered_key(contract: TableContract) -> sql.Composable:
        key = sql.Identifier(contract.key)
        if not pa.types.is_string(contract.schema.field(contract.key).type):
            return key
        # By code points, as everywhere else, whatever the database collates by.
        return sql.SQL('{} COLLATE "C"').format(key)

    def _table(self, contract: TableContract) -> sql.Identifier:
        return sql.Identifier(self.schema, contract.name)

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(jobs=sql.Identifier(self.schema, "pbf_ray_jobs"))


def _blocks(copy: psycopg.Copy) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time: each message of the server is a row."""
    parts: list[bytes] = []
    size = 0
    for message in copy:
        parts.append(bytes(message))
        size += len(message)
        if size >= _BYTES_PER_BATCH:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
