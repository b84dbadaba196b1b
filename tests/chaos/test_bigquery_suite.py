"""The whole suite of stores on the emulator of BigQuery, which takes it too long for CI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbf_ray.storage.warehouses.bigquery import BigQueryTables
from services.bigquery import BigQueryServer
from support.databases import bigquery_tables
from support.slow_store_suite import SlowStoreSuite

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestBigQueryTables(SlowStoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, bigquery_server: BigQueryServer) -> None:
        self.server = bigquery_server

    def open_store(self, place: Path) -> BigQueryTables:
        return bigquery_tables(self.server, place)

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        # The emulator renames a table and then does not find it.
        with self.open_store(place) as other:
            other._session.execute("CREATE TABLE `away` AS SELECT * FROM `second`")
            other._session.execute("DROP TABLE `second`")
            yield
            other._session.execute("CREATE TABLE `second` AS SELECT * FROM `away`")
