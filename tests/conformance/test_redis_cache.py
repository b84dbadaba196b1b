from __future__ import annotations

from pathlib import Path

import pytest

from pbf_ray.storage.caches.redis import RedisCache
from services.redis import RedisServer
from support.cache_suite import CacheSuite
from support.databases import await_redis_calm, redis_cache

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestRedisCache(CacheSuite):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def open_cache(self, place: Path) -> RedisCache:
        return redis_cache(self.server, place)

    def await_calm(self, place: Path) -> None:
        await_redis_calm(self.server)
