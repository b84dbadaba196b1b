from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from support.store_suite import StoreSuite

from pbf_ray.storage.sqlite import SqliteStore


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
