"""Documents in an SQLite file: the body as JSON text, which SQLite's own functions read."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.documents.base import Document, DocumentStore, StoredDocument
from pbf_ray.storage.documents.content import check_collection, checked, digest, next_prefix
from pbf_ray.storage.sqlitefile import SqliteFile

__all__ = ["SqliteDocuments"]

_TABLE: Final = """CREATE TABLE IF NOT EXISTS pbf_ray_documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    _metadata TEXT NOT NULL,
    stored_at TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID"""
_PUT: Final = (
    "INSERT INTO pbf_ray_documents (collection, id, body, _metadata, stored_at, digest) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection, id) DO UPDATE SET "
    "body = excluded.body, _metadata = excluded._metadata, stored_at = excluded.stored_at, "
    "digest = excluded.digest WHERE digest <> excluded.digest"
)
_READ: Final = "SELECT id, body, _metadata FROM pbf_ray_documents WHERE collection = ?"
_IDS_PER_STATEMENT: Final = 500
_PER_FETCH: Final = 1_000


class SqliteDocuments(DocumentStore):
    """Documents in the table ``pbf_ray_documents`` of an SQLite file.

    ``body`` and ``_metadata`` are JSON: ``json_extract(body, '$.layer')``. NaN and the infinities
    stand there as ``NaN`` and ``Infinity``, as Python writes them.

    Args:
        path: The file, which may hold other tables too; its folder is made if need be.
        busy_timeout_s: How long to wait for another writer of the same file.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float = 10.0) -> None:
        self.path = Path(path).absolute()
        self.name = f"sqlite-documents:{self.path}"
        self._file = SqliteFile(self.path, name=self.name, busy_timeout_s=busy_timeout_s)

    def check(self) -> None:
        """Take the write lock of the file and let it go."""
        with self._file.writing() as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def put(
        self, collection: str, documents: Sequence[Document], *, source: str, version: str = "1"
    ) -> None:
        """Write documents in one transaction."""
        check_collection(collection, store=self.name)
        bodies = checked(documents, store=self.name, collection=collection)
        stored_at = datetime.now(UTC).isoformat(timespec="microseconds")
        metadata = json.dumps({"stored_at": stored_at, "source": source, "version": version})
        rows = [
            (collection, id_, json.dumps(body, ensure_ascii=False, separators=(",", ":")),
             metadata, stored_at, digest(body, source, version))
            for id_, body in bodies.items()
        ]  # fmt: skip
        with self._file.writing() as connection:
            connection.execute(_TABLE)
            connection.executemany(_PUT, rows)

    def get(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        """The documents of these ids that there are, from one snapshot per 500."""
        found: dict[str, StoredDocument] = {}
        with self._reading() as connection:
            if connection is None:
                return []
            for start in range(0, len(ids), _IDS_PER_STATEMENT):
                some = ids[start : start + _IDS_PER_STATEMENT]
                rows = connection.execute(
                    f"{_READ} AND id IN ({', '.join('?' * len(some))})", (collection, *some)
                )
                found.update({row[0]: self._document(*row) for row in rows})
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
        """Documents in the order of their ids, from one snapshot of the file."""
        sql, values = _READ, [collection]
        for condition, value in (
            ("id >= ?", prefix or None),
            ("id < ?", next_prefix(prefix)),
            ("id > ?", after_id),
            ("stored_at >= ?", _moment(since)),
            ("stored_at < ?", _moment(until)),
        ):
            if value is not None:
                sql += f" AND {condition}"
                values.append(value)
        sql += " ORDER BY id LIMIT ?"
        with self._reading() as connection:
            if connection is None:
                return
            cursor = connection.execute(sql, (*values, -1 if limit is None else max(limit, 0)))
            while rows := cursor.fetchmany(_PER_FETCH):
                for row in rows:
                    yield self._document(*row)

    def count(self, collection: str) -> int:
        """Number of documents."""
        sql = "SELECT count(*) FROM pbf_ray_documents WHERE collection = ?"
        with self._reading() as connection:
            return int(connection.execute(sql, (collection,)).fetchone()[0]) if connection else 0

    def delete(self, collection: str, ids: Sequence[str]) -> int:
        """Remove documents in one transaction; how many there were."""
        removed = 0
        with self._file.writing() as connection:
            connection.execute(_TABLE)
            for id_ in dict.fromkeys(ids):
                removed += connection.execute(
                    "DELETE FROM pbf_ray_documents WHERE collection = ? AND id = ?",
                    (collection, id_),
                ).rowcount
        return removed

    def collections(self) -> list[str]:
        """The names of the collections that hold documents, sorted."""
        sql = "SELECT DISTINCT collection FROM pbf_ray_documents ORDER BY collection"
        with self._reading() as connection:
            return [row[0] for row in connection.execute(sql)] if connection else []

    def close(self) -> None:
        """Close the writing connection of this process."""
        self._file.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to the file; None while it has no documents."""
        if not self.path.exists():
            yield None
            return
        with self._file.reading() as connection:
            known = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'pbf_ray_documents'"
            ).fetchone()
            yield connection if known else None

    def _document(self, id_: str, body: str, metadata: str) -> StoredDocument:
        try:
            held, about = json.loads(body), json.loads(metadata)
            stored_at = datetime.fromisoformat(about["stored_at"])
            return StoredDocument(id_, held, stored_at, about["source"], about["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreContentError(
                self.name,
                f"document {id_!r} is not ours: {type(error).__name__}: {error}",
                advice="somebody else has written to pbf_ray_documents",
                document=id_,
            ) from error


def _moment(moment: datetime | None) -> Any:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: add tzinfo=UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
