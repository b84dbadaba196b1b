from __future__ import annotations

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

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        with self.open_store(place) as other:
            other._session.execute('ALTER TABLE "SECOND" RENAME TO "AWAY"')
            yield
            other._session.execute('ALTER TABLE "AWAY" RENAME TO "SECOND"')
