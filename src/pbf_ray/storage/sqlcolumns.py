"""Arrow tables as the columns of SQLite, exactly: what a column cannot hold stands in a sidecar.

Flat columns as ``flatcolumns`` makes them, a timestamp and a date ISO text, a bool 0 or 1. SQL
people query those. A value that they cannot hold is SQL NULL there (-0.0 is 0) and a text in the
column ``_exact``:

=======================  =======================================================
NaN                      ``"NaN"``, with other bits than the usual ``"bits:7ff8..."``
-0.0                     ``"-0.0"``
date, time out of range  years before 1 and after 9999: Arrow's integer as text
=======================  =======================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.storage import flatcolumns
from pbf_ray.storage.flatcolumns import (
    PER_SECOND,
    YEAR_1_S,
    YEAR_10000_S,
    FlatColumn,
    FlatDialect,
    Tokens,
    float_of,
    float_token,
)
from pbf_ray.storage.selection import Condition

__all__ = ["columns_of", "conditions_sql", "decode", "encode", "quote_identifier"]

_DAY_S: Final = 86_400


def quote_identifier(name: str) -> str:
    """A name as SQL takes it, whatever it contains. The only place that builds identifiers.

    Raises:
        ValueError: It is empty or contains U+0000, which no SQL text can carry.
    """
    if not name or "\0" in name:
        raise ValueError(f"no SQL identifier: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def columns_of(
    contract: TableContract, *, store: str, fields: Sequence[str] | None = None
) -> list[FlatColumn]:
    """The columns of a contract: INTEGER, REAL, TEXT or BLOB; see ``flatcolumns.columns_of``."""
    return flatcolumns.columns_of(contract, _SQLITE, store=store, fields=fields)


def encode(table: pa.Table) -> list[list[Any]]:
    """Columns of Python values in the order of :func:`columns_of`, ready to be bound.

    A null number is NaN: SQLite stores that as NULL.

    Args:
        table: Rows in the schema of a contract for which ``columns_of`` did not raise.
    """
    columns, exact = flatcolumns.encode(table, _SQLITE)
    listed: list[Any] = [*columns, exact]
    return listed


def decode(
    columns: Sequence[Sequence[Any]], schema: pa.Schema, *, store: str, table: str
) -> pa.Table:
    """The inverse of :func:`encode`; see ``flatcolumns.decode``.

    Args:
        columns: Values of each SQL column of the fields of ``schema``, ``_exact`` last.
        schema: Contract schema, or a selection of its fields.
        store: Name of the store, for messages.
        table: Name of the table, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
    return flatcolumns.decode(columns[:-1], columns[-1], schema, _SQLITE, store=store, table=table)


def conditions_sql(where: Sequence[Condition], schema: pa.Schema) -> tuple[str, list[Any]]:
    """A WHERE clause, empty without conditions, and the values to bind.

    A value is bound as :func:`encode` stores it: times are ISO texts, which sort as the times do. A
    stored NaN is NULL and meets no comparison, as Arrow's NaN meets none.

    Args:
        where: All of them have to be met.
        schema: Of the contract.
    """
    parts: list[str] = []
    values: list[Any] = []
    for condition in where:
        name = quote_identifier(condition.column)
        field = schema.field(condition.column)
        many = condition.value if condition.comparison == "in" else [condition.value]
        column = pa.table(
            [pa.array(many, field.type)], schema=pa.schema([field.with_nullable(True)])
        )
        bound = encode(column)[0] if many else []
        if condition.comparison == "in":
            parts.append(f"{name} IN ({', '.join('?' * len(bound))})")
        else:
            parts.append(f"{name} {condition.comparison} ?")
        values += bound
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _sql_type(kind: pa.DataType) -> str | None:
    if pa.types.is_uint64(kind) or pa.types.is_float16(kind):
        return None
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "TEXT"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "BLOB"
    if pa.types.is_date32(kind) or (pa.types.is_timestamp(kind) and kind.tz in {None, "UTC"}):
        return "TEXT"
    return None


def _encode_leaf(
    array: pa.Array, valid: npt.NDArray[np.bool_], path: str, tokens: Tokens
) -> list[Any]:
    kind = array.type
    if pa.types.is_floating(kind):
        numbers = array.to_numpy(zero_copy_only=False)
        odd = valid & (np.isnan(numbers) | ((numbers == 0) & np.signbit(numbers)))
        for row in np.flatnonzero(odd).tolist():
            tokens.put(row, path, float_token(numbers[row]))
        # Arrow's nulls have become NaN here, and SQLite takes NaN for NULL.
        plain: list[Any] = numbers.tolist()
        return plain
    if pa.types.is_temporal(kind):
        return _encode_time(array, path, tokens)
    if pa.types.is_integer(kind) and not array.null_count:
        integers: list[Any] = array.to_numpy(zero_copy_only=False).tolist()
        return integers
    listed: list[Any] = array.to_pylist()
    return listed


def _encode_time(array: pa.Array, path: str, tokens: Tokens) -> list[Any]:
    kind = array.type
    date = pa.types.is_date32(kind)
    counts = array.view(pa.int32() if date else pa.int64())
    scale = 1 if date else PER_SECOND[kind.unit]
    low, high = (
        (YEAR_1_S // _DAY_S, YEAR_10000_S // _DAY_S)
        if date
        else (
            # Nanoseconds end in 1677 and 2262; Arrow cannot parse the second that ends them.
            max(YEAR_1_S * scale, -(2**63) + scale),
            min(YEAR_10000_S * scale, 2**63 - scale),
        )
    )
    outside = pc.fill_null(pc.or_(pc.less(counts, low), pc.greater_equal(counts, high)), False)
    if pc.any(outside).as_py():
        for row in np.flatnonzero(outside.to_numpy(zero_copy_only=False)).tolist():
            tokens.put(row, path, str(counts[row].as_py()))
        array = pc.if_else(outside, pa.scalar(None, kind), array)
    if date:
        text = array.cast(pa.string())
    else:
        text = array.view(pa.timestamp(kind.unit)).cast(pa.string())
        text = pc.utf8_replace_slice(text, 10, 11, "T")
        if kind.tz is not None:
            text = pc.binary_join_element_wise(text, "Z", "")
    listed: list[Any] = text.to_pylist()
    return listed


def _decode_leaf(values: Sequence[Any], kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    if pa.types.is_floating(kind):
        numbers = list(values)
        for row, token in tokens.items():
            numbers[row] = float_of(token)
        return pa.array(numbers, kind)
    if pa.types.is_boolean(kind):
        wrong = [value for value in values if value not in {0, 1, None}]
        if wrong:
            raise ValueError(f"{wrong[0]!r}")
        return pa.array([None if value is None else bool(value) for value in values], kind)
    if not pa.types.is_temporal(kind):
        return pa.array(values, kind)
    texts = pa.array(values, pa.string())
    if not tokens:
        return texts.cast(kind)
    counts = texts.cast(kind).view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    integers = counts.to_pylist()
    for row, token in tokens.items():
        integers[row] = int(token)
    return pa.array(integers, counts.type).view(kind)


def _may_be_null(kind: pa.DataType) -> bool:
    # Where the sidecar takes over, the column itself has to allow NULL.
    return bool(pa.types.is_floating(kind) or pa.types.is_temporal(kind))


_SQLITE: Final[FlatDialect[Sequence[Any]]] = FlatDialect(
    _sql_type, _may_be_null, _encode_leaf, _decode_leaf
)
