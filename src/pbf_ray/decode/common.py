"""Common records, read in C++: a batch at a time, without the GIL and without an object per record.

The C++ reader takes only records on which it and the exact reader cannot differ: short (so no limit
of depth, digits or chunks is near), valid UTF-8, without a backslash, strict JSON but for bare
``NaN``, ``Infinity`` and ``-Infinity``, no wanted name twice, each wanted value of its column's
own type. All others are *doubtful*: it leaves a row of nulls for each and names it, and the exact
reader decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.decode import _core

__all__ = ["RecordValues", "common_rows", "value_at"]

RecordValues: TypeAlias = "list[bytes | None] | pa.Array"
"""Values of records: a list, or an Arrow array of type binary or large_binary."""


def common_rows(values: RecordValues, schema: pa.Schema) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Read the common records of a batch.

    Args:
        values: Record values; null for a message without value.
        schema: Fields that can be decoded (``fields.converters_of`` has checked them).

    Returns:
        A row per value with the fields of ``schema``, and the indices, ascending, of the values
        that are not surely common; their rows are null.

    Raises:
        TypeError: A value of the list is no bytes.
        ValueError: The strings of one column take more than 2 GiB.
    """
    native = _native_schema(schema)
    if isinstance(values, list):
        columns, doubtful = native.decode_list(values)
    else:
        validity, offsets, data = values.buffers()
        columns, doubtful = native.decode_arrow(
            values.offset,
            len(values),
            validity,
            # Arrow may leave both out of an array without values.
            offsets if offsets is not None else bytes(8),
            8 if pa.types.is_large_binary(values.type) else 4,
            data if data is not None else b"",
        )
    arrays = [
        _array(field.type, len(values), buffers)
        for field, buffers in zip(schema, columns, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    return table, np.frombuffer(memoryview(doubtful), np.int64)


def value_at(values: RecordValues, index: int) -> bytes | None:
    """One of the values."""
    value = values[index]
    if value is None or isinstance(value, bytes):
        return value
    plain: bytes | None = value.as_py()
    return plain


def _array(kind: pa.DataType, length: int, column: _core.ColumnBuffers) -> pa.Array:
    buffers, children = column
    fields: Sequence[Any] = kind.fields if pa.types.is_struct(kind) else ()
    return pa.Array.from_buffers(
        kind,
        length,
        [pa.py_buffer(buffer) for buffer in buffers],
        children=[
            _array(field.type, length, child) for field, child in zip(fields, children, strict=True)
        ],
    )


@lru_cache(maxsize=64)
def _native_schema(schema: pa.Schema) -> _core.Schema:
    return _core.Schema(_fields(schema))


def _fields(fields: Any) -> list[tuple[str, str, list[Any]]]:
    return [
        (field.name, "struct", _fields(field.type.fields))
        if pa.types.is_struct(field.type)
        else (field.name, str(field.type), [])
        for field in fields
    ]
