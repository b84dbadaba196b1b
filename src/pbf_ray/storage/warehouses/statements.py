"""The SQL of a table in a warehouse: make it, widen it, merge rows into it, ask it.

Names come quoted from the dialect; every value is a parameter.
"""

# ruff: noqa: S608 - names come quoted from the dialect, values are parameters

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.storage.escapedkeys import escape_key
from pbf_ray.storage.flatcolumns import FlatColumn
from pbf_ray.storage.selection import Condition
from pbf_ray.storage.warehouses.columns import SEQUENCE, columns_of, stored_type
from pbf_ray.storage.warehouses.dialect import WarehouseDialect
from pbf_ray.storage.warehouses.session import Parameter

__all__ = ["JOBS_TABLE", "TableStatements"]

JOBS_TABLE: Final = "pbf_ray_jobs"
_Question = tuple[str, list[Parameter]]


class TableStatements:
    """The statements of one table.

    Args:
        contract: The table.
        dialect: How the SQL looks.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A column cannot be stored; see ``columns_of``.
    """

    def __init__(self, contract: TableContract, dialect: WarehouseDialect, *, store: str) -> None:
        self.contract = contract
        self.columns = columns_of(contract, dialect, store=store)
        self._dialect = dialect
        self._store = store
        self._table = dialect.quoted(contract.name)
        self._jobs = dialect.quoted(JOBS_TABLE)

    def create(self) -> str:
        """Make the table unless it is there."""
        lines = [self._declared(column) for column in self.columns]
        lines.append(f"{self._quoted(SEQUENCE)} {self._sequence_type}")
        return f"CREATE TABLE IF NOT EXISTS {self._table} ({', '.join(lines)})"

    def column_names(self) -> set[str]:
        """The columns that the warehouse is to have, in its words, without regard to case."""
        names = [*(column.name for column in self.columns), SEQUENCE]
        return {self._dialect.name_of(name).casefold() for name in names}

    def add_columns(self, there: set[str]) -> list[str]:
        """Add the columns that the warehouse does not have."""
        return [
            f"ALTER TABLE {self._table} ADD COLUMN IF NOT EXISTS "
            f"{self._quoted(column.name)} {column.sql_type}"
            for column in self.columns
            if self._dialect.name_of(column.name).casefold() not in there
        ]

    def merge(
        self,
        staged: str,
        columns: Sequence[str],
        *,
        changes: Literal["append", "upsert"],
        sequence: int | None,
        floor: int = 0,
    ) -> str:
        """Write staged rows by key, in one step; the same again changes nothing.

        Args:
            staged: Where they are.
            columns: What ``c0``, ``c1``, ... are there; a column that they lack becomes NULL.
            changes: Whether a row that is there stays or gives way.
            sequence: Of the epoch; None for rows outside of epochs. A row of a later epoch stays.
            floor: Rows of the job up to this sequence are cleared: they give way.
        """
        number = "NULL" if sequence is None else str(int(sequence))
        given = {name: f"s.c{place}" for place, name in enumerate(columns)}
        extra = [f"CAST({number} AS {self._sequence_type}) AS m"]
        for place, column in enumerate(self.columns):
            if column.name not in given:
                given[column.name] = f"s.n{place}"
                extra.append(f"CAST(NULL AS {column.sql_type}) AS n{place}")
        source = f"SELECT d.*, {', '.join(extra)} FROM {self._quoted(staged)} d"
        newer: str | None = None
        if changes == "upsert":
            newer = "" if sequence is None else self._unless_later(given)
        elif sequence is not None and floor:
            newer = self._if_cleared(given, floor)
        key = self._quoted(self.contract.key)
        parts = [
            f"MERGE INTO {self._table} t USING ({source}) s ON t.{key} = {given[self.contract.key]}"
        ]
        if newer is not None:
            changed = [
                f"{self._quoted(name)} = {value}"
                for name, value in given.items()
                if name != self.contract.key
            ]
            changed.append(f"{self._quoted(SEQUENCE)} = s.m")
            parts.append(f"WHEN MATCHED{newer} THEN UPDATE SET {', '.join(changed)}")
        into = ", ".join(self._quoted(name) for name in (*given, SEQUENCE))
        parts.append(
            f"WHEN NOT MATCHED THEN INSERT ({into}) VALUES ({', '.join([*given.values(), 's.m'])})"
        )
        return " ".join(parts)

    def select(
        self, names: Sequence[str], where: Sequence[Condition], *, limit: int | None, ordered: bool
    ) -> _Question:
        """The rows that count and meet the conditions; dates and moments as integers."""
        fields = [self.contract.schema.field(name) for name in names]
        stored = pa.schema([field for field in self.contract.schema if field in fields])
        columns = columns_of(self.contract, self._dialect, store=self._store, fields=stored.names)
        shown = ", ".join(
            f"{self._read(column)} AS c{number}" for number, column in enumerate(columns)
        )
        source, values = self._source(where)
        order = f" ORDER BY t.{self._quoted(self.contract.key)}" if ordered else ""
        most = "" if limit is None else f" LIMIT {max(int(limit), 0)}"
        return f"SELECT {shown}{source}{order}{most}", values

    def count(self, where: Sequence[Condition]) -> _Question:
        """How many rows count and meet the conditions."""
        source, values = self._source(where)
        return f"SELECT COUNT(*) AS n{source}", values

    def delete(self, where: Sequence[Condition]) -> _Question:
        """Remove the rows that meet the conditions, whether they count or not."""
        parts, values = self._conditions(where)
        return f"DELETE FROM {self._table} t WHERE {' AND '.join(parts)}", values

    def sweep(self, job_id: str, floor: int) -> _Question:
        """Remove rows that a run wrote after its job was cleared."""
        job, mark = self._quoted("job_id"), self._quoted(SEQUENCE)
        return f"DELETE FROM {self._table} t WHERE t.{job} = ? AND t.{mark} <= ?", [job_id, floor]

    def has_job(self) -> bool:
        """Whether rows say which job they are of: only those can be of an epoch."""
        return "job_id" in self.contract.schema.names

    def _quoted(self, name: str) -> str:
        return self._dialect.quoted(name)

    @property
    def _sequence_type(self) -> str:
        return self._dialect.types[pa.int64()]

    def _declared(self, column: FlatColumn) -> str:
        return f"{self._quoted(column.name)} {column.sql_type}" + " NOT NULL" * column.required

    def _unless_later(self, given: dict[str, str]) -> str:
        job, mark = self._quoted("job_id"), self._quoted(SEQUENCE)
        return f" AND (t.{job} <> {given['job_id']} OR t.{mark} IS NULL OR t.{mark} <= s.m)"

    def _if_cleared(self, given: dict[str, str], floor: int) -> str:
        job, mark = self._quoted("job_id"), self._quoted(SEQUENCE)
        return f" AND t.{job} = {given['job_id']} AND t.{mark} <= {int(floor)}"

    def _read(self, column: FlatColumn) -> str:
        sql = f"t.{self._quoted(column.name)}"
        types = self._dialect.types
        if column.sql_type == types[pa.date32()]:
            return self._dialect.days(sql)
        for zone in (None, "UTC"):
            if column.sql_type == types[pa.timestamp("us", tz=zone)]:
                return self._dialect.micros(sql, zone is not None)
        return sql

    def _source(self, where: Sequence[Condition]) -> _Question:
        """FROM and WHERE: rows of an epoch count once it is confirmed, in one instant."""
        parts, values = self._conditions(where)
        join = ""
        if self.has_job():
            job, mark = self._quoted("job_id"), f"t.{self._quoted(SEQUENCE)}"
            join = f" LEFT JOIN {self._jobs} j ON j.{job} = t.{job}"
            counts = f"{mark} > j.{self._quoted('cleared')}"
            if self.contract.changes == "append":
                counts += f" AND {mark} <= j.{self._quoted('sequence')}"
            parts.append(f"({mark} IS NULL OR ({counts}))")
        clause = f" WHERE {' AND '.join(parts)}" if parts else ""
        return f" FROM {self._table} t{join}{clause}", values

    def _conditions(self, where: Sequence[Condition]) -> tuple[list[str], list[Parameter]]:
        parts: list[str] = []
        values: list[Parameter] = []
        for condition in where:
            kind = self.contract.schema.field(condition.column).type
            column = f"t.{self._quoted(condition.column)}"
            many = condition.comparison == "in"
            wanted = list(condition.value) if many else [condition.value]
            values += [self._parameter(condition.column, value) for value in wanted]
            if pa.types.is_temporal(kind):
                mark = f"CAST(? AS {self._dialect.types[_of(kind)]})"
            else:
                mark = "?"
            if many:
                marks = ", ".join([mark] * len(wanted))
                parts.append(f"{column} IN ({marks})" if wanted else "1 = 0")
                continue
            parts.append(f"{column} {condition.comparison} {mark}")
            if pa.types.is_floating(kind):
                # Where NaN is greater than all numbers, it would be at the end of all times.
                parts.append(self._dialect.not_nan(column))
        return parts, values

    def _parameter(self, column: str, value: object) -> Parameter:
        if isinstance(value, datetime):
            return value.isoformat(sep=" ", timespec="microseconds")
        if isinstance(value, str):
            return escape_key(value) if column == self.contract.key else value
        if isinstance(value, (int, float)):
            return value
        raise TypeError(f"{column} cannot be compared with {type(value).__name__}")


def _of(kind: pa.DataType) -> pa.DataType:
    return stored_type(kind)
