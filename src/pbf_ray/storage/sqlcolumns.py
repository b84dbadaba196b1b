"""Arrow tables as SQL columns, exactly: what a column cannot hold stands in a sidecar column.

A struct becomes one column per leaf (``_metadata.producer_id`` is ``_metadata_producer_id``), a
timestamp and a date ISO text, a bool 0 or 1. SQL people query those. A value that they cannot hold
is SQL NULL there (-0.0 is 0) and a text in the JSON object of the column ``_exact``, by path:

=======================  =======================================================
NaN                      ``"NaN"``, with other bits than the usual ``"bits:7ff8..."``
-0.0                     ``"-0.0"``
date, time out of range  years before 1 and after 9999: Arrow's integer as text
struct of nulls          ``"{}"``, so that it is not a null struct
=======================  =======================================================

``_exact`` is NULL in nearly every row.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError

__all__ = ["EXACT_COLUMN", "SqlColumn", "columns_of", "decode", "encode", "quote_identifier"]

EXACT_COLUMN: Final = "_exact"
_STRUCT_OF_NULLS: Final = "{}"
_DAY_S: Final = 86_400
_YEAR_1_S: Final = -719_162 * _DAY_S
_YEAR_10000_S: Final = 2_932_897 * _DAY_S
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_Tokens = dict[int, dict[str, str]]
"""Row number to path to what stands in the sidecar."""


@dataclass(frozen=True)
class SqlColumn:
    """A column of a SQL table.

    Attributes:
        name: Unquoted.
        sql_type: INTEGER, REAL, TEXT or BLOB.
        required: It can be declared NOT NULL.
    """

    name: str
    sql_type: str
    required: bool


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
) -> list[SqlColumn]:
    """The SQL columns of a contract, or of some of its top-level fields, ``_exact`` last.

    Raises:
        StoreContentError: A type cannot be stored, two columns get one name, or the key is
            neither text nor integer.
    """
    columns: list[SqlColumn] = []
    for field in contract.schema:
        if fields is None or field.name in fields:
            columns += _leaves(field, field.name, contract, store)
    columns.append(SqlColumn(EXACT_COLUMN, "TEXT", required=False))
    names = [column.name.casefold() for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StoreContentError(
            store,
            f"{contract.name}: several fields become the SQL column {', '.join(twice)}",
            table=contract.name,
        )
    key = contract.schema.field(contract.key).type
    if not (pa.types.is_string(key) or pa.types.is_integer(key)):
        raise StoreContentError(
            store, f"{contract.name}: the key {contract.key} is {key}, not text or integer"
        )
    return columns


def _leaves(
    field: pa.Field, name: str, contract: TableContract, store: str, *, inner: bool = False
) -> Iterator[SqlColumn]:
    kind = field.type
    if pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves(child, f"{name}_{child.name}", contract, store, inner=True)
        return
    sql_type = _sql_type(kind)
    if sql_type is None:
        raise StoreContentError(
            store,
            f"{contract.name}.{field.name}: {kind} cannot be stored in SQL columns",
            advice="use bool, int8..int64, uint8..uint32, float32/64, string, binary, date32, "
            "timestamp, or structs of them",
            table=contract.name,
            column=field.name,
        )
    # Where the sidecar may take over, the column itself has to allow NULL.
    sidecar = pa.types.is_floating(kind) or pa.types.is_temporal(kind)
    required = not field.nullable and not sidecar and not inner
    yield SqlColumn(name, sql_type, required or name == contract.key)


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


def encode(table: pa.Table) -> list[list[Any]]:
    """Columns of Python values in the order of :func:`columns_of`, ready to be bound.

    A null number is NaN: SQLite stores that as NULL.

    Args:
        table: Rows in the schema of a contract for which ``columns_of`` did not raise.
    """
    tokens: _Tokens = {}
    columns: list[list[Any]] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        columns += _encode_array(column.combine_chunks(), field.name, tokens)[0]
    exact: list[str | None] = [None] * table.num_rows
    for row, paths in tokens.items():
        exact[row] = json.dumps(paths, sort_keys=True, separators=(",", ":"))
    columns.append(exact)
    return columns


def _encode_array(
    array: pa.Array, path: str, tokens: _Tokens
) -> tuple[list[list[Any]], npt.NDArray[np.bool_]]:
    """SQL values of each leaf, and where any leaf holds something."""
    kind = array.type
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if not pa.types.is_struct(kind):
        return [_encode_leaf(array, valid, path, tokens)], valid
    columns: list[list[Any]] = []
    filled = np.zeros(len(array), dtype=np.bool_)
    for child, values in zip(kind, array.flatten(), strict=True):
        more, held = _encode_array(values, f"{path}.{child.name}", tokens)
        columns += more
        filled |= held
    for row in np.flatnonzero(valid & ~filled).tolist():
        tokens.setdefault(row, {})[path] = _STRUCT_OF_NULLS
    return columns, valid


def _encode_leaf(
    array: pa.Array, valid: npt.NDArray[np.bool_], path: str, tokens: _Tokens
) -> list[Any]:
    kind = array.type
    if pa.types.is_floating(kind):
        numbers = array.to_numpy(zero_copy_only=False)
        odd = valid & (np.isnan(numbers) | ((numbers == 0) & np.signbit(numbers)))
        for row in np.flatnonzero(odd).tolist():
            tokens.setdefault(row, {})[path] = _float_token(numbers[row])
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


def _float_token(value: np.floating[Any]) -> str:
    if value == 0:
        return "-0.0"
    bits = value.tobytes()[::-1].hex() if np.little_endian else value.tobytes().hex()
    return "NaN" if bits in {"7ff8000000000000", "7fc00000"} else f"bits:{bits}"


def _encode_time(array: pa.Array, path: str, tokens: _Tokens) -> list[Any]:
    kind = array.type
    date = pa.types.is_date32(kind)
    counts = array.view(pa.int32() if date else pa.int64())
    scale = 1 if date else _PER_SECOND[kind.unit]
    low, high = (
        (_YEAR_1_S // _DAY_S, _YEAR_10000_S // _DAY_S)
        if date
        else (
            # Nanoseconds end in 1677 and 2262; Arrow cannot parse the second that ends them.
            max(_YEAR_1_S * scale, -(2**63) + scale),
            min(_YEAR_10000_S * scale, 2**63 - scale),
        )
    )
    outside = pc.fill_null(pc.or_(pc.less(counts, low), pc.greater_equal(counts, high)), False)
    if pc.any(outside).as_py():
        for row in np.flatnonzero(outside.to_numpy(zero_copy_only=False)).tolist():
            tokens.setdefault(row, {})[path] = str(counts[row].as_py())
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


def decode(
    columns: Sequence[Sequence[Any]], schema: pa.Schema, *, store: str, table: str
) -> pa.Table:
    """The inverse of :func:`encode`.

    Args:
        columns: Values of each SQL column of the fields of ``schema``, ``_exact`` last.
        schema: Contract schema, or a selection of its fields.
        store: Name of the store, for messages.
        table: Name of the table, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
    exact = columns[-1]
    tokens: dict[str, dict[int, str]] = {}
    try:
        for row, text in enumerate(exact):
            if text is not None:
                for path, token in json.loads(text).items():
                    tokens.setdefault(path, {})[row] = str(token)
    except (ValueError, AttributeError, TypeError) as error:
        raise StoreContentError(
            store, f"{table}.{EXACT_COLUMN} holds {text!r}, which is not ours: {error}"
        ) from error
    source = iter(columns[:-1])
    arrays = []
    for field in schema:
        try:
            arrays.append(_decode_array(source, field.type, field.name, tokens, len(exact))[0])
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise StoreContentError(
                store,
                f"{table}.{field.name} holds a value that is no {field.type}: {error}",
                advice="somebody else has written to the table",
                table=table,
                column=field.name,
            ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def _decode_array(
    source: Iterator[Sequence[Any]],
    kind: pa.DataType,
    path: str,
    tokens: dict[str, dict[int, str]],
    rows: int,
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    if not pa.types.is_struct(kind):
        array = _decode_leaf(next(source), kind, tokens.get(path, {}))
        return array, np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    valid = np.zeros(rows, dtype=np.bool_)
    children = []
    for child in kind:
        array, held = _decode_array(source, child.type, f"{path}.{child.name}", tokens, rows)
        children.append(array)
        valid |= held
    valid[list(tokens.get(path, {}))] = True
    if not children:
        return pa.array([{} if one else None for one in valid], kind), valid
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.array(~valid)), valid


def _decode_leaf(values: Sequence[Any], kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    if pa.types.is_floating(kind):
        numbers = list(values)
        for row, token in tokens.items():
            numbers[row] = _float_of(token)
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


def _float_of(token: str) -> float:
    if token.startswith("bits:"):
        raw = bytes.fromhex(token.removeprefix("bits:"))
        value: float = struct.unpack(">d" if len(raw) == 8 else ">f", raw)[0]
        return value
    return float(token)
