"""Records in Parquet files: raw values, or the fields of the record as columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import METADATA_FIELDS, RECORD_SCHEMA
from pbf_ray.decode import MAX_STRING_BYTES, REJECTS_SCHEMA, DecodeResult
from pbf_ray.errors import InputFileError

__all__ = ["OPTIONAL_FIELDS", "decoded_columns", "parquet_kind"]

OPTIONAL_FIELDS: Final = frozenset({"sensor_id", "_metadata"})
"""Fields of the record that a Parquet file of columns may lack."""

_UNSTORABLE: Final = "unstorable"


def parquet_kind(schema: pa.Schema, url: str) -> Literal["values", "columns"]:
    """What a Parquet file holds, by its columns.

    Raises:
        InputFileError: It holds no records.
    """
    missing = _missing(schema)
    if missing and "value" in schema.names and _is_bytes(schema.field("value").type):
        return "values"
    if missing:
        raise InputFileError(
            url,
            f"holds no records: it has no column {', '.join(missing)}, nor a column value of bytes",
            advice="rename its columns to the fields of the record",
        )
    return "columns"


def decoded_columns(table: pa.Table, url: str) -> DecodeResult:
    """Records whose fields are columns, as the decoder would have given them.

    Strings that no store may hold make a record a dead letter here as well.

    Args:
        table: The columns; other types are cast where every value fits.
        url: Where they come from, for messages.

    Raises:
        InputFileError: A column cannot be cast.
    """
    columns = []
    for field in RECORD_SCHEMA:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table[field.name]
        try:
            columns.append(
                _metadata(column) if field.name == "_metadata" else column.cast(field.type)
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
            raise InputFileError(
                url,
                f"column {field.name} is {column.type}, and not all of it fits {field.type}: "
                f"{str(error).splitlines()[0]}",
                advice="timestamps are seconds since 1970 as numbers",
            ) from error
    records = pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)
    bad = dict(_unstorable(records))
    kept = np.delete(np.arange(records.num_rows), list(bad))
    if bad:
        records = records.take(pa.array(kept))
    rejects = [
        pa.array(sorted(bad), pa.int64()),
        pa.repeat(_UNSTORABLE, len(bad)),
        pa.array([bad[row] for row in sorted(bad)], pa.string()),
    ]
    return DecodeResult(
        table=records,
        rejects=pa.Table.from_arrays(rejects, schema=REJECTS_SCHEMA),
        indices=pa.array(kept, pa.int64()),
        flagged=pa.repeat(False, len(kept)),
        exact=0,
    )


def _missing(schema: pa.Schema) -> list[str]:
    return [
        field.name
        for field in RECORD_SCHEMA
        if field.name not in OPTIONAL_FIELDS and field.name not in schema.names
    ]


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def _metadata(column: pa.ChunkedArray) -> pa.ChunkedArray:
    wanted = RECORD_SCHEMA.field("_metadata").type
    chunks = []
    for chunk in column.chunks:
        fields = [pc.struct_field(chunk, name).cast(pa.string()) for name in METADATA_FIELDS]
        struct = pa.StructArray.from_arrays(
            fields, fields=list(wanted.fields), mask=pc.is_null(chunk)
        )
        chunks.append(struct)
    return pa.chunked_array(chunks, wanted)


def _strings(table: pa.Table) -> Iterator[tuple[str, Any]]:
    for field in table.schema:
        if pa.types.is_string(field.type):
            yield field.name, table[field.name]
        elif pa.types.is_struct(field.type):
            for inner in field.type.fields:
                yield f"{field.name}.{inner.name}", pc.struct_field(table[field.name], inner.name)


def _unstorable(table: pa.Table) -> Iterator[tuple[int, str]]:
    # The first field in the order of the schema names the problem: so it comes last here.
    for name, column in reversed(list(_strings(table))):
        for holds, what in (
            (
                pc.greater(pc.binary_length(column), MAX_STRING_BYTES),
                f"is longer than {MAX_STRING_BYTES} bytes",
            ),
            (pc.match_substring(column, "\x00"), "holds U+0000"),
        ):
            rows = np.flatnonzero(holds.fill_null(False).to_numpy())
            yield from ((row, f"{name} {what}") for row in rows.tolist())
