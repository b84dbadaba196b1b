"""What users hold as rows (frames, dicts, streams of those), as Arrow tables that stores take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pbf_ray.errors import StoreContentError

__all__ = ["is_rows", "tables_of"]


def is_rows(data: object) -> bool:
    """Whether this is one batch of rows: Arrow, a frame, a dict or a list of dicts."""
    if isinstance(data, (pa.Table, pa.RecordBatch, Mapping)) or hasattr(data, "__arrow_c_stream__"):
        return True
    return isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray))


def tables_of(data: Any, *, store: str) -> Iterator[pa.Table]:
    """The rows as Arrow tables: one, or as many as a stream gives.

    Text columns are ``string``, categories are their values, times with a zone are UTC, and columns
    without any value are left out (a column that a table lacks reads as null).

    Args:
        data: A pyarrow table, batch or reader; a polars or pandas frame (or anything with
            ``__arrow_c_stream__``); a dict (one row); a list of dicts; or an iterable of those. The
            NaN of pandas are nulls, as everywhere in pandas.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: It is none of these, or its values do not make columns.
    """
    if isinstance(data, pa.RecordBatchReader):
        for batch in data:
            yield _plain(pa.Table.from_batches([batch]))
    elif is_rows(data):
        yield _plain(_table(data, store))
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes, bytearray)):
        for one in data:
            yield from tables_of(one, store=store)
    else:
        raise StoreContentError(
            store,
            f"{type(data).__name__} is not rows",
            advice="give an Arrow table, a polars or pandas frame, a dict, a list of dicts, or an "
            "iterable of those; bytes are kind='blob'",
        )


def _table(data: Any, store: str) -> pa.Table:
    try:
        if isinstance(data, pa.Table):
            return data
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        if type(data).__module__.partition(".")[0] == "pandas":
            return pa.Table.from_pandas(data, preserve_index=False)
        if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
        rows = [data] if isinstance(data, Mapping) else list(data)
        strange = next((row for row in rows if not isinstance(row, Mapping)), None)
        if strange is not None:
            raise StoreContentError(
                store, f"a row is {type(strange).__name__}, not a dict of columns"
            )
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
        return pa.table(columns)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise StoreContentError(
            store,
            f"the rows do not make columns: {error}",
            advice="each column needs values of one type; give an Arrow table to say which",
        ) from error


def _plain(table: pa.Table) -> pa.Table:
    fields = []
    for field in table.schema:
        if pa.types.is_null(field.type):
            continue
        fields.append(field.with_type(_plain_type(field.type)))
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, tz="UTC")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    return kind
