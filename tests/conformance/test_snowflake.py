from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbf_ray.storage.warehouses.snowflake import SnowflakeTables
from services.snowflake import SnowflakeServer
from support.databases import snowflake_tables
from support.slow_store_suite import SlowStoreSuite

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestSnowflakeTables(SlowStoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, snowflake_server: SnowflakeServer) -> None:
        self.server = snowflake_server

    def open_store(self, place: Path) -> SnowflakeTables:
        return snowflake_tables(self.server, place)

    def await_calm(self, place: Path) -> None:
        # What a killed client had sent, the server still carries out; it has one at a time.
        jobs, same, before = "SELECT * FROM PBF_RAY_JOBS", 0, None
        with self.open_store(place) as other:
            while same < 5:
                now = other._session.rows(jobs)
                same = same + 1 if now == before else 0
                before = now
                time.sleep(0.02)

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        with self.open_store(place) as other:
            other._session.execute('ALTER TABLE "SECOND" RENAME TO "AWAY"')
            yield
            other._session.execute('ALTER TABLE "AWAY" RENAME TO "SECOND"')
