"""The suite of all stores for those where a commit takes a second: the same tests, less often.

How values are held is searched without the server, in ``tests/unit/storage/warehouses``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from pbf_ray.storage.base import TableStore
from pbf_ray.storage.warehouses.statements import JOBS_TABLE
from pbf_ray.storage.warehouses.tables import WarehouseTables
from support.store_suite import EVERY_TYPE, StoreSuite, searching, tables

__all__ = ["SlowStoreSuite"]


class SlowStoreSuite(StoreSuite):
    """Inherit in place of ``StoreSuite``."""

    many_epochs: ClassVar[int] = 8
    kill_rounds: ClassVar[int] = 2

    def await_calm(self, place: Path) -> None:
        # What a killed client had sent, the server still carries out; it has one at a time.
        same, before = 0, None
        with self.open_store(place) as other:
            assert isinstance(other, WarehouseTables)
            jobs = f"SELECT * FROM {other._session.dialect.quoted(JOBS_TABLE)}"  # noqa: S608
            while same < 5:
                now = other._session.rows(jobs)
                same = same + 1 if now == before else 0
                before = now
                time.sleep(0.02)

    @searching(3)
    @given(table=tables(EVERY_TYPE, most_rows=40))
    def test_every_value_survives(self, store: TableStore, table: pa.Table) -> None:
        self.every_value_survives(store, table)

    @searching(1)
    @given(data=st.data())
    @example(data=None)
    def test_output_tables_survive(self, store: TableStore, data: Any) -> None:
        self.output_tables_survive(store, data)

    @searching(1)
    @given(first=tables(EVERY_TYPE), second=tables(EVERY_TYPE))
    def test_put_writes_by_key(self, store: TableStore, first: pa.Table, second: pa.Table) -> None:
        self.put_writes_by_key(store, first, second)
