"""Stores made from settings; nothing is opened. One place, one store: routes may share it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pbf_ray.config import Settings
from pbf_ray.errors import SettingError
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.documents import DocumentStore
from pbf_ray.storage.registry import store_class

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pbf_ray.storage.postgres_pool import PostgresAddress

__all__ = ["StoreMakers", "postgres_address"]

_T = TypeVar("_T")


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
            kind: ``sqlite``, ``delta``, ``postgres``, ``mongodb``, ``snowflake`` or ``bigquery``.
            place: Where an embedded store lies below the root, for example ``"research/lake"``.
            setting: Key that names the kind, for messages.

        Raises:
            SettingError: Something that the store needs is not set.
            MissingDependencyError: It needs a package that is not installed.
        """
        build: Any = store_class(kind, source=f"setting {setting}")
        settings = self._settings
        if kind == "sqlite":
            return self._once(kind, place, lambda: build(self._root / f"{place}.sqlite"))
        if kind == "delta":
            compact = settings.stores.compact_files
            return self._once(kind, place, lambda: build(self._root / place, compact_after=compact))
        if kind == "postgres":
            schema = settings.postgres.schema_name
            return self._once(kind, "", lambda: build(postgres_address(settings), schema=schema))
        raise SettingError(setting, "the settings", f"there is no store {kind!r} of tables")

    def documents(self, kind: str, place: str, *, setting: str) -> DocumentStore:
        """A store of documents: ``sqlite``, ``mongodb`` or ``mongodb_atlas``; as :meth:`tables`."""
        if kind == "sqlite":
            from pbf_ray.storage.documents.sqlite import SqliteDocuments

            path = self._root / f"{place}.sqlite"
            return self._once("documents", place, lambda: SqliteDocuments(path))
        raise SettingError(setting, "the settings", f"there is no store {kind!r} of documents")

    def cache(self, kind: str, place: str, *, setting: str) -> CacheStore:
        """A cache: ``sqlite`` or ``redis``; as :meth:`tables`."""
        if kind == "sqlite":
            from pbf_ray.storage.caches.sqlite import SqliteCache

            path = self._root / f"{place}.sqlite"
            return self._once("cache", place, lambda: SqliteCache(path))
        raise SettingError(setting, "the settings", f"there is no cache {kind!r}")

    def blobs(self, kind: str, place: str, *, setting: str) -> BlobStore:
        """A store of blobs: ``folder``, ``local_s3`` or ``aws_s3``; as :meth:`tables`."""
        if kind == "folder":
            from pbf_ray.storage.blobs.folder import FolderBlobs

            path = self._root / "blobs" / place
            return self._once("folder", place, lambda: FolderBlobs(path))
        raise SettingError(setting, "the settings", f"there is no store {kind!r} of blobs")

    @property
    def _root(self) -> Path:
        return self._settings.stores_root

    def _once(self, kind: str, place: str, build: Callable[[], _T]) -> _T:
        if (kind, place) not in self._made:
            self._made[kind, place] = build()
        made: _T = self._made[kind, place]
        return made


def postgres_address(settings: Settings) -> PostgresAddress:
    """Where PostgreSQL is, as the section ``postgres`` says."""
    from pbf_ray.storage.postgres_pool import PostgresAddress

    given = settings.postgres
    return PostgresAddress(
        host=given.host,
        port=given.port,
        database=given.database,
        user=given.user,
        password=revealed(given.password),
        sslmode=given.sslmode,
        sslrootcert=None if given.sslrootcert is None else str(given.sslrootcert),
        pool_size=given.pool_size + given.pool_overflow,
        pool_timeout_s=given.pool_timeout_s,
        pool_recycle_s=given.pool_recycle_s,
    )


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret, for a driver; never for a message."""
    return None if secret is None else secret.get_secret_value()
