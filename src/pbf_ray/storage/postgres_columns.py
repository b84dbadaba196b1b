"""Arrow tables as PostgreSQL columns and CSV for COPY, exactly and without an object per row.

Flat columns as ``flatcolumns`` makes them. What PostgreSQL cannot hold has a stand-in there, and
the exact value stands as a text in the column ``_exact``:

==========================  ======================  ==========================================
value                       in its column           in ``_exact``
==========================  ======================  ==========================================
NaN with unusual bits       NaN                     ``"bits:7ff8..."``
text with U+0000            U+FFFD in its place     the text
date, time out of range     infinity, -infinity     Arrow's integer (years 1 to 9999 are in)
nanoseconds                 the microsecond before  Arrow's integer, unless they are 0
==========================  ======================  ==========================================

A key has no sidecar, for it has to be unique: see ``escapedkeys``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pbf_ray.contracts import TableContract
from pbf_ray.storage import flatcolumns
from pbf_ray.storage.escapedkeys import escape_keys, unescape_keys
from pbf_ray.storage.flatcolumns import (
    EXACT_COLUMN,
    PER_SECOND,
    YEAR_1_S,
    YEAR_10000_S,
    FlatColumn,
    FlatDialect,
    Tokens,
    float_of,
    float_token,
)

__all__ = ["columns_of", "read_csv", "write_csv"]

_DAY_S: Final = 86_400
_ROWS_PER_BLOCK: Final = 20_000

_TYPES: Final[dict[pa.DataType, str]] = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.uint8(): "smallint",
    pa.int16(): "smallint",
    pa.uint16(): "integer",
    pa.int32(): "integer",
    pa.uint32(): "bigint",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.large_string(): "text",
    pa.binary(): "bytea",
    pa.large_binary(): "bytea",
    pa.date32(): "date",
    **{pa.timestamp(unit): "timestamp without time zone" for unit in PER_SECOND},
    **{pa.timestamp(unit, tz="UTC"): "timestamp with time zone" for unit in PER_SECOND},
}
"""Arrow type to what ``format_type`` says of the column."""


def columns_of(
    contract: TableContract, *, store: str, fields: Sequence[str] | None = None
) -> list[FlatColumn]:
    """The columns of a contract; see ``flatcolumns.columns_of``."""
    return flatcolumns.columns_of(contract, _POSTGRES, store=store, fields=fields)


def write_csv(contract: TableContract, table: pa.Table) -> Iterator[pa.Buffer]:
    """Rows as CSV for COPY, in the order of :func:`columns_of`, in blocks of bounded size.

    Args:
        contract: The table, for which ``columns_of`` did not raise.
        table: Rows in its schema.
    """
    options = csv.WriteOptions(include_header=False, batch_size=_ROWS_PER_BLOCK)
    for start in range(0, table.num_rows, _ROWS_PER_BLOCK):
        block = escape_keys(contract, table.slice(start, _ROWS_PER_BLOCK))
        columns, exact = flatcolumns.encode(block, _POSTGRES)
        arrays = [*columns, pa.array(exact, pa.string())]
        flat = pa.Table.from_arrays(arrays, names=[str(n) for n in range(len(arrays))])
        sink = pa.BufferOutputStream()
        csv.write_csv(flat, sink, options)
        yield sink.getvalue()


def read_csv(contract: TableContract, data: bytes, schema: pa.Schema, *, store: str) -> pa.Table:
    """The rows of CSV that COPY gave.

    Args:
        contract: The table.
        data: Whole lines, in the order of :func:`columns_of` for the fields of ``schema``.
        schema: Some fields of the contract, in its order.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
    columns = columns_of(contract, store=store, fields=schema.names)
    names = [column.name for column in columns]
    texts = csv.read_csv(
        io.BytesIO(data),
        csv.ReadOptions(column_names=names, block_size=max(len(data), 1), use_threads=False),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    arrays = [column.combine_chunks() for column in texts.columns[:-1]]
    exact = texts.column(EXACT_COLUMN).to_pylist()
    table = flatcolumns.decode(arrays, exact, schema, _POSTGRES, store=store, table=contract.name)
    return unescape_keys(contract, table)


def _any(mask: pa.Array | pa.ChunkedArray) -> bool:
    return bool(pc.any(mask).as_py())


def _encode_leaf(
    array: pa.Array, valid: npt.NDArray[np.bool_], path: str, tokens: Tokens
) -> pa.Array:
    kind = array.type
    if pa.types.is_floating(kind):
        numbers = array.to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(valid & np.isnan(numbers)).tolist():
            token = float_token(numbers[row])
            if token != "NaN":  # noqa: S105 - a token of the sidecar
                tokens.put(row, path, token)
        return array
    if pa.types.is_temporal(kind):
        return _encode_time(array, path, tokens)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        nul = pc.match_substring(array, "\0")
        if _any(nul):
            for row in np.flatnonzero(pc.fill_null(nul, False)).tolist():
                tokens.put(row, path, array[row].as_py())
            array = pc.replace_substring(array, "\0", "\ufffd")
        return array
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array(
            [None if value is None else f"\\x{value.hex()}" for value in array.to_pylist()],
            pa.string(),
        )
    return array


def _encode_time(array: pa.Array, path: str, tokens: Tokens) -> pa.Array:
    kind = array.type
    date = pa.types.is_date32(kind)
    counts = array.view(pa.int32() if date else pa.int64())
    scale = 1 if date else PER_SECOND[kind.unit]
    low = YEAR_1_S // _DAY_S if date else max(YEAR_1_S * scale, -(2**63) + scale)
    high = YEAR_10000_S // _DAY_S if date else min(YEAR_10000_S * scale, 2**63 - scale)
    early, behind = pc.less(counts, low), pc.greater_equal(counts, high)
    inexact = pc.or_(early, behind)
    outside = _any(inexact)
    inside = pc.if_else(inexact, pa.scalar(None, counts.type), counts) if outside else counts
    if not date and kind.unit == "ns":
        micros = np.floor_divide(pc.fill_null(inside, 0).to_numpy(zero_copy_only=False), 1000)
        floored = pa.array(micros * 1000, mask=np.asarray(inside.is_null()))
        inexact = pc.or_(inexact, pc.fill_null(pc.not_equal(floored, inside), False))
        inside = pa.array(micros, mask=np.asarray(inside.is_null()))
        kind = pa.timestamp("us", tz=kind.tz)
    for row in np.flatnonzero(pc.fill_null(inexact, False)).tolist():
        tokens.put(row, path, str(counts[row].as_py()))
    text = inside.view(pa.date32() if date else pa.timestamp(kind.unit)).cast(pa.string())
    if not date and kind.tz is not None:
        text = pc.binary_join_element_wise(text, "Z", "")
    if outside:
        text = pc.if_else(pc.fill_null(early, False), "-infinity", text)
        text = pc.if_else(pc.fill_null(behind, False), "infinity", text)
    return text


def _decode_leaf(texts: pa.Array, kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _replaced(texts, tokens).cast(kind)
    if pa.types.is_temporal(kind):
        return _decode_time(texts, kind, tokens)
    if pa.types.is_floating(kind):
        # Arrow reads Infinity, -Infinity and NaN as PostgreSQL writes them.
        numbers = texts.cast(kind)
        if not tokens:
            return numbers
        listed = numbers.to_pylist()
        for row, token in tokens.items():
            listed[row] = float_of(token)
        return pa.array(listed, kind)
    if pa.types.is_boolean(kind):
        return pc.if_else(pc.is_valid(texts), pc.equal(texts, "t"), pa.scalar(None, pa.bool_()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array(
            [None if text is None else bytes.fromhex(text[2:]) for text in texts.to_pylist()], kind
        )
    return texts.cast(kind)


def _decode_time(texts: pa.Array, kind: pa.DataType, tokens: dict[int, str]) -> pa.Array:
    count = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    blanks = _replaced(texts, dict.fromkeys(tokens))
    if not pa.types.is_date32(kind):
        if kind.tz is not None:
            # "2026-11-25 14:00:00.5+00": the session's zone is UTC.
            blanks = pc.replace_substring_regex(blanks, r"\+00$", "Z")
        blanks = blanks.cast(pa.timestamp("us", tz=kind.tz))
        if kind.unit in {"s", "ms"}:
            blanks = blanks.cast(pa.timestamp(kind.unit, tz=kind.tz))
        elif kind.unit == "ns":
            blanks = pc.multiply_checked(blanks.view(pa.int64()), 1000)
    else:
        blanks = blanks.cast(kind)
    counts = blanks.view(count)
    if tokens:
        listed = counts.to_pylist()
        for row, token in tokens.items():
            listed[row] = int(token)
        counts = pa.array(listed, count)
    return counts.view(kind)


def _replaced(texts: pa.Array, tokens: dict[int, str] | dict[int, None]) -> pa.Array:
    if not tokens:
        return texts
    listed = texts.to_pylist()
    for row, token in tokens.items():
        listed[row] = token
    return pa.array(listed, pa.string())


def _may_be_null(kind: pa.DataType) -> bool:
    del kind
    return False


_POSTGRES: Final[FlatDialect[pa.Array]] = FlatDialect(
    _TYPES.get, _may_be_null, _encode_leaf, _decode_leaf
)
