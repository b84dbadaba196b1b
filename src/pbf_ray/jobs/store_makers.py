"""Stores made from settings; nothing is opened. One place, one store: routes may share it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from pbf_ray.config import Settings
from pbf_ray.jobs.store_addresses import (
    aws_s3_address,
    bigquery_address,
    local_s3_address,
    mongodb_address,
    mongodb_atlas_address,
    postgres_address,
    redis_address,
    snowflake_address,
)
from pbf_ray.optional import require
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.documents import DocumentStore
from pbf_ray.storage.registry import store_class

__all__ = ["StoreMakers"]

_T = TypeVar("_T")

_ADDRESSES: Final[dict[str, Callable[[Settings], Any]]] = {
    "bigquery": bigquery_address,
    "mongodb": mongodb_address,
    "mongodb_atlas": mongodb_atlas_address,
    "snowflake": snowflake_address,
}


class StoreMakers:
    """Makes the stores that settings name.

    Args:
        settings: All settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, str], Any] = {}

    def tables(self, kind: str, place: str, *, setting: str) -> TableStore:
        """A store of tables.

        Args:
            kind: ``sqlite``, ``delta``, ``postgres``, ``snowflake``, ``bigquery``, ``mongodb`` or
                ``mongodb_atlas``.
            place: Where an embedded store lies below the root, for example ``"research/lake"``.
            setting: Key that names the kind, for messages.

        Raises:
            SettingError: Something that the store needs is not set, or there is no such store.
            MissingDependencyError: It needs a package that is not installed.
        """
        settings = self._settings
        build: Callable[..., TableStore] = store_class(
            "mongodb" if kind == "mongodb_atlas" else kind, source=f"setting {setting}"
        )
        if kind == "sqlite":
            return self._once(kind, place, lambda: build(self._root / f"{place}.sqlite"))
        if kind == "delta":
            compact = settings.stores.compact_files
            return self._once(kind, place, lambda: build(self._root / place, compact_after=compact))
        if kind == "postgres":
            schema = settings.postgres.schema_name
            return self._once(kind, "", lambda: build(postgres_address(settings), schema=schema))
        address = _ADDRESSES[kind]
        return self._once(kind, "tables", lambda: build(address(settings)))

    def documents(self, kind: str, place: str, *, setting: str) -> DocumentStore:
        """A store of documents: ``sqlite``, ``mongodb`` or ``mongodb_atlas``; as :meth:`tables`."""
        if kind == "sqlite":
            from pbf_ray.storage.documents.sqlite import SqliteDocuments

            path = self._root / f"{place}.sqlite"
            return self._once("documents", place, lambda: SqliteDocuments(path))
        require("pymongo", extra="mongodb", purpose=f"setting {setting}")
        from pbf_ray.storage.documents.mongodb import MongoDocuments

        address = mongodb_address if kind == "mongodb" else mongodb_atlas_address
        return self._once(kind, "documents", lambda: MongoDocuments(address(self._settings)))

    def cache(self, kind: str, place: str, *, setting: str) -> CacheStore:
        """A cache: ``sqlite`` or ``redis``; as :meth:`tables`."""
        ttl_s = self._settings.redis.ttl_s
        if kind == "sqlite":
            from pbf_ray.storage.caches.sqlite import SqliteCache

            path = self._root / f"{place}.sqlite"
            return self._once("cache", place, lambda: SqliteCache(path, ttl_s=ttl_s))
        require("redis", extra="redis", purpose=f"setting {setting}")
        from pbf_ray.storage.caches.redis import RedisCache

        return self._once(kind, "", lambda: RedisCache(redis_address(self._settings), ttl_s=ttl_s))

    def blobs(self, kind: str, place: str, *, setting: str) -> BlobStore:
        """A store of blobs: ``folder``, ``local_s3`` or ``aws_s3``; as :meth:`tables`.

        ``place`` is a folder below ``blobs``, or the prefix of all keys in the bucket.
        """
        if kind == "folder":
            from pbf_ray.storage.blobs.folder import FolderBlobs

            path = self._root / "blobs" / place
            return self._once("folder", place, lambda: FolderBlobs(path))
        require("s3fs", extra="s3", purpose=f"setting {setting}")
        from pbf_ray.storage.blobs.s3 import S3Blobs

        address = local_s3_address if kind == "local_s3" else aws_s3_address
        return self._once(kind, place, lambda: S3Blobs(address(self._settings, place)))

    @property
    def _root(self) -> Path:
        return self._settings.stores_root

    def _once(self, kind: str, place: str, build: Callable[[], _T]) -> _T:
        if (kind, place) not in self._made:
            self._made[kind, place] = build()
        made: _T = self._made[kind, place]
        return made
