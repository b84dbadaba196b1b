from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from pbf_ray.storage.caches.redis import RedisCache
from services.redis import RedisServer
from support.cache_suite import CacheSuite
from support.databases import redis_cache

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestRedisCache(CacheSuite):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def open_cache(self, place: Path) -> RedisCache:
        return redis_cache(self.server, place)

    def await_calm(self, place: Path) -> None:
        # What a client had sent before it was killed is still carried out; then Redis hangs up.
        deadline = time.monotonic() + 60
        with self.server.connect() as other:
            while True:
                mine = {str(one.laddr.port) for one in psutil.Process().net_connections()}
                names = {
                    client["addr"].rpartition(":")[2]
                    for client in other.client_list()
                    if client["name"] == "pbf_ray"
                }
                if names <= mine:
                    return
                assert time.monotonic() < deadline
                time.sleep(0.005)
