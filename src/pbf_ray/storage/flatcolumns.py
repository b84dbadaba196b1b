"""Nested Arrow tables as flat columns, exactly, for any database; a dialect says how a leaf looks.

A struct becomes one column per leaf (``_metadata.producer_id`` is ``_metadata_producer_id``). A
value that a column of the database cannot hold stands as a text in the JSON object of the column
``_exact``, by path; a struct of nulls stands there as ``"{}"``, so that it is not a null struct.
``_exact`` is NULL in nearly every row.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError

__all__ = [
    "EXACT_COLUMN",
    "PER_SECOND",
    "YEAR_10000_S",
    "YEAR_1_S",
    "FlatColumn",
    "FlatDialect",
    "Tokens",
    "columns_of",
    "decode",
    "encode",
    "float_of",
    "float_token",
]

EXACT_COLUMN: Final = "_exact"
PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
YEAR_1_S: Final = -719_162 * 86_400
YEAR_10000_S: Final = 2_932_897 * 86_400
_STRUCT_OF_NULLS: Final = "{}"

_Values = TypeVar("_Values")


class Tokens:
    """What stands in ``_exact``: texts by row and path."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, str]] = {}

    def put(self, row: int, path: str, token: str) -> None:
        """Note a text for a value."""
        self._rows.setdefault(row, {})[path] = token

    def column(self, rows: int) -> list[str | None]:
        """The column ``_exact`` of so many rows."""
        exact: list[str | None] = [None] * rows
        for row, paths in self._rows.items():
            exact[row] = json.dumps(paths, sort_keys=True, separators=(",", ":"))
        return exact


@dataclass(frozen=True)
class FlatColumn:
    """A column of a database table.

    Attributes:
        name: Unquoted.
        sql_type: In the words of the dialect.
        required: It can be declared NOT NULL.
    """

    name: str
    sql_type: str
    required: bool


@dataclass(frozen=True)
class FlatDialect(Generic[_Values]):
    """How one database holds the leaves.

    Attributes:
        sql_type: The type of a column, None if there is none.
        may_be_null: Whether the column has to allow NULL although the field does not, for the
            sidecar takes over.
        encode: An array, where it is valid, its path, the sidecar; gives the values to store.
        decode: The inverse: stored values, the Arrow type, the sidecar's texts by row.
    """

    sql_type: Callable[[pa.DataType], str | None]
    may_be_null: Callable[[pa.DataType], bool]
    encode: Callable[[pa.Array, npt.NDArray[np.bool_], str, Tokens], _Values]
    decode: Callable[[_Values, pa.DataType, dict[int, str]], pa.Array]


def columns_of(
    contract: TableContract,
    dialect: FlatDialect[Any],
    *,
    store: str,
    fields: Sequence[str] | None = None,
) -> list[FlatColumn]:
    """The columns of a contract, or of some of its top-level fields, ``_exact`` last.

    Raises:
        StoreContentError: A type cannot be stored, two columns get one name, or the key is
            neither text nor integer.
    """
    columns: list[FlatColumn] = []
    for field in contract.schema:
        if fields is None or field.name in fields:
            columns += _leaves(field, field.name, contract, dialect, store)
    columns.append(FlatColumn(EXACT_COLUMN, dialect.sql_type(pa.string()) or "", required=False))
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
    field: pa.Field,
    name: str,
    contract: TableContract,
    dialect: FlatDialect[Any],
    store: str,
    *,
    inner: bool = False,
) -> Iterator[FlatColumn]:
    kind = field.type
    if pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves(child, f"{name}_{child.name}", contract, dialect, store, inner=True)
        return
    sql_type = dialect.sql_type(kind)
    if sql_type is None:
        raise StoreContentError(
            store,
            f"{contract.name}.{field.name}: {kind} cannot be stored in SQL columns",
            advice="use bool, int8..int64, uint8..uint32, float32/64, string, binary, date32, "
            "timestamp, or structs of them",
            table=contract.name,
            column=field.name,
        )
    required = not field.nullable and not dialect.may_be_null(kind) and not inner
    yield FlatColumn(name, sql_type, required or name == contract.key)


def encode(
    table: pa.Table, dialect: FlatDialect[_Values]
) -> tuple[list[_Values], list[str | None]]:
    """Values of each leaf in the order of :func:`columns_of`, and ``_exact``.

    Args:
        table: Rows in the schema of a contract for which ``columns_of`` did not raise.
        dialect: The database.
    """
    tokens = Tokens()
    columns: list[_Values] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        columns += _encode_array(column.combine_chunks(), field.name, tokens, dialect)[0]
    return columns, tokens.column(table.num_rows)


def _encode_array(
    array: pa.Array, path: str, tokens: Tokens, dialect: FlatDialect[_Values]
) -> tuple[list[_Values], npt.NDArray[np.bool_]]:
    """Values of each leaf, and where any leaf holds something."""
    kind = array.type
    valid = _valid(array)
    if not pa.types.is_struct(kind):
        return [dialect.encode(array, valid, path, tokens)], valid
    columns: list[_Values] = []
    filled = np.zeros(len(array), dtype=np.bool_)
    for child, values in zip(kind, array.flatten(), strict=True):
        more, held = _encode_array(values, f"{path}.{child.name}", tokens, dialect)
        columns += more
        filled |= held
    for row in np.flatnonzero(valid & ~filled).tolist():
        tokens.put(row, path, _STRUCT_OF_NULLS)
    return columns, valid


def decode(
    columns: Sequence[_Values],
    exact: Sequence[str | None],
    schema: pa.Schema,
    dialect: FlatDialect[_Values],
    *,
    store: str,
    table: str,
) -> pa.Table:
    """The inverse of :func:`encode`.

    Args:
        columns: Values of each column of the fields of ``schema``.
        exact: The column ``_exact``.
        schema: Contract schema, or a selection of its fields.
        dialect: The database.
        store: Name of the store, for messages.
        table: Name of the table, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
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
    source = iter(columns)
    arrays = []
    for field in schema:
        try:
            arrays.append(
                _decode_array(source, field.type, field.name, tokens, len(exact), dialect)[0]
            )
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
    source: Iterator[_Values],
    kind: pa.DataType,
    path: str,
    tokens: dict[str, dict[int, str]],
    rows: int,
    dialect: FlatDialect[_Values],
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    if not pa.types.is_struct(kind):
        array = dialect.decode(next(source), kind, tokens.get(path, {}))
        return array, _valid(array)
    valid = np.zeros(rows, dtype=np.bool_)
    children = []
    for child in kind:
        array, held = _decode_array(
            source, child.type, f"{path}.{child.name}", tokens, rows, dialect
        )
        children.append(array)
        valid |= held
    valid[list(tokens.get(path, {}))] = True
    if not children:
        return pa.array([{} if one else None for one in valid], kind), valid
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.array(~valid)), valid


def _valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def float_token(value: np.floating[Any]) -> str:
    """The text of a NaN (its bits, if they are not the usual ones) or of -0.0."""
    if value == 0:
        return "-0.0"
    bits = value.tobytes()[::-1].hex() if np.little_endian else value.tobytes().hex()
    return "NaN" if bits in {"7ff8000000000000", "7fc00000"} else f"bits:{bits}"


def float_of(token: str) -> float:
    """The inverse of :func:`float_token`.

    Raises:
        ValueError: It is no such text.
    """
    if token.startswith("bits:"):
        raw = bytes.fromhex(token.removeprefix("bits:"))
        value: float = struct.unpack(">d" if len(raw) == 8 else ">f", raw)[0]
        return value
    return float(token)
