from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pbf_ray.storage.sqlite import SqliteStore
from support.store_suite import StoreSuite


class TestSqliteStore(StoreSuite):
    def open_store(self, place: Path) -> SqliteStore:
        return SqliteStore(place / "operational.sqlite")

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        with closing(sqlite3.connect(place / "operational.sqlite")) as other:
            other.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON second "
                "BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
            yield
            other.execute("DROP TRIGGER broken")
