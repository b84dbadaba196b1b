"""Documents in MongoDB, as themselves: their fields are fields, ``_metadata`` stands beside.

A document is ``{_id, <fields of the body>, _metadata: {stored_at, source, version, digest}}``, so
that other programs query it as they always did. Field names that MongoDB cannot hold, or that
mean something else here, are escaped (``pbf_ray.storage.mongodb.names``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.documents.base import Document, DocumentStore, StoredDocument
from pbf_ray.storage.documents.content import check_collection, checked, digest, next_prefix
from pbf_ray.storage.mongodb.bulk import Encoded, encoded, insert, replace
from pbf_ray.storage.mongodb.catalogue import (
    check_writing,
    document_collections,
    note_documents,
)
from pbf_ray.storage.mongodb.client import Documents, MongoAddress, MongoConnection
from pbf_ray.storage.mongodb.names import escape_body, unescape_body

__all__ = ["MongoDocuments"]

_TAKEN: Final = frozenset({"_id", "_metadata"})
_IDS_PER_QUERY: Final = 1_000
_PER_BATCH: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MongoDocuments(DocumentStore):
    """Documents in the collections of a database.

    A put is not one transaction: where it is interrupted, some documents are there, and the same
    put again completes it. Each document is whole at any time.

    Args:
        address: The database.
    """

    def __init__(self, address: MongoAddress) -> None:
        self.name = f"mongodb-documents://{address.place}"
        self._connection = MongoConnection(address, name=self.name)
        self._noted: set[str] = set()

    def check(self) -> None:
        """Write a document and remove it."""
        with self._connection.database() as database:
            check_writing(database)

    def put(
        self, collection: str, documents: Sequence[Document], *, source: str, version: str = "1"
    ) -> None:
        """Write documents in bulk; what is there with another content is replaced."""
        check_collection(collection, store=self.name)
        bodies = checked(documents, store=self.name, collection=collection)
        now = (datetime.now(UTC) - _EPOCH) // timedelta(milliseconds=1)
        digests: dict[str, str] = {}
        given: list[Encoded] = []
        for id_, body in bodies.items():
            digests[id_] = digest(body, source, version)
            metadata = {
                "stored_at": DatetimeMS(now),
                "source": source,
                "version": version,
                "digest": digests[id_],
            }
            document = {"_id": id_, **escape_body(body, _TAKEN), "_metadata": metadata}
            given.append(encoded(document, store=self.name, what=f"document of {collection}"))
        with self._connection.database() as database:
            if collection not in self._noted:
                note_documents(database, collection, store=self.name)
                self._noted.add(collection)
            _put(database[collection], given, digests)

    def get(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        """The documents of these ids that there are."""
        found: dict[str, StoredDocument] = {}
        with self._connection.database() as database:
            for start in range(0, len(ids), _IDS_PER_QUERY):
                some = list(ids[start : start + _IDS_PER_QUERY])
                for document in database[collection].find({"_id": {"$in": some}}):
                    stored = self._stored(document)
                    found[stored.id] = stored
        return [found[id_] for id_ in ids if id_ in found]

    def scan(
        self,
        collection: str,
        *,
        prefix: str = "",
        after_id: str | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[StoredDocument]:
        """Documents in the order of their ids, while the server sends them."""
        ids: dict[str, Any] = {"$gte": prefix}
        if (end := next_prefix(prefix)) is not None:
            ids["$lt"] = end
        if after_id is not None:
            ids["$gt"] = after_id
        stored: dict[str, Any] = {}
        for comparison, moment in (("$gte", since), ("$lt", until)):
            if moment is not None:
                stored[comparison] = _moment(moment)
        if limit is not None and limit <= 0:
            return
        query = {"_id": ids, **({"_metadata.stored_at": stored} if stored else {})}
        with self._connection.database() as database:
            found = database[collection].find(query).sort("_id", 1).batch_size(_PER_BATCH)
            with found if limit is None else found.limit(limit) as cursor:
                for document in cursor:
                    yield self._stored(document)

    def count(self, collection: str) -> int:
        """Number of documents."""
        with self._connection.database() as database:
            return database[collection].count_documents({})

    def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Remove documents; how many there were."""
        removed = 0
        with self._connection.database() as database:
            for start in range(0, len(ids), _IDS_PER_QUERY):
                some = list(ids[start : start + _IDS_PER_QUERY])
                removed += database[collection].delete_many({"_id": {"$in": some}}).deleted_count
        return removed

    def collections(self) -> list[str]:
        """The names of the collections that documents were put into, sorted."""
        with self._connection.database() as database:
            there = set(database.list_collection_names())
            return [name for name in document_collections(database) if name in there]

    def close(self) -> None:
        """Close the connections of this process."""
        self._connection.close()

    def _stored(self, document: dict[str, Any]) -> StoredDocument:
        id_ = document.pop("_id", None)
        try:
            about = document.pop("_metadata")
            stored_at = _EPOCH + timedelta(milliseconds=int(about["stored_at"]))
            return StoredDocument(
                id_, unescape_body(document), stored_at, about["source"], about["version"]
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StoreContentError(
                self.name,
                f"document {id_!r} is not ours: {type(error).__name__}: {error}",
                advice="somebody else has written to the collection",
            ) from error


def _put(collection: Documents, given: Sequence[Encoded], digests: dict[str, str]) -> None:
    """Insert what is new, replace what is there with another digest; others may write as well."""
    for start in range(0, len(given), _IDS_PER_QUERY):
        some = given[start : start + _IDS_PER_QUERY]
        there = {
            found["_id"]: found.get("_metadata", {}).get("digest")
            for found in collection.find(
                {"_id": {"$in": [document.id for document in some]}}, {"_metadata.digest": 1}
            )
        }
        changed = insert(collection, [one for one in some if one.id not in there])
        changed += [one for one in some if there.get(one.id, digests[one.id]) != digests[one.id]]
        # If somebody else was first with the same content, that one is a duplicate, and stays.
        replace(
            collection,
            changed,
            lambda id_: {"_metadata.digest": {"$ne": digests[id_]}},
            upsert=True,
        )


def _moment(moment: datetime) -> DatetimeMS:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: add tzinfo=UTC")
    # What is stored are whole milliseconds: the first one at or after the moment.
    return DatetimeMS(-((_EPOCH - moment) // timedelta(milliseconds=1)))
