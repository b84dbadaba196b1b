"""The tables of a schema of PostgreSQL: versioned migrations, creation, new columns, indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.flatcolumns import FlatColumn
from pbf_ray.storage.postgres_columns import columns_of
from pbf_ray.storage.selection import time_column

__all__ = ["prepare_tables", "staging_table"]

_MIGRATIONS: Final[tuple[LiteralString, ...]] = (
    # 1: the fence and the last epoch of each job.
    """CREATE TABLE {schema}.pbf_ray_jobs (
        job_id text NOT NULL PRIMARY KEY, incarnation bigint NOT NULL, epoch bigint
    )""",
)
"""Statement n brings the bookkeeping from version n to n + 1; only ever appended to."""

_NAME_BYTES: Final = 63


def prepare_tables(
    connection: psycopg.Connection, schema: str, contracts: Sequence[TableContract], *, store: str
) -> None:
    """Create or verify tables, in the transaction of the caller, one caller at a time.

    A column that the table lacks and that may be null is added; every other difference is an
    error, and then nothing was changed.

    Args:
        connection: Within a transaction.
        schema: The schema of PostgreSQL; made if it is not there.
        contracts: The tables.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A table has other columns, or the schema was made by a newer version.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_number(schema),))
    # CREATE ... IF NOT EXISTS wants the right to create also where there is nothing to create.
    there = connection.execute("SELECT to_regnamespace(quote_ident(%s))", (schema,)).fetchone()
    if there is None or there[0] is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    _migrate(connection, schema, store)
    for contract in contracts:
        _prepare_table(connection, schema, contract, store)


def staging_table(
    connection: psycopg.Connection, schema: str, contract: TableContract, *, store: str
) -> sql.Identifier:
    """A table of this session with the columns of a contract, emptied by every commit.

    Its name follows from its columns: a contract that has changed gets another one.
    """
    columns = columns_of(contract, store=store)
    mark = hashlib.sha256(repr((schema, contract.name, columns)).encode()).hexdigest()[:16]
    name = sql.Identifier("pg_temp", f"pbf_ray_{mark}")
    connection.execute(
        sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
            sql.Identifier(f"pbf_ray_{mark}"),
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column.name), _type(column))
                for column in columns
            ),
        )
    )
    return name


def _migrate(connection: psycopg.Connection, schema: str, store: str) -> None:
    place = sql.Identifier(schema)
    if not _exists(connection, schema, "pbf_ray_schema"):
        connection.execute(
            sql.SQL("CREATE TABLE {}.pbf_ray_schema (version integer NOT NULL PRIMARY KEY)").format(
                place
            )
        )
    row = connection.execute(
        sql.SQL("SELECT max(version) FROM {}.pbf_ray_schema").format(place)
    ).fetchone()
    version: int = (row[0] if row else None) or 0
    if version > len(_MIGRATIONS):
        raise StoreContentError(
            store,
            f"its version is {version}, this pbf_ray knows {len(_MIGRATIONS)}",
            advice="upgrade pbf_ray",
            version=version,
        )
    for number, statement in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.execute(sql.SQL(statement).format(schema=place))
        connection.execute(
            sql.SQL("INSERT INTO {}.pbf_ray_schema (version) VALUES (%s)").format(place), (number,)
        )


def _prepare_table(
    connection: psycopg.Connection, schema: str, contract: TableContract, store: str
) -> None:
    columns = columns_of(contract, store=store)
    for name in (contract.name, *(column.name for column in columns)):
        if "\0" in name or len(name.encode()) > _NAME_BYTES:
            raise StoreContentError(
                store,
                f"{name!r} of {contract.name} is no name for PostgreSQL",
                advice=f"at most {_NAME_BYTES} bytes, without U+0000",
                table=contract.name,
            )
    wanted = {column.name: _described(column, contract) for column in columns}
    found = _found_columns(connection, schema, contract.name)
    table = sql.Identifier(schema, contract.name)
    if not found:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(
                table,
                sql.SQL(", ").join(
                    sql.SQL("{} {}{}").format(
                        sql.Identifier(column.name),
                        _type(column),
                        sql.SQL(
                            " NOT NULL PRIMARY KEY"
                            if column.name == contract.key
                            else " NOT NULL" * column.required
                        ),
                    )
                    for column in columns
                ),
            )
        )
    else:
        _verify(contract, columns, wanted, found, store)
        for column in columns:
            if column.name not in found:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                        table, sql.Identifier(column.name), _type(column)
                    )
                )
    _index(connection, schema, contract)


def _verify(
    contract: TableContract,
    columns: Sequence[FlatColumn],
    wanted: dict[str, str],
    found: dict[str, str],
    store: str,
) -> None:
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
            store,
            f"table {contract.name} does not fit: {'; '.join(problems)}",
            advice="it was made by something else or by another version; rename it, or set "
            "another postgres.schema_name",
            table=contract.name,
        )


def _found_columns(connection: psycopg.Connection, schema: str, table: str) -> dict[str, str]:
    rows = connection.execute(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                          AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = %s
             AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
        (schema, table),
    ).fetchall()
    return {
        name: kind + " NOT NULL" * required + " PRIMARY KEY" * key
        for name, kind, required, key in rows
    }


def _exists(connection: psycopg.Connection, schema: str, table: str) -> bool:
    return bool(_found_columns(connection, schema, table))


def _described(column: FlatColumn, contract: TableContract) -> str:
    key = column.name == contract.key
    return column.sql_type + " NOT NULL" * (column.required or key) + " PRIMARY KEY" * key


def _type(column: FlatColumn) -> sql.SQL:
    # From the table of types, never from outside.
    return sql.SQL(column.sql_type)


def _index(connection: psycopg.Connection, schema: str, contract: TableContract) -> None:
    """What dashboards ask for: the layers of a build, and the newest rows of a job."""
    names = contract.schema.names
    wanted = []
    if {"build_id", "layer"} <= set(names):
        wanted.append(("build_id", "layer"))
    if (time := time_column(contract)) is not None and "job_id" in names:
        wanted.append(("job_id", time))
    for columns in wanted:
        name = "_".join((contract.name, *columns, "idx"))
        if len(name.encode()) > _NAME_BYTES:
            name = f"pbf_ray_{hashlib.sha256(name.encode()).hexdigest()[:16]}_idx"
        connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(
                sql.Identifier(name),
                sql.Identifier(schema, contract.name),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
            )
        )


def _lock_number(schema: str) -> int:
    digest = hashlib.sha256(f"pbf_ray {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
