from __future__ import annotations

from pathlib import Path

from pbf_ray.storage.caches.sqlite import SqliteCache
from support.cache_suite import CacheSuite


class TestSqliteCache(CacheSuite):
    def open_cache(self, place: Path) -> SqliteCache:
        return SqliteCache(place / "cache.sqlite")
