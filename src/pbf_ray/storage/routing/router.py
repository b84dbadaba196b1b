"""The router: what is stored goes where its purpose and kind say, by key, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import pyarrow as pa

from pbf_ray.contracts import OUTPUT_TABLES, TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.documents import Document, DocumentStore, StoredDocument
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from pbf_ray.storage.routing.catalog import catalogued, fitted, register
from pbf_ray.storage.routing.files import (
    JSON_TYPE,
    PARQUET_TYPE,
    json_bytes,
    parquet_chunks,
    rows_of_parquet,
)
from pbf_ray.storage.routing.keys import (
    KEY_COLUMN,
    content_id,
    document_id,
    file_key,
    named,
    numbered,
)
from pbf_ray.storage.routing.routes import Kind, Purpose, Routes
from pbf_ray.storage.routing.tabular import is_rows, tables_of
from pbf_ray.storage.selection import RowSelection

__all__ = ["StorageRouter", "Stored"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Stored:
    """What was stored, and where.

    Attributes:
        store: Name of the store.
        name: Of the table or collection; the key of a cached value or a blob.
        items: Rows, documents, values or blobs that were given.
    """

    store: str
    name: str
    items: int


class StorageRouter:
    """One way to store and read, whatever the store.

    Every write is by key, and safe to repeat: what a crash or an error has left half done, the same
    call completes. Transient errors are retried.

    Args:
        routes: The stores.
        retry: How long to retry a store that does not answer.
    """

    def __init__(self, routes: Routes, *, retry: RetryPolicy | None = None) -> None:
        self.routes = routes
        self._retry = retry or RetryPolicy()

    def store(
        self,
        data: Any,
        *,
        purpose: Purpose,
        kind: Kind = "structured",
        name: str | None = None,
        key: str | None = None,
        batch: str | None = None,
        source: str = "pbf_ray",
        version: str = "1",
        ttl_s: float | None = None,
        content_type: str | None = None,
    ) -> Stored:
        """Store data where its purpose and kind say.

        Args:
            data: Rows (an Arrow table, a polars or pandas frame, a dict, a list of dicts, or a
                stream of those); for ``cache`` and ``blob`` also bytes, text, a stream of bytes.
            purpose: ``operational``, ``analytics``, ``ml_training`` or ``research``.
            kind: ``structured`` (a table), ``document`` (JSON objects), ``cache`` or ``blob``.
            name: The table or the collection.
            key: Of tables and documents: the column that identifies a row, a stored row of the
                same key is replaced; without it, rows are told apart by their batch and number. Of
                cached values and blobs: their key.
            batch: Names these rows where no column does: the same batch is stored once. Without
                it, the content names itself.
            source: Who writes a document.
            version: Version of a document's form.
            ttl_s: How long a cached value lives, in seconds.
            content_type: Media type of a blob.

        Returns:
            Where it went.

        Raises:
            SettingError: No store takes this.
            StoreContentError: The data does not fit; nothing was written (of a stream: nothing of
                the part that does not fit).
            StoreUnavailableError: A store does not answer, and did not for the time of the retries.
            StoreError: A store refuses.
        """
        store = self.routes.find(purpose, kind)
        if isinstance(store, TableStore):
            return self._put_rows(store, data, named(name, "name", store=store.name), key, batch)
        if isinstance(store, DocumentStore):
            collection = named(name, "name", store=store.name)
            return self._put_documents(store, data, collection, key, source, version)
        if isinstance(store, CacheStore):
            return self._put_value(store, data, named(key, "key", store=store.name), ttl_s)
        return self._put_blob(store, data, kind, name, key, content_type)

    def read(
        self,
        *,
        purpose: Purpose,
        kind: Kind = "structured",
        name: str | None = None,
        key: str | None = None,
        keys: Sequence[str] | None = None,
        selection: RowSelection | None = None,
        columns: Sequence[str] | None = None,
    ) -> Any:
        """Read what was stored.

        Args:
            purpose: As it was stored.
            kind: As it was stored.
            name: The table or the collection.
            key: Of a cached value or a blob.
            keys: Only the documents of these ids, in this order.
            selection: Only these rows of a table.
            columns: Only these columns of a table.

        Returns:
            A pyarrow table (``structured``), a list of ``StoredDocument``, bytes (``blob``), or
            bytes or None (``cache``).

        Raises:
            StoreContentError: There is no such thing.
            StoreError: As :meth:`store`.
        """
        store = self.routes.find(purpose, kind)
        if isinstance(store, TableStore):
            table = named(name, "name", store=store.name)
            return self._retried(self._table, store, table, selection, columns)
        if isinstance(store, DocumentStore):
            collection = named(name, "name", store=store.name)
            return self._retried(_documents, store, collection, keys)
        if isinstance(store, CacheStore):
            wanted = named(key, "key", store=store.name)
            return self._retried(store.get, [wanted]).get(wanted)
        blob = file_key(kind, name, key, store=store.name)
        content = self._retried(store.get, blob)
        if kind == "structured":
            return rows_of_parquet(content, None if columns is None else list(columns))
        return content

    def scan(
        self,
        *,
        purpose: Purpose,
        name: str,
        selection: RowSelection | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table as batches; as :meth:`read`, with a batch in memory at a time."""
        store = self.routes.find(purpose, "structured")
        if isinstance(store, TableStore):
            contract = self._retried(_contract, store, name)
            yield from store.scan(contract, selection, columns=columns)
        else:
            yield from self.read(
                purpose=purpose, name=name, selection=selection, columns=columns
            ).to_batches()

    def close(self) -> None:
        """Close all stores."""
        self.routes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ---------------------------------------------------------------------------

    def _put_rows(
        self, store: TableStore, data: Any, name: str, key: str | None, batch: str | None
    ) -> Stored:
        if name in OUTPUT_TABLES:
            raise StoreContentError(
                store.name,
                f"{name} is written by jobs, with their epochs",
                advice="take another name; reading it is fine",
                table=name,
            )
        rows = 0
        contract: TableContract | None = None
        for number, table in enumerate(tables_of(data, store=store.name)):
            keyed = table if key is not None else numbered(table, batch, number, rows)
            wanted = key or KEY_COLUMN
            if contract is None or not _covers(contract, keyed.schema):
                contract = self._retried(register, store, name, wanted, keyed.schema)
            ready = fitted(contract, keyed, store=store.name)
            self._retried(store.put, contract, ready)
            rows += table.num_rows
        return Stored(store.name, name, rows)

    def _put_documents(
        self,
        store: DocumentStore,
        data: Any,
        collection: str,
        key: str | None,
        source: str,
        version: str,
    ) -> Stored:
        written = 0
        for bodies in _bodies(data, store.name):
            documents = [
                Document(document_id(body, key, store=store.name), body) for body in bodies
            ]
            self._retried(store.put, collection, documents, source=source, version=version)
            written += len(documents)
        return Stored(store.name, collection, written)

    def _put_value(self, store: CacheStore, data: Any, key: str, ttl_s: float | None) -> Stored:
        value = _bytes_of(data, store.name)
        self._retried(store.put, {key: value}, ttl_s=ttl_s)
        return Stored(store.name, key, 1)

    def _put_blob(
        self,
        store: BlobStore,
        data: Any,
        kind: Kind,
        name: str | None,
        key: str | None,
        content_type: str | None,
    ) -> Stored:
        if kind == "document" and key is None:
            key = content_id(data, store=store.name)
        place = file_key(kind, name, key, store=store.name)
        if kind == "structured" or (kind == "blob" and _is_frame(data)):
            tables = list(tables_of(data, store=store.name)) if is_rows(data) else None
            rows = 0

            def counted() -> Iterator[pa.Table]:
                nonlocal rows
                for table in tables if tables is not None else tables_of(data, store=store.name):
                    rows += table.num_rows
                    yield table

            def write() -> None:
                nonlocal rows
                rows = 0
                chunks = parquet_chunks(counted(), store=store.name)
                store.put(place, chunks, content_type=content_type or PARQUET_TYPE)

            # A stream can be read once: there is nothing to repeat.
            if tables is None:
                write()
            else:
                self._retried(write)
            return Stored(store.name, place, rows)
        if isinstance(data, Iterable) and not isinstance(
            data, (bytes, bytearray, memoryview, str, Mapping, Sequence)
        ):
            given = content_type or "application/octet-stream"
            store.put(place, data, content_type=given)
            return Stored(store.name, place, 1)
        content = _bytes_of(data, store.name)
        binary = isinstance(data, (bytes, bytearray, memoryview))
        given = content_type or ("application/octet-stream" if binary else JSON_TYPE)
        self._retried(store.put, place, content, content_type=given)
        return Stored(store.name, place, 1)

    # -- reading ---------------------------------------------------------------------------

    @staticmethod
    def _table(
        store: TableStore,
        name: str,
        selection: RowSelection | None,
        columns: Sequence[str] | None,
    ) -> pa.Table:
        contract = _contract(store, name)
        if selection is None:
            return store.read(contract, columns=columns)
        batches = list(store.scan(contract, selection, columns=columns))
        if batches:
            return pa.Table.from_batches(batches)
        return store.read(contract, columns=columns, limit=0)

    def _retried(self, call: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        return retry_transient(lambda: call(*arguments, **named), self._retry)


def _contract(store: TableStore, name: str) -> TableContract:
    known = OUTPUT_TABLES.get(name) or catalogued(store, name)
    if known is None:
        raise StoreContentError(
            store.name,
            f"there is no table {name}",
            advice="store something there first, or see pbf_ray_catalog for the tables",
            table=name,
        )
    return known


def _covers(contract: TableContract, schema: pa.Schema) -> bool:
    names = contract.schema.names
    return all(
        field.name in names and contract.schema.field(field.name).type == field.type
        for field in schema
    )


def _bodies(data: Any, store: str) -> Iterator[list[dict[str, Any]]]:
    if isinstance(data, Mapping):
        yield [dict(data)]
    elif isinstance(data, Sequence) and all(isinstance(one, Mapping) for one in data):
        yield [dict(one) for one in data]
    else:
        for table in tables_of(data, store=store):
            yield table.to_pylist()


def _documents(
    store: DocumentStore, collection: str, keys: Sequence[str] | None
) -> list[StoredDocument]:
    if keys is None:
        return list(store.scan(collection))
    return store.get(collection, keys)


def _bytes_of(data: Any, store: str) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        return data.encode()
    return json_bytes(data, store=store)


def _is_frame(data: Any) -> bool:
    return isinstance(data, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)) or hasattr(
        data, "__arrow_c_stream__"
    )
