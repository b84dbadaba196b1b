"""Snowflake and BigQuery beside what all stores pass: zombies, widening, outages, the router."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.config import Settings
from pbf_ray.errors import FencedError, StoreContentError, StoreUnavailableError
from pbf_ray.jobs.store_checks import check_stores
from pbf_ray.jobs.stores import storage_router
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from pbf_ray.storage.warehouses.snowflake import SnowflakeTables
from pbf_ray.storage.warehouses.tables import WarehouseTables
from services.bigquery import BigQueryServer
from services.snowflake import SnowflakeServer
from support.databases import bigquery_tables, snowflake_tables
from support.store_suite import SECOND, assert_same_rows, fill, numbered, write

REPLACED = replace(SECOND, name="replaced", changes="upsert")
KEYS = ["k0", "k1"]


@pytest.fixture
def store(snowflake_server: SnowflakeServer, tmp_path: Path) -> Iterator[SnowflakeTables]:
    with snowflake_tables(snowflake_server, tmp_path) as store:
        store.prepare([SECOND, REPLACED])
        store.claim("job", 1)
        yield store


def rows(epoch: int) -> list[tuple[Any, pa.Table]]:
    return [
        (SECOND, numbered(SECOND, 2, epoch=epoch)),
        (REPLACED, fill(REPLACED, numbered(REPLACED, 2, epoch=epoch), key=KEYS)),
    ]


@pytest.mark.parametrize("cleared", [False, True])
def test_a_run_that_was_fenced_off_in_the_middle_harms_nothing(
    store: SnowflakeTables,
    snowflake_server: SnowflakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cleared: bool,
) -> None:
    """It has decided an epoch, sleeps, and merges its rows when newer runs are far ahead."""
    write(store, rows(0), epoch=0)
    zombie: SnowflakeTables = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    reached, go_on = Event(), Event()
    real, drop = zombie._session.execute, zombie._drop

    def execute(statement: str, *given: Any) -> int:
        if statement.startswith('MERGE INTO "REPLACED"') and not reached.is_set():
            reached.set()
            assert go_on.wait(120)
        return real(statement, *given)

    monkeypatch.setattr(zombie._session, "execute", execute)
    with (
        ThreadPoolExecutor(1) as pool,
        snowflake_tables(snowflake_server, tmp_path) as newer,
    ):
        late = pool.submit(write, zombie, rows(1), epoch=1)
        assert reached.wait(120)
        # What it reads from stays, as if its statement had begun before that was dropped.
        monkeypatch.setattr(WarehouseTables, "_drop", lambda *_: None)
        newer.prepare([SECOND, REPLACED])
        assert newer.committed_epoch("job") == 0, "it is not applied as a whole"
        assert newer.count(SECOND) == 2, "and not shown in part"
        newer.claim("job", 2)
        wanted = [part for epoch in (0, 1, 2) for part in rows(epoch)[:1]]
        if cleared:
            newer.clear("job", 2)
            assert newer.count(SECOND) == newer.count(REPLACED) == 0
            wanted = wanted[1:]
        assert write(newer, rows(1), epoch=1, incarnation=2)
        assert write(newer, rows(2), epoch=2, incarnation=2)
        go_on.set()
        with pytest.raises(FencedError):
            late.result(120)
        monkeypatch.setattr(WarehouseTables, "_drop", drop.__func__)
        assert_same_rows(newer.read(SECOND), pa.concat_tables([part for _, part in wanted]), "key")
        assert_same_rows(newer.read(REPLACED), rows(2)[1][1], "key")
        zombie.close()
        newer.claim("job", 3)
        assert newer._found("pbf_ray_staged_") == [], "what nobody needs is removed by a claim"


def test_a_newer_run_that_removes_what_is_being_staged_fences_off(
    store: SnowflakeTables,
    snowflake_server: SnowflakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = store._session.execute

    def execute(statement: str, *given: Any) -> int:
        done = real(statement, *given)
        if statement.startswith("CREATE") and "STAGED" in statement.upper():
            with snowflake_tables(snowflake_server, tmp_path) as newer:
                newer.prepare([SECOND, REPLACED])
                newer.claim("job", 2)
        return done

    monkeypatch.setattr(store._session, "execute", execute)
    with pytest.raises(FencedError):
        write(store, rows(0), epoch=0)
    assert store.count(SECOND) == 0


def test_a_pending_epoch_is_finished_as_it_was_decided_by_a_wider_table(
    store: SnowflakeTables, snowflake_server: SnowflakeServer, tmp_path: Path
) -> None:
    decided = numbered(SECOND, 3, epoch=7)

    def dies(*_: Any) -> bool:
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_apply", dies)
        with pytest.raises(Died):
            write(store, [(SECOND, decided)], epoch=7)
    assert (store.committed_epoch("job"), store.count(SECOND)) == (None, 0)
    added = pa.field("added", pa.string())
    wider = replace(SECOND, schema=SECOND.schema.append(added))
    with snowflake_tables(snowflake_server, tmp_path) as newer:
        newer.prepare([wider, REPLACED])
        newer.claim("job", 2)
        assert write(newer, [(wider, numbered(wider, 5, epoch=7))], epoch=7, incarnation=2)
        wanted = decided.append_column(added, pa.nulls(3, pa.string()))
        assert_same_rows(newer.read(wider), wanted, "key")


class Died(BaseException):
    """The end of a process, at a statement."""


def dying_at(store: SnowflakeTables, number: int, *, carried_out: bool) -> None:
    """Let every call of the store end at its n-th statement, before or after it is done."""
    left = [number]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0 and not (carried_out and left[0] == 0):
                raise Died
            answer = real(*given)
            if left[0] == 0:
                raise Died
            return answer

        return call

    for name in ("execute", "rows", "load"):
        setattr(store._session, name, counted(getattr(store._session, name)))


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_seeded_statements(
    store: SnowflakeTables, snowflake_server: SnowflakeServer, tmp_path: Path, seed: int
) -> None:
    """Three runs die one after the other somewhere within one epoch; the fourth finishes it."""
    chance = random.Random(seed)
    write(store, rows(0), epoch=0)
    for run in (2, 3, 4):
        with snowflake_tables(snowflake_server, tmp_path) as other:
            other.prepare([SECOND, REPLACED])
            other.claim("job", run)
            # A commit of two tables is some fifteen statements.
            dying_at(other, chance.randint(1, 15), carried_out=chance.random() < 0.5)
            with suppress(Died):
                write(other, rows(1), epoch=1, incarnation=run)
    store.claim("job", 5)
    write(store, rows(1), epoch=1, incarnation=5)
    assert store.committed_epoch("job") == 1
    wanted = pa.concat_tables([rows(0)[0][1], rows(1)[0][1]])
    assert_same_rows(store.read(SECOND), wanted, "key")
    assert_same_rows(store.read(REPLACED), rows(1)[1][1], "key")
    store.claim("job", 6)
    assert store._found("pbf_ray_staged_") == []


def test_a_table_of_somebody_else_is_left_alone(store: SnowflakeTables) -> None:
    store._session.execute("CREATE TABLE THIRD (X NUMBER)")
    with pytest.raises(StoreContentError, match="none of ours"):
        store.prepare([replace(SECOND, name="third")])
    store._session.execute("ALTER TABLE SECOND ADD COLUMN MINE VARCHAR")
    with pytest.raises(StoreContentError, match="unknown column mine"):
        store.prepare([SECOND])


def test_a_server_that_was_away_is_transient_and_loses_nothing(
    own_snowflake_server: SnowflakeServer, tmp_path: Path
) -> None:
    with snowflake_tables(own_snowflake_server, tmp_path, timeout_s=2.0) as store:
        store.prepare([SECOND])
        store.claim("job", 1)
        assert write(store, [(SECOND, numbered(SECOND, 2))], epoch=0)
        store.close()
        own_snowflake_server.kill()
        second = [(SECOND, numbered(SECOND, 2, epoch=1))]
        with pytest.raises(StoreUnavailableError) as caught:
            write(store, second, epoch=1)
        assert "not looked at" not in f"{caught.value!r} {caught.value} {caught.value.__dict__}"
        assert caught.value.__cause__ is None
        own_snowflake_server.start()
        assert retry_transient(lambda: write(store, second, epoch=1), RetryPolicy(limit_s=60))
        assert (store.committed_epoch("job"), store.count(SECOND)) == (1, 4)


def test_a_table_lives_in_bigquery(bigquery_server: BigQueryServer, tmp_path: Path) -> None:
    """Much of what the suite of all stores asks, in few statements: the server is slow."""
    with bigquery_tables(bigquery_server, tmp_path) as store:
        store.check()
        store.prepare([SECOND, REPLACED])
        store.claim("job", 1)
        assert write(store, rows(0), epoch=0)
        assert not write(store, rows(0), epoch=0)
        assert write(store, rows(1), epoch=1)
        wanted = pa.concat_tables([rows(0)[0][1], rows(1)[0][1]])
        assert_same_rows(store.read(SECOND, job_id="job"), wanted, "key")
        assert_same_rows(store.read(REPLACED), rows(1)[1][1], "key")
        store.claim("job", 2)
        with pytest.raises(FencedError):
            write(store, rows(2), epoch=2)
        assert (store.committed_epoch("job"), store.count(SECOND)) == (1, 4)
        assert store._found("pbf_ray_staged_") == []
    away = bigquery_tables(bigquery_server, tmp_path, endpoint="http://127.0.0.1:1", timeout_s=0.5)
    with away, pytest.raises(StoreUnavailableError, match="does not answer"):
        away.check()


def test_the_router_and_the_check_reach_both(
    snowflake_server: SnowflakeServer, bigquery_server: BigQueryServer, tmp_path: Path
) -> None:
    settings = Settings(
        job={"data_dir": tmp_path},
        stores={"analytics_structured": "snowflake", "research_structured": "bigquery"},
        snowflake={**snowflake_server.settings, "schema_name": "ROUTED"},
        bigquery={**bigquery_server.settings, "dataset": "routed"},
    )
    found = {check.store: check for check in check_stores(settings)}
    assert found["snowflake://fakesnow/PBF_LBM/ROUTED"].routes == ("analytics_structured",)
    assert found["bigquery://local/routed"].routes == ("research_structured",)
    assert all(check.ok for check in found.values()), found
    assert "not looked at" not in json.dumps([check.to_plain() for check in found.values()])
    scans = [{"part": "A1", "porosity": 0.1}, {"part": "A2", "porosity": None}]
    with storage_router(settings) as router:
        for purpose in ("analytics", "research"):
            router.store(scans, purpose=purpose, name="ct_scans", key="part")
            read = router.read(purpose=purpose, name="ct_scans").sort_by("part")
            assert read.select(["part", "porosity"]).to_pylist() == scans
