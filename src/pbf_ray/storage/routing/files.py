"""Rows and objects as files for stores of blobs: Parquet and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.errors import StoreContentError

__all__ = ["JSON_TYPE", "PARQUET_TYPE", "json_bytes", "parquet_chunks", "rows_of_parquet"]

JSON_TYPE: Final = "application/json"
PARQUET_TYPE: Final = "application/vnd.apache.parquet"


class _Drained:
    """A file to write to, whose bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is held back."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """It has no end of its own."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def parquet_chunks(tables: Iterable[pa.Table], *, store: str) -> Iterator[bytes]:
    """One Parquet file of all tables, in pieces; a table in memory at a time.

    Args:
        tables: The first gives the columns; later ones may lack some, and have no others.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: A table does not fit the first.
    """
    sink = _Drained()
    writer: pq.ParquetWriter | None = None
    for table in tables:
        if writer is None:
            schema = table.schema.remove_metadata()
            writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd")
        writer.write_table(_fitted(table, schema, store))
        if part := sink.take():
            yield part
    if writer is None:
        raise StoreContentError(store, "a stream without any table has no columns to write")
    writer.close()
    yield sink.take()


def rows_of_parquet(content: bytes, columns: list[str] | None = None) -> pa.Table:
    """The rows of a file that :func:`parquet_chunks` made."""
    return pq.read_table(pa.BufferReader(content), columns=columns)


def json_bytes(value: Any, *, store: str) -> bytes:
    """An object as strict JSON text (UTF-8).

    Raises:
        StoreContentError: It has what JSON has not: NaN, infinities, other types.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreContentError(
            store,
            f"the value is not JSON: {error}",
            advice="store rows as kind='structured', which keeps NaN, or bytes of your own",
        ) from error


def _fitted(table: pa.Table, schema: pa.Schema, store: str) -> pa.Table:
    strange = [name for name in table.schema.names if name not in schema.names]
    columns = []
    try:
        for field in schema:
            if field.name in table.schema.names:
                columns.append(table.column(field.name).cast(field.type))
            else:
                columns.append(pa.nulls(table.num_rows, field.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        strange.append(f"{field.name} ({error})")
    if strange:
        raise StoreContentError(
            store,
            f"a table of the stream does not fit the first: {', '.join(strange)}",
            advice="a file has the columns of its first table",
        )
    return pa.Table.from_arrays(columns, schema=schema)
