"""What each table of ours in a warehouse is, in ``pbf_ray_tables``: Arrow's types, by column.

A warehouse knows fewer types than Arrow, and lets anybody make a table of any name.
"""

# ruff: noqa: S608 - names come quoted from the dialect, values are parameters

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.tablecolumns import described_columns, verify_columns
from pbf_ray.storage.warehouses.epochs import create_jobs
from pbf_ray.storage.warehouses.session import WarehouseSession
from pbf_ray.storage.warehouses.statements import JOBS_TABLE, TableStatements

__all__ = ["is_table", "prepare_tables"]

_CATALOGUE: Final = "pbf_ray_tables"
_VERSION: Final = 1
_ADVICE: Final = (
    "it was made by something else or by another version; rename it, or set another schema "
    "(snowflake.schema_name) or data set (bigquery.dataset)"
)


@dataclass(frozen=True)
class _Entry:
    version: int
    key: str
    columns: str


def is_table(session: WarehouseSession, name: str) -> bool:
    """Whether a table of this name was prepared."""
    return bool(_entries(session, [name]))


def prepare_tables(session: WarehouseSession, wanted: Sequence[TableStatements]) -> None:
    """Create or verify tables; columns that may be null are added. Repeatable, also by many.

    What is there as it should be costs two questions, whatever the number of tables.

    Raises:
        StoreContentError: A table there has other columns, or is none of ours.
    """
    names = [statements.contract.name for statements in wanted]
    for name in names:
        if problem := session.dialect.table_problem(name):
            raise StoreContentError(
                session.name, f"{name!r} is no name for a table: {problem}", table=name
            )
    # In this order: what has made a table has noted it before.
    there = _columns(session, [JOBS_TABLE, _CATALOGUE, *names])
    if JOBS_TABLE not in there:
        create_jobs(session)
    if _CATALOGUE not in there:
        _create_catalogue(session)
    noted = _entries(session, names)
    for statements in wanted:
        name = statements.contract.name
        _prepare(session, statements, noted.get(name), there.get(name, set()))


def _prepare(
    session: WarehouseSession, statements: TableStatements, found: _Entry | None, there: set[str]
) -> None:
    contract = statements.contract
    columns = json.dumps(described_columns(contract), separators=(",", ":"))
    while found is None:
        if there:
            raise StoreContentError(
                session.name,
                f"there is a table {contract.name} that is none of ours",
                advice=_ADVICE,
                table=contract.name,
            )
        if _insert(session, contract, columns):
            found = _Entry(_VERSION, contract.key, columns)
        else:
            found = _entries(session, [contract.name]).get(contract.name)
    _verify(contract, found, session.name)
    if found.columns != columns:
        _widen(session, contract.name, found, columns)
    if not there:
        session.execute(statements.create())
        return
    for statement in statements.add_columns(there):
        session.execute(statement)
    strange = sorted(there - statements.column_names())
    if strange:
        raise StoreContentError(
            session.name,
            f"table {contract.name} does not fit: has the unknown column {', '.join(strange)}",
            advice=_ADVICE,
            table=contract.name,
        )


def _create_catalogue(session: WarehouseSession) -> None:
    quoted = session.dialect.quoted
    text, number = session.dialect.types[pa.string()], session.dialect.types[pa.int64()]
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {quoted(_CATALOGUE)} ("
        f"{quoted('table_name')} {text} NOT NULL, {quoted('version')} {number} NOT NULL, "
        f"{quoted('key_column')} {text} NOT NULL, {quoted('columns')} {text} NOT NULL)"
    )


def _verify(contract: TableContract, found: _Entry, store: str) -> None:
    if found.version > _VERSION:
        raise StoreContentError(
            store,
            f"the version of {contract.name} is {found.version}, this pbf_ray knows {_VERSION}",
            advice="upgrade pbf_ray",
            table=contract.name,
            version=found.version,
        )
    there = json.loads(found.columns)
    verify_columns(contract, there, found.key, store=store, advice=_ADVICE)


def _entries(session: WarehouseSession, names: Sequence[str]) -> dict[str, _Entry]:
    if not names:
        return {}
    quoted = session.dialect.quoted
    wanted = ", ".join(map(quoted, ("table_name", "version", "key_column", "columns")))
    found = session.rows(
        f"SELECT {wanted} FROM {quoted(_CATALOGUE)} "
        f"WHERE {quoted('table_name')} IN ({_marks(names)})",
        names,
    )
    return {name: _Entry(int(version), key, columns) for name, version, key, columns in found}


def _insert(session: WarehouseSession, contract: TableContract, columns: str) -> bool:
    """Note a table; False if another one was first."""
    quoted = session.dialect.quoted
    name = quoted("table_name")
    rest = ", ".join(quoted(column) for column in ("version", "key_column", "columns"))
    noted = session.execute(
        f"MERGE INTO {quoted(_CATALOGUE)} t USING (SELECT ? AS a, {_VERSION} AS b, ? AS c, ? AS d) "
        f"s ON t.{name} = s.a WHEN NOT MATCHED THEN INSERT ({name}, {rest}) "
        "VALUES (s.a, s.b, s.c, s.d)",
        [contract.name, contract.key, columns],
    )
    return noted == 1


def _widen(session: WarehouseSession, name: str, found: _Entry, columns: str) -> None:
    quoted = session.dialect.quoted
    session.execute(
        f"UPDATE {quoted(_CATALOGUE)} SET {quoted('columns')} = ? "
        f"WHERE {quoted('table_name')} = ? AND {quoted('columns')} = ?",
        [columns, name, found.columns],
    )


def _columns(session: WarehouseSession, tables: Sequence[str]) -> dict[str, set[str]]:
    """The columns that the warehouse has, without regard to case, of the tables that it has."""
    ours = {session.dialect.name_of(table): table for table in tables}
    found: dict[str, set[str]] = {}
    for table, column in session.rows(
        session.dialect.column_names.format(_marks(tables)), list(ours)
    ):
        found.setdefault(ours[str(table)], set()).add(str(column).casefold())
    return found


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
