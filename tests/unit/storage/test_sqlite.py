from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.contracts import ISPM_ANOMALIES
from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.sqlite import SqliteStore
from support.store_suite import (
    EVERY_TYPE,
    SECOND,
    assert_same_rows,
    fill,
    numbered,
    write,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operational.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path, busy_timeout_s=0.2) as store:
        store.prepare([EVERY_TYPE, SECOND, ISPM_ANOMALIES])
        store.claim("job", 1)
        yield store


def test_any_sql_tool_can_query_the_rows(store: SqliteStore, path: Path) -> None:
    table = fill(
        ISPM_ANOMALIES,
        numbered(ISPM_ANOMALIES, 4),
        temperature=[1712.5, None, float("nan"), float("inf")],
        pressure=[-0.0, 0.95, 1.5, None],
        anomaly_type=["high_temperature", "b", "c", "d"],
        late=[True, False, False, False],
        processing_timestamp=[1_700_000_000_123_456] * 4,
        _metadata=[{"producer_id": "m1", "message_id": None}, None, None, None],
    )
    write(store, [(ISPM_ANOMALIES, table)], epoch=0)
    with closing(sqlite3.connect(path)) as other:
        hot = other.execute(
            "SELECT temperature, pressure, late, _metadata_producer_id, processing_timestamp, "
            "strftime('%Y-%m-%d %H:%M:%f', processing_timestamp) "
            "FROM ispm_anomalies WHERE anomaly_type = 'high_temperature'"
        ).fetchall()
        assert hot == [
            (1712.5, 0.0, 1, "m1", "2023-11-14T22:13:20.123456Z", "2023-11-14 22:13:20.123")
        ]
        assert other.execute("SELECT max(temperature) FROM ispm_anomalies").fetchone() == (
            float("inf"),
        )
        exact = other.execute("SELECT _exact FROM ispm_anomalies ORDER BY anomaly_type").fetchall()
        assert exact == [(None,), ('{"temperature":"NaN"}',), (None,), ('{"pressure":"-0.0"}',)]
    assert_same_rows(store.read(ISPM_ANOMALIES), table, "record_key")


def _count_while_written(path: Path, counts: Any, rows: int) -> None:
    seen = set()
    with closing(sqlite3.connect(path)) as other:
        while max(seen, default=0) < rows:
            seen.add(other.execute("SELECT count(*) FROM every_type").fetchone()[0])
    counts.put(seen)


@pytest.mark.parametrize(
    "asked", ["job_id = 'job' AND epoch > 7", "build_id = 'B' AND layer BETWEEN 3 AND 5"]
)
def test_what_dashboards_ask_for_needs_no_look_at_every_row(
    store: SqliteStore, path: Path, asked: str
) -> None:
    with closing(sqlite3.connect(path)) as other:
        sql = f"EXPLAIN QUERY PLAN SELECT * FROM ispm_anomalies WHERE {asked}"  # noqa: S608
        assert "USING INDEX" in other.execute(sql).fetchone()[3]


def test_other_processes_read_whole_epochs_while_it_writes(store: SqliteStore, path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    counts = context.SimpleQueue()
    reader = context.Process(target=_count_while_written, args=(path, counts, 100 * 60))
    reader.start()
    for epoch in range(60):
        write(store, [(EVERY_TYPE, numbered(EVERY_TYPE, 100, epoch=epoch))], epoch=epoch)
    seen = counts.get()
    reader.join()
    assert {count % 100 for count in seen} == {0}
    assert max(seen) == 6000


def test_first_row_of_an_appended_key_stays(store: SqliteStore) -> None:
    first = numbered(SECOND, 3)
    write(store, [(SECOND, first)], epoch=0)
    assert write(store, [(SECOND, fill(SECOND, first, epoch=1))], epoch=1)
    assert_same_rows(store.read(SECOND), first, "key")


def test_many_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    for attempt in range(10):
        stores = [SqliteStore(tmp_path / f"{attempt}.sqlite") for _ in range(4)]

        def start(store: SqliteStore) -> None:
            with store:
                store.prepare([EVERY_TYPE, SECOND])
                store.claim(store.name, 1)

        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(start, stores))


def test_locked_file_is_transient(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked") as caught:
            write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)
        assert caught.value.code == "SQLITE_BUSY"
        assert store.count(SECOND) == 0
        other.execute("ROLLBACK")
    assert write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)


def test_full_disk_is_transient_and_leaves_no_half_epoch(store: SqliteStore) -> None:
    with store._file.connected() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
    rows = [(SECOND, numbered(SECOND, 10)), (EVERY_TYPE, numbered(EVERY_TYPE, 5000))]
    with pytest.raises(StoreUnavailableError, match="full"):
        write(store, rows, epoch=0)
    assert store.count(SECOND) == 0
    # The store has opened a new connection, which has no such limit.
    assert write(store, rows, epoch=0)
    assert store.count(EVERY_TYPE) == 5000


def test_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"no database, but long enough to have a header" * 100)
    with SqliteStore(path) as store:
        with pytest.raises(StoreContentError, match="not a database"):
            store.check()
        with pytest.raises(StoreContentError, match="not a database"):
            store.count(SECOND)
    assert path.read_bytes().startswith(b"no database")


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="folder cannot be made") as caught:
        SqliteStore(tmp_path / "file" / "x.sqlite").check()
    assert not caught.value.transient
    with pytest.raises(StoreError, match="unable to open") as caught:
        SqliteStore(tmp_path).check()
    assert not caught.value.transient


def test_read_only_file_is_terminal(store: SqliteStore) -> None:
    with store._file.connected() as connection:
        connection.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="readonly") as caught:
        store.claim("job", 2)
    assert not caught.value.transient
    assert "right to write" in caught.value.advice


def test_reading_before_anything_was_written(tmp_path: Path, path: Path) -> None:
    with pytest.raises(StoreContentError, match="no such file"):
        SqliteStore(path).read(SECOND)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(StoreContentError, match="no such table") as caught:
        SqliteStore(path).read(SECOND)
    assert "prepared" in caught.value.advice


def test_file_of_a_newer_version_is_refused(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO pbf_ray_schema VALUES (99)")
    with pytest.raises(StoreContentError, match="its version is 99"):
        store.prepare([SECOND])


def test_what_others_wrote_wrongly_is_named(store: SqliteStore, path: Path) -> None:
    write(store, [(EVERY_TYPE, numbered(EVERY_TYPE, 1))], epoch=0)
    for column, value in (("int8", 300), ("day", "yesterday"), ("flag", 2), ("double", "x")):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            old = other.execute(f"SELECT {column} FROM every_type").fetchone()[0]  # noqa: S608
            other.execute(f"UPDATE every_type SET {column} = ?", (value,))  # noqa: S608
            with pytest.raises(StoreContentError, match=rf"every_type\.{column}"):
                store.read(EVERY_TYPE)
            other.execute(f"UPDATE every_type SET {column} = ?", (old,))  # noqa: S608
    assert store.read(EVERY_TYPE).num_rows == 1


def test_table_without_its_key_is_refused(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TABLE third (key TEXT NOT NULL, job_id TEXT NOT NULL, "
            "epoch INTEGER NOT NULL, _exact TEXT)"
        )
    with pytest.raises(StoreContentError, match=r"key as TEXT NOT NULL, not .* PRIMARY KEY"):
        store.prepare([replace(SECOND, name="third")])


def test_odd_table_names(store: SqliteStore) -> None:
    odd = replace(SECOND, name='drop "table"; x')
    store.prepare([odd])
    table = numbered(odd, 2)
    write(store, [(odd, table)], epoch=0)
    assert_same_rows(store.read(odd), table, "key")
    assert isinstance(store.read(odd), pa.Table)
