"""Arrow tables as the columns of warehouses, exactly, for Parquet on the way in.

Flat columns as ``flatcolumns`` makes them: BOOL, INT64, FLOAT64, text, bytes, date, and moments in
microseconds. What these cannot hold, or warehouses do not promise to keep, has a stand-in there,
and the exact value stands as a text in the column ``_exact``:

==========================  ======================  ==========================================
value                       in its column           in ``_exact``
==========================  ======================  ==========================================
NaN with unusual bits       NaN                     ``"bits:7ff8..."``
-0.0                        0                       ``"-0.0"``
text with U+0000            U+FFFD in its place     the text
date, time out of range     NULL                    Arrow's integer (years 1 to 9999 are in)
nanoseconds                 the microsecond before  Arrow's integer, unless they are 0
==========================  ======================  ==========================================

Keys have no sidecar: see ``escapedkeys``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage import flatcolumns
from pbf_ray.storage.escapedkeys import escape_keys, unescape_keys
from pbf_ray.storage.flatcolumns import (
    PER_SECOND,
    YEAR_1_S,
    YEAR_10000_S,
    FlatDialect,
    Tokens,
    float_of,
    float_token,
)
from pbf_ray.storage.warehouses.dialect import WarehouseDialect

__all__ = ["SEQUENCE", "columns_of", "loadable", "rows_of", "stored_type"]

SEQUENCE: Final = "_pbf_ray_sequence"
"""The column that says by which epoch of its job a row was written."""

_DAY_S: Final = 86_400


def columns_of(
    contract: TableContract,
    dialect: WarehouseDialect,
    *,
    store: str,
    fields: Sequence[str] | None = None,
) -> list[flatcolumns.FlatColumn]:
    """The columns of a contract with their SQL types; see ``flatcolumns.columns_of``.

    Raises:
        StoreContentError: Two fields would be one column, or a type cannot be stored.
    """
    flat = flatcolumns.columns_of(contract, _flat(dialect), store=store, fields=fields)
    names = [dialect.name_of(column.name).casefold() for column in flat]
    reserved = dialect.name_of(SEQUENCE).casefold()
    twice = {name for name in names if names.count(name) > 1 or name == reserved}
    if twice:
        raise StoreContentError(
            store,
            f"{contract.name}: several fields become the column {', '.join(sorted(twice))}",
            advice="rename one of them",
            table=contract.name,
        )
    return flat


def stored_type(kind: pa.DataType) -> pa.DataType | None:
    """The Arrow type in which values of a type are loaded; None if they cannot be."""
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_uint64(kind) or pa.types.is_float16(kind):
        return None
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_date32(kind):
        return kind
    if pa.types.is_timestamp(kind) and kind.tz in {None, "UTC"}:
        return pa.timestamp("us", tz=kind.tz)
    return None


def loadable(contract: TableContract, table: pa.Table) -> pa.Table:
    """Rows as they are loaded: columns ``c0``, ``c1``, ... in the order of :func:`columns_of`.

    Args:
        contract: The table, for which ``columns_of`` did not raise.
        table: Rows in its schema.
    """
    columns, exact = flatcolumns.encode(escape_keys(contract, table), _VALUES)
    arrays = [*columns, pa.array(exact, pa.string())]
    return pa.Table.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])


def rows_of(
    contract: TableContract, batch: pa.RecordBatch, schema: pa.Schema, *, store: str
) -> pa.Table:
    """The inverse of :func:`loadable`; dates and moments come as integers.

    Args:
        contract: The table.
        batch: Columns in the order of :func:`columns_of` for the fields of ``schema``.
        schema: Some fields of the contract, in its order.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
    *columns, exact = batch.columns
    table = flatcolumns.decode(
        columns, exact.to_pylist(), schema, _VALUES, store=store, table=contract.name
    )
    return unescape_keys(contract, table)


def _flat(dialect: WarehouseDialect) -> FlatDialect[pa.Array]:
    def sql_type(kind: pa.DataType) -> str | None:
        stored = stored_type(kind)
        return None if stored is None else dialect.types[stored]

    return FlatDialect(sql_type, _may_be_null, _encode_leaf, _decode_leaf)


def _may_be_null(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind))


def _encode_leaf(
    array: pa.Array, valid: npt.NDArray[np.bool_], path: str, tokens: Tokens
) -> pa.Array:
    kind = array.type
    if pa.types.is_floating(kind):
        return _encode_numbers(array, valid, path, tokens)
    if pa.types.is_temporal(kind):
        return _encode_time(array, path, tokens)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        nul = pc.match_substring(array, "\0")
        if pc.any(nul).as_py():
            for row in np.flatnonzero(pc.fill_null(nul, False)).tolist():
                tokens.put(row, path, array[row].as_py())
            array = pc.replace_substring(array, "\0", "\ufffd")
    return array.cast(stored_type(kind))


def _encode_numbers(
    array: pa.Array, valid: npt.NDArray[np.bool_], path: str, tokens: Tokens
) -> pa.Array:
    numbers = array.to_numpy(zero_copy_only=False)
    nan = np.isnan(numbers)
    for row in np.flatnonzero(valid & (nan | ((numbers == 0) & np.signbit(numbers)))).tolist():
        token = float_token(numbers[row])
        if token != "NaN":  # noqa: S105 - a token of the sidecar
            tokens.put(row, path, token)
    with np.errstate(invalid="ignore"):  # of signalling NaN
        plain = np.where(nan, np.nan, numbers.astype(np.float64)) + 0.0
    return pa.array(plain, pa.float64(), mask=~valid)


def _encode_time(array: pa.Array, path: str, tokens: Tokens) -> pa.Array:
    kind = array.type
    date = pa.types.is_date32(kind)
    counts = array.view(pa.int32() if date else pa.int64())
    scale = 1 if date else PER_SECOND[kind.unit]
    low = YEAR_1_S // _DAY_S if date else max(YEAR_1_S * scale, -(2**63) + scale)
    high = YEAR_10000_S // _DAY_S if date else min(YEAR_10000_S * scale, 2**63 - scale)
    outside = pc.or_(pc.less(counts, low), pc.greater_equal(counts, high))
    inside = pc.if_else(outside, pa.scalar(None, counts.type), counts)
    inexact = outside
    if not date:
        mask = np.asarray(inside.is_null())
        numbers = pc.fill_null(inside, 0).to_numpy(zero_copy_only=False)
        micros = np.floor_divide(numbers, 1000) if kind.unit == "ns" else None
        if micros is None:
            micros = numbers * (PER_SECOND["us"] // scale)
        else:
            rest = pa.array(micros * 1000 != numbers, mask=mask)
            inexact = pc.or_(inexact, pc.fill_null(rest, False))
        inside = pa.array(micros, pa.int64(), mask=mask)
    for row in np.flatnonzero(pc.fill_null(inexact, False)).tolist():
        tokens.put(row, path, str(counts[row].as_py()))
    return inside.view(stored_type(kind))


def _decode_leaf(values: pa.Array, kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    if pa.types.is_temporal(kind):
        return _decode_time(values, kind, tokens)
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).cast(kind)
        return _replaced(numbers, {row: float_of(token) for row, token in tokens.items()})
    if pa.types.is_integer(kind):
        return values.cast(pa.int64()).cast(kind)
    return _replaced(values.cast(kind), tokens)


def _decode_time(values: pa.Array, kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    if pa.types.is_date32(kind):
        counts = values.cast(pa.int64()).cast(pa.int32())
    else:
        counts = values.cast(pa.int64())
        scale = PER_SECOND[kind.unit]
        if scale > PER_SECOND["us"]:
            counts = pc.multiply_checked(counts, scale // PER_SECOND["us"])
        elif scale < PER_SECOND["us"]:
            # Whole seconds or milliseconds: what is not was written by somebody else.
            counts = counts.view(pa.timestamp("us")).cast(pa.timestamp(kind.unit)).view(pa.int64())
    exact = {row: int(token) for row, token in tokens.items()}
    return _replaced(counts, exact).view(kind)


def _replaced(array: pa.Array, tokens: dict[int, Any]) -> pa.Array:
    if not tokens:
        return array
    listed = array.to_pylist()
    for row, value in tokens.items():
        listed[row] = value
    return pa.array(listed, array.type)


def _no_type(kind: pa.DataType) -> str | None:
    return None if stored_type(kind) is None else ""


_VALUES: Final[FlatDialect[pa.Array]] = FlatDialect(
    _no_type, _may_be_null, _encode_leaf, _decode_leaf
)
