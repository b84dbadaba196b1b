from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from pbf_ray.storage.postgres import PostgresStore
from services.postgres import PostgresServer
from support.databases import await_postgres_calm, postgres_store, schema_for
from support.store_suite import StoreSuite

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestPostgresStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self.server = postgres

    def open_store(self, place: Path) -> PostgresStore:
        return postgres_store(self.server, place)

    def await_calm(self, place: Path) -> None:
        await_postgres_calm(self.server)

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        schema = sql.Identifier(schema_for(place))
        with self.server.connect() as other:
            other.execute(
                sql.SQL(
                    "CREATE FUNCTION {0}.broken() RETURNS trigger LANGUAGE plpgsql "
                    "AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$; "
                    "CREATE TRIGGER broken BEFORE INSERT ON {0}.second "
                    "FOR EACH ROW EXECUTE FUNCTION {0}.broken()"
                ).format(schema)
            )
            yield
            other.execute(sql.SQL("DROP TRIGGER broken ON {}.second").format(schema))
