"""``from_json`` over a batch of records."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import pyarrow as pa

from pbf_ray.decode import _core
from pbf_ray.decode.fields import CORRUPT_RECORD, check_fields
from pbf_ray.decode.record_values import RecordBuffer, Values, packed_chunks
from pbf_ray.decode.result import MODES, REJECTS_SCHEMA, DecodeResult
from pbf_ray.errors import MalformedRecordError

__all__ = ["decoded_batch", "from_json"]


def from_json(values: Values, schema: pa.Schema, mode: str = "PERMISSIVE") -> DecodeResult:
    """Decode JSON records as PySpark's ``from_json(CAST(value AS STRING), schema)`` does.

    Equal to Spark 4.3 on Java 17 with default options, to the bit. Runs in C++ without the GIL, so
    that threads decode batches side by side; a schema is compiled when it first comes.

    - ``PERMISSIVE``: one row per value, and a column ``_corrupt_record`` with the text of every
      value that is void or has a field that cannot be converted. A void record is a row of nulls.
    - ``FAILFAST``: raises at the first value that would have a ``_corrupt_record``.
    - ``DROPMALFORMED``: leaves out what would have a ``_corrupt_record``, and null and blank
      values. Spark's ``from_json`` does not know this mode; it is that of ``spark.read.json``,
      except that an array at the root is corrupt here and not split into rows.
    - ``dead_letter``: leaves out what is void as a whole, null and blank values, and records with a
      string that no store may hold; ``rejects`` has them. A record with a bad field stays, flagged.

    Args:
        values: Record values: a list of bytes, None for a message without value; an Arrow array of
            binary or string, sliced and chunked at will; or a `RecordBuffer`.
        schema: Wanted fields: string, float64, float32, int8 to int64, bool, structs of those.
        mode: One of ``MODES``.

    Returns:
        Rows with the fields of ``schema`` in its order; see `DecodeResult`.

    Raises:
        TypeError: The schema has a type that cannot be decoded, or a value is no bytes.
        ValueError: The mode is unknown, the schema is empty or names a field twice, offsets lie
            outside the data, or the strings of one column take more than 2 GiB.
        MalformedRecordError: A record is corrupt and the mode is FAILFAST.
    """
    return decoded_batch(values, schema, mode, all_exactly=False)


def decoded_batch(
    values: Values, schema: pa.Schema, mode: str, *, all_exactly: bool
) -> DecodeResult:
    """`from_json`, and if ``all_exactly`` all of it by the exact reader: for tests, to measure."""
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    compiled = _compiled(schema)
    if isinstance(values, RecordBuffer | pa.Array | pa.ChunkedArray):
        batch = compiled.decode_packed(packed_chunks(values), mode, all_exactly)
    else:
        listed = values if isinstance(values, list) else list(values)
        batch = compiled.decode_list(listed, mode, all_exactly)
    if batch.failure is not None:
        index, what = batch.failure
        raise MalformedRecordError(what, index=index)
    columns = [
        _array(field.type, batch.rows, column)
        for field, column in zip(schema, batch.columns, strict=True)
    ]
    table = pa.Table.from_arrays(columns, schema=schema)
    if batch.corrupt_record is not None:
        texts = _array(pa.string(), batch.rows, batch.corrupt_record)
        table = table.append_column(CORRUPT_RECORD, texts)
    indices, reason, detail = batch.rejects
    rejects = [
        _fixed_width(pa.int64(), batch.rejected, indices),
        _array(pa.string(), batch.rejected, reason),
        _array(pa.string(), batch.rejected, detail),
    ]
    return DecodeResult(
        table=table,
        rejects=pa.Table.from_arrays(rejects, schema=REJECTS_SCHEMA),
        indices=_fixed_width(pa.int64(), batch.rows, batch.indices),
        flagged=_fixed_width(pa.bool_(), batch.rows, batch.flagged),
        exact=batch.exact,
    )


def _array(kind: pa.DataType, length: int, column: _core.ColumnBuffers) -> pa.Array:
    buffers, children = column
    fields: Iterable[Any] = kind.fields if pa.types.is_struct(kind) else ()
    return pa.Array.from_buffers(
        kind,
        length,
        [pa.py_buffer(buffer) for buffer in buffers],
        children=[
            _array(field.type, length, child) for field, child in zip(fields, children, strict=True)
        ],
    )


def _fixed_width(kind: pa.DataType, length: int, values: _core.OwnedBuffer) -> pa.Array:
    """Array without nulls."""
    return pa.Array.from_buffers(kind, length, [None, pa.py_buffer(values)])


@lru_cache(maxsize=64)
def _compiled(schema: pa.Schema) -> _core.Schema:
    check_fields(schema)
    return _core.Schema(_fields(schema))


def _fields(fields: Any) -> list[tuple[str, str, list[Any]]]:
    return [
        (field.name, "struct", _fields(field.type.fields))
        if pa.types.is_struct(field.type)
        else (field.name, str(field.type), [])
        for field in fields
    ]
