"""The keys that what is stored gets: by a column, by batch and number, or by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage.routing.files import json_bytes

__all__ = ["KEY_COLUMN", "content_id", "document_id", "file_key", "named", "numbered"]

KEY_COLUMN: Final = "_key"
"""The key of rows that have no column of their own for it."""


def numbered(table: pa.Table, batch: str | None, number: int, rows: int) -> pa.Table:
    """With a column that names each row by its batch and its place in it."""
    if batch is None:
        sink = pa.BufferOutputStream()
        plain = table.replace_schema_metadata(None).combine_chunks()
        with pa.ipc.new_stream(sink, plain.schema) as writer:
            writer.write_table(plain)
        digest = hashlib.sha256(memoryview(sink.getvalue())).hexdigest()[:32]
        names = [f"{digest}/{number}/{row}" for row in range(table.num_rows)]
    else:
        names = [f"{batch}/{row}" for row in range(rows, rows + table.num_rows)]
    field = pa.field(KEY_COLUMN, pa.string(), nullable=False)
    return table.add_column(0, field, pa.array(names, pa.string()))


def content_id(value: Any, *, store: str) -> str:
    """A name that the content gives itself: the same content, the same name."""
    return hashlib.sha256(json_bytes(value, store=store)).hexdigest()[:32]


def document_id(body: Mapping[str, Any], key: str | None, *, store: str) -> str:
    """The id of a document: what stands in its field ``key``, or a name that its content gives.

    Raises:
        StoreContentError: The field has neither text nor a whole number.
    """
    if key is None:
        return content_id(body, store=store)
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise StoreContentError(
            store, f"a document has no text or whole number in {key}, which is to be its id"
        )
    return str(value)


def file_key(kind: str, name: str | None, key: str | None, *, store: str) -> str:
    """Where a thing lies among blobs: blobs at their key, other kinds below their name."""
    if kind == "blob":
        return named(key, "key", store=store)
    if kind == "structured":
        return named(name, "name", store=store) + ".parquet"
    if kind == "cache":
        return f"cache/{named(key, 'key', store=store)}.json"
    return f"{named(name, 'name', store=store)}/{named(key, 'key', store=store)}.json"


def named(value: str | None, what: str, *, store: str) -> str:
    """The value, which must be there.

    Raises:
        StoreError: It is not.
    """
    if not value:
        raise StoreError(
            store, f"no {what} was given", advice=f"pass {what}=..., see StorageRouter.store"
        )
    return value
