"""Rows and columns held against the contract of their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError, StoreError

__all__ = ["conform", "distinct_keys", "prepared", "subset_schema"]


def prepared(contracts: Mapping[str, TableContract], name: str, *, store: str) -> TableContract:
    """The contract of a table that the store was made ready for.

    Args:
        contracts: What ``prepare`` was given, by name.
        name: Of the table.
        store: Name of the store, for messages.

    Raises:
        StoreError: The table was not prepared.
    """
    contract = contracts.get(name)
    if contract is None:
        raise StoreError(
            store,
            f"table {name} was not prepared",
            advice="pass its contract to prepare() first",
        )
    return contract


def conform(contract: TableContract, table: pa.Table, *, store: str) -> pa.Table:
    """The rows in the exact schema of their contract.

    Args:
        contract: The table that they are for.
        table: Rows; the columns may stand in another order.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: Columns are missing, unknown or of another type, or a column that must
            not be null is.
    """
    if not table.schema.equals(contract.schema, check_metadata=True):
        given, wanted = table.schema.names, contract.schema.names
        problems = [f"lacks {name}" for name in wanted if name not in given]
        problems += [f"has the unknown column {name}" for name in given if name not in wanted]
        problems += [
            f"has {name} as {table.schema.field(name).type}, not {contract.schema.field(name).type}"
            for name in wanted
            if given.count(name) == 1
            and table.schema.field(name).type != contract.schema.field(name).type
        ]
        problems += [f"has {name} twice" for name in wanted if given.count(name) > 1]
        if problems:
            raise StoreContentError(
                store,
                f"rows for {contract.name} do not fit: {'; '.join(problems)}",
                table=contract.name,
            )
        table = pa.Table.from_arrays(
            [table.column(name) for name in wanted], schema=contract.schema
        )
    for column in contract.schema:
        if not column.nullable or column.name == contract.key:
            nulls = table.column(column.name).null_count
            if nulls:
                raise StoreContentError(
                    store,
                    f"rows for {contract.name}: {nulls} nulls in {column.name}, "
                    "which must not be null",
                    table=contract.name,
                    column=column.name,
                )
    return table


def distinct_keys(contract: TableContract, table: pa.Table) -> pa.Table:
    """One row per key: the first of an "append" contract, the last of an "upsert" contract.

    Databases refuse, or decide for themselves, when one statement brings a key twice.
    """
    numbers = pa.array(range(table.num_rows), pa.int64())
    keys = pa.table({"key": table.column(contract.key), "row": numbers})
    which = "min" if contract.changes == "append" else "max"
    chosen = keys.group_by("key").aggregate([("row", which)])
    if chosen.num_rows == table.num_rows:
        return table
    return table.take(chosen.column(f"row_{which}").combine_chunks().sort())


def subset_schema(
    contract: TableContract, columns: Sequence[str] | None, *, store: str
) -> pa.Schema:
    """The schema that a read of these columns gives.

    Raises:
        StoreContentError: A column is not in the contract.
    """
    if columns is None:
        return contract.schema
    unknown = [name for name in columns if name not in contract.schema.names]
    if unknown:
        raise StoreContentError(
            store,
            f"{contract.name} has no column {', '.join(unknown)}",
            advice=f"its columns are {', '.join(contract.schema.names)}",
            table=contract.name,
        )
    return pa.schema([contract.schema.field(name) for name in columns])
