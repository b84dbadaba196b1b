"""Writers of tables killed at seeded instants, 50 for each store: epochs are whole or not there.

``make chaos`` runs it; ``PBF_RAY_CHAOS_SEED`` chooses the seed, which is shown when it fails, and
``PBF_RAY_CHAOS_ROUNDS`` fewer rounds. MongoDB has a campaign of its own, by commands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pbf_ray.storage.base import TableStore
from pbf_ray.storage.delta import DeltaStore
from pbf_ray.storage.sqlite import SqliteStore
from services.postgres import PostgresServer
from support.databases import await_postgres_calm, postgres_store
from support.store_suite import EVERY_TYPE, SECOND, kill_writers

ROUNDS = int(os.environ.get("PBF_RAY_CHAOS_ROUNDS", "50"))
SEED = int(os.environ.get("PBF_RAY_CHAOS_SEED", "1"))

pytestmark = pytest.mark.timeout(3600)


def _kill(store: TableStore, await_calm: Callable[[], object] = lambda: None) -> None:
    with store:
        store.prepare([EVERY_TYPE, SECOND])
        store.claim("job", 1)
        last = kill_writers(store, ROUNDS, SEED, await_calm)
    print(f"\n{store.name}, seed {SEED}: {ROUNDS} kills, {last + 1} whole epochs")


def test_tables_in_sqlite(tmp_path: Path) -> None:
    _kill(SqliteStore(tmp_path / "tables.sqlite"))


def test_tables_in_a_lake(tmp_path: Path) -> None:
    _kill(DeltaStore(tmp_path / "lake"))


def test_tables_in_postgres(postgres: PostgresServer, tmp_path: Path) -> None:
    _kill(postgres_store(postgres, tmp_path), lambda: await_postgres_calm(postgres))
