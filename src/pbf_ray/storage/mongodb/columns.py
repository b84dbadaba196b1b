"""Rows as documents and back, exactly: what a BSON value cannot hold stands beside, in ``_exact``.

The key of the table is ``_id``; a struct is a document; a date is a BSON date, and so is a time
stamp, in whole milliseconds (cut off). ``_exact`` holds by path what is more than that:

=======================  =========================================================
time stamp               Arrow's count, where it has more than milliseconds, or is
                         beyond the dates of BSON
NaN                      ``"bits:7ff8..."``, where its bits are not the usual ones
=======================  =========================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from bson.datetime_ms import DatetimeMS

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.flatcolumns import PER_SECOND, float_of, float_token
from pbf_ray.storage.mongodb.names import escape_name

__all__ = ["EXACT", "ROW", "check_types", "fields_of", "from_documents", "to_documents"]

ROW: Final = "_pbf_ray"
"""Field with the job and the epoch of a row; see ``epochs``."""
EXACT: Final = "_exact"
_TAKEN: Final = frozenset({"_id", ROW, EXACT})
_DAY_MS: Final = 86_400_000
_USUAL_NAN: Final = {8: 0x7FF8000000000000, 4: 0x7FC00000}
_Exact = dict[int, dict[str, Any]]


def fields_of(contract: TableContract) -> dict[str, str]:
    """Where each column stands in a document."""
    return {
        name: "_id" if name == contract.key else escape_name(name, _TAKEN)
        for name in contract.schema.names
    }


def check_types(contract: TableContract, *, store: str) -> None:
    """See that documents can hold the columns.

    Raises:
        StoreContentError: A type cannot be stored, or the key is neither text nor integer.
    """
    for field in contract.schema:
        if not _storable(field.type):
            raise StoreContentError(
                store,
                f"{contract.name}.{field.name}: {field.type} cannot be stored in documents",
                advice="use bool, int8..int64, uint8..uint32, float32/64, string, binary, date32, "
                "timestamp, or structs of them",
                table=contract.name,
                column=field.name,
            )
    key = contract.schema.field(contract.key).type
    if not (pa.types.is_string(key) or pa.types.is_integer(key)):
        raise StoreContentError(
            store, f"{contract.name}: the key {contract.key} is {key}, not text or integer"
        )


def _storable(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_struct(kind):
        return all(_storable(child.type) for child in kind)
    if types.is_timestamp(kind):
        return kind.tz in {None, "UTC"}
    if types.is_integer(kind):
        return not types.is_uint64(kind)
    return bool(
        types.is_boolean(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_date32(kind)
    )


def to_documents(
    contract: TableContract, table: pa.Table, row: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Documents of rows in the schema of the contract.

    Args:
        contract: The table, whose types were checked.
        table: The rows.
        row: What ``_pbf_ray`` is to be; None leaves it out.
    """
    fields = fields_of(contract)
    exact: _Exact = {}
    columns = [
        _encoded(column.combine_chunks(), escape_name(name).replace("/", "%2F"), exact)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    names = [fields[name] for name in table.column_names]
    documents = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    if row is not None:
        for document in documents:
            document[ROW] = row
    for number, beside in exact.items():
        documents[number][EXACT] = beside
    return documents


def _encoded(array: pa.Array, path: str, exact: _Exact) -> list[Any]:
    kind = array.type
    if pa.types.is_struct(kind):
        return _encoded_struct(array, path, exact)
    if pa.types.is_temporal(kind):
        return _encoded_time(array, path, exact)
    if pa.types.is_floating(kind):
        _note_odd_nans(array, path, exact)
    listed: list[Any] = array.to_pylist()
    return listed


def _encoded_struct(array: pa.Array, path: str, exact: _Exact) -> list[Any]:
    names = [escape_name(child.name) for child in array.type]
    children = [
        _encoded(values, f"{path}/{name.replace('/', '%2F')}", exact)
        for name, values in zip(names, array.flatten(), strict=True)
    ]
    valid = array.is_valid().to_pylist()
    rows = zip(*children, strict=True) if children else [()] * len(array)
    return [
        dict(zip(names, row, strict=True)) if there else None
        for row, there in zip(rows, valid, strict=True)
    ]


def _encoded_time(array: pa.Array, path: str, exact: _Exact) -> list[Any]:
    if pa.types.is_date32(array.type):
        days = array.view(pa.int32()).to_pylist()
        return [None if day is None else DatetimeMS(day * _DAY_MS) for day in days]
    scale = PER_SECOND[array.type.unit]
    values: list[Any] = []
    for number, count in enumerate(array.view(pa.int64()).to_pylist()):
        if count is None:
            values.append(None)
            continue
        ms, rest = divmod(count * 1000, scale)
        if rest or not -(2**63) <= ms < 2**63:
            exact.setdefault(number, {})[path] = count
        values.append(DatetimeMS(min(max(ms, -(2**63)), 2**63 - 1)))
    return values


def _note_odd_nans(array: pa.Array, path: str, exact: _Exact) -> None:
    numbers = array.to_numpy(zero_copy_only=False)
    odd = np.isnan(numbers)
    if not odd.any():
        return
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    size = numbers.dtype.itemsize
    bits: npt.NDArray[Any] = numbers.view(np.uint64 if size == 8 else np.uint32)
    for number in np.flatnonzero(odd & valid & (bits != _USUAL_NAN[size])).tolist():
        exact.setdefault(number, {})[path] = float_token(numbers[number])


def from_documents(
    contract: TableContract, documents: Sequence[dict[str, Any]], schema: pa.Schema, *, store: str
) -> pa.Table:
    """The inverse of :func:`to_documents`.

    Args:
        contract: The table.
        documents: As they were found; fields that are not there are null.
        schema: Of the contract, or of some of its columns.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A value does not fit its column: somebody else wrote it.
    """
    fields = fields_of(contract)
    exact = _exact_by_path(documents, contract, store)
    arrays = []
    for field in schema:
        place = fields[field.name]
        path = escape_name(field.name).replace("/", "%2F")
        try:
            values = [document.get(place) for document in documents]
            arrays.append(_decoded(values, field.type, path, exact))
        except (pa.ArrowException, ValueError, TypeError, OverflowError, AttributeError) as error:
            raise StoreContentError(
                store,
                f"{contract.name}.{field.name} holds a value that is no {field.type}: {error}",
                advice="somebody else has written to the collection",
                table=contract.name,
                column=field.name,
            ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def _exact_by_path(
    documents: Sequence[dict[str, Any]], contract: TableContract, store: str
) -> dict[str, dict[int, Any]]:
    found: dict[str, dict[int, Any]] = {}
    for number, document in enumerate(documents):
        beside = document.get(EXACT)
        if beside is None:
            continue
        if not isinstance(beside, dict):
            raise StoreContentError(
                store, f"{contract.name}.{EXACT} holds {beside!r}, which is not ours"
            )
        for path, token in beside.items():
            found.setdefault(path, {})[number] = token
    return found


def _decoded(
    values: Sequence[Any], kind: pa.DataType, path: str, exact: dict[str, dict[int, Any]]
) -> pa.Array:
    if pa.types.is_struct(kind):
        return _decoded_struct(values, kind, path, exact)
    tokens = exact.get(path, {})
    if pa.types.is_temporal(kind):
        return _decoded_time(values, kind, tokens)
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        wanted = bool if pa.types.is_boolean(kind) else float
        wrong = [value for value in values if value is not None and type(value) is not wanted]
        if wrong:
            raise ValueError(f"{wrong[0]!r}")
    if not pa.types.is_floating(kind):
        return pa.array(values, kind)
    array = pa.array(values, pa.float64())
    if kind == pa.float32():
        array = array.cast(kind, safe=False)
    if not tokens:
        return array
    return _with_bits(array, {number: float_of(token) for number, token in tokens.items()}, tokens)


def _with_bits(array: pa.Array, values: dict[int, float], tokens: dict[int, Any]) -> pa.Array:
    """The array with NaNs of certain bits, which a conversion between widths might change."""
    numbers = array.to_numpy(zero_copy_only=False).copy()
    bits = numbers.view(np.uint64 if numbers.dtype.itemsize == 8 else np.uint32)
    for number, value in values.items():
        token = tokens[number]
        if token.startswith("bits:"):
            bits[number] = int(token.removeprefix("bits:"), 16)
        else:
            numbers[number] = value
    return pa.array(numbers, array.type, mask=~np.asarray(array.is_valid()), from_pandas=False)


def _decoded_struct(
    values: Sequence[Any], kind: pa.DataType, path: str, exact: dict[str, dict[int, Any]]
) -> pa.Array:
    wrong = [value for value in values if not isinstance(value, dict | None)]
    if wrong:
        raise ValueError(f"{wrong[0]!r}")
    missing = pa.array([value is None for value in values], pa.bool_())
    if not kind.num_fields:
        return pa.array([None if value is None else {} for value in values], kind)
    children = []
    for child in kind:
        name = escape_name(child.name)
        inner = [None if value is None else value.get(name) for value in values]
        here = f"{path}/{name.replace('/', '%2F')}"
        children.append(_decoded(inner, child.type, here, exact))
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=missing)


def _decoded_time(values: Sequence[Any], kind: pa.DataType, tokens: dict[int, Any]) -> pa.Array:
    wrong = [value for value in values if not isinstance(value, DatetimeMS | None)]
    if wrong:
        raise ValueError(f"{wrong[0]!r}")
    date = pa.types.is_date32(kind)
    numerator, denominator = (1, _DAY_MS) if date else (PER_SECOND[kind.unit], 1000)
    counts: list[int | None] = []
    for number, value in enumerate(values):
        if number in tokens:
            counts.append(int(tokens[number]))
        elif value is None:
            counts.append(None)
        else:
            count, rest = divmod(int(value) * numerator, denominator)
            if rest:
                raise ValueError(f"{value!r}")
            counts.append(count)
    return pa.array(counts, pa.int32() if date else pa.int64()).view(kind)
