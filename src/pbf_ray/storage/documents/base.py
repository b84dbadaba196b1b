"""What every store of documents does: JSON objects by collection and id."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

__all__ = ["Document", "DocumentStore", "StoredDocument"]


@dataclass(frozen=True)
class Document:
    """A document to be stored.

    Attributes:
        id: Identifies it in its collection; the same id replaces.
        body: A JSON object: text keys; values are None, bool, int of 64 bits, float (NaN and
            infinities too), text, lists and objects of those.
    """

    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class StoredDocument:
    """A document as it stands in a store.

    Attributes:
        id: Identifies it in its collection.
        body: As it was given; equal to it value by value (1 and 1.0 stay apart).
        stored_at: When this content was written first, UTC.
        source: Who wrote it.
        version: Version of its form, as the writer named it.
    """

    id: str
    body: dict[str, Any]
    stored_at: datetime
    source: str
    version: str


class DocumentStore(abc.ABC):
    """Collections of JSON objects.

    Each document carries ``_metadata`` {stored_at, source, version} where other programs can see
    it. Writing is idempotent: a document that is there with the same body, source and version stays
    as it is, with its ``stored_at``. Rules for subclasses: construct from plain values and open
    connections on first use; leave them out of the pickled state. Errors are those of
    :class:`~pbf_ray.storage.base.TableStore`.

    Attributes:
        name: Kind and place, for example ``mongodb://db.hall-2:27017/pbf_lbm``; never a password.
    """

    name: str

    @abc.abstractmethod
    def check(self) -> None:
        """See that the store can be reached and written.

        Raises:
            StoreUnavailableError: It cannot now, but may later.
            StoreError: It never will without a change.
        """

    @abc.abstractmethod
    def put(
        self, collection: str, documents: Sequence[Document], *, source: str, version: str = "1"
    ) -> None:
        """Write documents by id, in bulk; of two with one id the last counts.

        Raises:
            StoreContentError: The collection's name or a body cannot be stored.
        """

    @abc.abstractmethod
    def get(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        """The documents of these ids that there are, in the order of the ids."""

    @abc.abstractmethod
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
        """Documents in the order of their ids (of their UTF-8 bytes), a batch in memory at a time.

        Args:
            collection: Its name; nothing comes from one that is not there.
            prefix: Only ids that start with it.
            after_id: Only ids behind this one: the next page.
            limit: At most so many.
            since: Stored at this time or later.
            until: Stored before this time.
        """

    @abc.abstractmethod
    def count(self, collection: str) -> int:
        """Number of documents."""

    @abc.abstractmethod
    def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Remove documents; how many there were."""

    @abc.abstractmethod
    def collections(self) -> list[str]:
        """The names of the collections of documents, sorted."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of connections; the store opens them again on use."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
