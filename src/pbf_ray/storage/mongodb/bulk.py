"""Bulk writes whose documents may be there already; every document is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.mongodb.client import Documents
from pbf_ray.storage.mongodb.failures import is_duplicate_id

__all__ = ["MOST_BYTES", "Encoded", "encoded", "insert", "replace"]

MOST_BYTES: Final = 16 << 20
"""What MongoDB takes as one document."""


class Encoded(NamedTuple):
    """A document as BSON, and its ``_id``, which would have to be looked for in it."""

    id: Any
    raw: RawBSONDocument


def encoded(document: dict[str, Any], *, store: str, what: str, most: int = MOST_BYTES) -> Encoded:
    """A document as BSON.

    Raises:
        StoreContentError: It is larger than MongoDB takes.
    """
    data = bson.encode(document)
    if len(data) > most:
        raise StoreContentError(
            store,
            f"{what} {document['_id']!r} has {len(data)} bytes, MongoDB takes {most}",
            advice="keep large values as blobs and store their key",
        )
    return Encoded(document["_id"], RawBSONDocument(data))


def insert(collection: Documents, documents: Sequence[Encoded]) -> list[Encoded]:
    """Insert documents by ``_id``; gives back those whose ``_id`` was there."""
    return _written(collection, documents, lambda document: InsertOne(document.raw))


def replace(
    collection: Documents,
    documents: Sequence[Encoded],
    condition: Callable[[Any], dict[str, Any]],
    *,
    upsert: bool,
) -> list[Encoded]:
    """Replace documents by ``_id`` where what is there meets a condition.

    Args:
        collection: Where.
        documents: What is to be there, one per ``_id``.
        condition: For an ``_id``, what else the document there has to be; empty for anything.
        upsert: Insert where there is none.

    Returns:
        With ``upsert``: those for which a document is there that does not meet the condition, or
        that came in between.
    """
    return _written(
        collection,
        documents,
        lambda document: ReplaceOne(
            {"_id": document.id, **condition(document.id)}, document.raw, upsert=upsert
        ),
    )


def _written(
    collection: Documents, documents: Sequence[Encoded], operation: Callable[[Encoded], Any]
) -> list[Encoded]:
    if not documents:
        return []
    try:
        collection.bulk_write([operation(document) for document in documents], ordered=False)
    except BulkWriteError as error:
        failures: list[dict[str, Any]] = error.details.get("writeErrors", [])
        others = [failure for failure in failures if not is_duplicate_id(failure)]
        if others or error.details.get("writeConcernErrors"):
            raise BulkWriteError({**error.details, "writeErrors": others}) from error
        return [documents[failure["index"]] for failure in failures]
    return []
