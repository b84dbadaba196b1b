"""The tables that users make through the router: their columns, kept in the store itself.

A table of the store, ``pbf_ray_catalog``, holds the Arrow schema of each: so a table that was made
yesterday with more columns takes today's rows, and reads with its exact types.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.base import TableStore

__all__ = ["CATALOG", "catalogued", "fitted", "register"]

CATALOG: Final = TableContract(
    "pbf_ray_catalog",
    pa.schema(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            pa.field("schema", pa.binary(), nullable=False),
        ]
    ),
    key="name",
    volume="result",
    changes="upsert",
)
"""A row per table: its name, its key column, its Arrow schema as an IPC message."""

_TRIES: Final = 20


def catalogued(store: TableStore, name: str) -> TableContract | None:
    """The contract of a table that users have made; None if there is none of this name."""
    store.prepare([CATALOG])
    rows = store.read(CATALOG)
    found = rows.filter(pc.field("name") == name).to_pylist()
    if not found:
        return None
    schema = pa.ipc.read_schema(pa.py_buffer(found[0]["schema"]))
    return TableContract(name, schema, found[0]["key"], "result", "upsert")


def register(store: TableStore, name: str, key: str, schema: pa.Schema) -> TableContract:
    """Make or widen a table so that it has these columns, and make the store ready for it.

    Args:
        store: Where.
        name: Of the table.
        key: Column that identifies a row.
        schema: The columns that are to be written.

    Raises:
        StoreContentError: The table has another key, or a column of an incompatible type; nothing
            was written.
    """
    for _ in range(_TRIES):
        held = catalogued(store, name)
        contract = _widened(store.name, name, key, schema, held)
        if held is None or not held.schema.equals(contract.schema):
            row = {
                "name": [name],
                "key": [key],
                "schema": [contract.schema.serialize().to_pybytes()],
            }
            store.put(CATALOG, pa.table(row, schema=CATALOG.schema))
            # Somebody may have widened it at the same time, and written the entry after us.
            held = catalogued(store, name)
            if held is None or not held.schema.equals(contract.schema):
                continue
        store.prepare([contract])
        return contract
    raise StoreContentError(
        store.name,
        f"table {name}: others keep changing its columns",
        advice="let one program at a time add columns",
        table=name,
    )


def fitted(contract: TableContract, rows: pa.Table, *, store: str) -> pa.Table:
    """Rows in the schema of the contract: columns that they lack are null.

    Raises:
        StoreContentError: A value does not fit the type of its column without a loss.
    """
    columns = []
    for field in contract.schema:
        if field.name not in rows.schema.names:
            columns.append(pa.nulls(rows.num_rows, field.type))
            continue
        column = rows.column(field.name)
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowInvalid as error:
            raise StoreContentError(
                store,
                f"table {contract.name}, column {field.name}: {error}",
                advice=f"the column is {field.type}",
                table=contract.name,
                column=field.name,
            ) from error
    return pa.Table.from_arrays(columns, schema=contract.schema)


def _widened(
    store: str, name: str, key: str, schema: pa.Schema, held: TableContract | None
) -> TableContract:
    if key not in schema.names:
        raise StoreContentError(
            store,
            f"rows for {name} have no column {key}, which is to be their key",
            advice=f"their columns are {', '.join(schema.names)}",
            table=name,
        )
    fields = {field.name: field for field in held.schema} if held else {}
    problems = []
    if held and held.key != key:
        problems.append(f"its key is {held.key}, not {key}")
    for field in schema:
        known = fields.get(field.name)
        if known is None:
            fields[field.name] = pa.field(
                field.name, field.type, nullable=field.name != key, metadata=field.metadata
            )
        elif not _takes(known.type, field.type):
            problems.append(f"{field.name} is {known.type} there, and {field.type} here")
    if problems:
        raise StoreContentError(
            store,
            f"rows do not fit the table {name}: {'; '.join(problems)}",
            advice="nothing was written; change the rows, or take another table",
            table=name,
        )
    return TableContract(name, pa.schema(list(fields.values())), key, "result", "upsert")


def _takes(held: pa.DataType, given: pa.DataType) -> bool:
    """Whether a column may take values of another type, each checked for a loss."""
    if held == given:
        return True
    if pa.types.is_integer(given):
        fits = pa.types.is_integer(held) or pa.types.is_floating(held)
    elif pa.types.is_floating(given):
        fits = pa.types.is_floating(held) and held.bit_width > given.bit_width
    else:
        fits = pa.types.is_timestamp(given) and pa.types.is_timestamp(held) and given.tz == held.tz
    return bool(fits)
