"""The PostgreSQL store beside what all stores pass: what SQL people see, refusals, outages."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from pbf_ray.contracts import ISPM_ANOMALIES
from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.postgres import PostgresStore
from pbf_ray.storage.postgres_replay_journal import PostgresReplayJournal
from pbf_ray.storage.replay_journal import ReplayEntry
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from services.postgres import PostgresServer
from support.databases import postgres_address, postgres_store, schema_for
from support.store_suite import (
    EVERY_TYPE,
    SECOND,
    assert_same_rows,
    fill,
    numbered,
    write,
)


@pytest.fixture
def store(postgres: PostgresServer, tmp_path: Path) -> Iterator[PostgresStore]:
    with postgres_store(postgres, tmp_path) as store:
        store.prepare([EVERY_TYPE, SECOND, ISPM_ANOMALIES])
        store.claim("job", 1)
        yield store


@pytest.fixture
def other(store: PostgresStore, postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    """Somebody else at the database, in the schema of the store."""
    with postgres.connect() as connection:
        connection.execute("SET TimeZone TO 'UTC'; SET DateStyle TO ISO")
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(store.schema)))
        yield connection


def test_sql_people_see_plain_columns(store: PostgresStore, other: psycopg.Connection) -> None:
    table = fill(
        ISPM_ANOMALIES,
        numbered(ISPM_ANOMALIES, 4),
        temperature=[1712.5, None, float("nan"), float("inf")],
        pressure=[-0.0, 0.95, 1.5, None],
        anomaly_type=["high_temperature", "b", "c", "d"],
        late=[True, False, False, False],
        processing_timestamp=[1_700_000_000_123_456, 0, -(2**62), 2**62],
        offset=[2**63 - 1, -(2**63), 2**53 + 1, 0],
        _metadata=[{"producer_id": "m1", "message_id": "a\0b"}, None, None, None],
    )
    write(store, [(ISPM_ANOMALIES, table)], epoch=0)
    seen = other.execute(
        'SELECT temperature, late, "offset", _metadata_producer_id, _metadata_message_id, '
        "processing_timestamp::text, _exact FROM ispm_anomalies ORDER BY anomaly_type"
    ).fetchall()
    stamp = "2023-11-14 22:13:20.123456+00"
    assert ("m1", "a\ufffdb", stamp) in [row[3:6] for row in seen]
    hot = next(row for row in seen if row[3] == "m1")
    assert hot[:3] == (1712.5, True, 2**63 - 1)
    assert hot[6] == '{"_metadata.message_id":"a\\u0000b"}'
    assert {row[5] for row in seen} == {stamp, "1970-01-01 00:00:00+00", "-infinity", "infinity"}
    counts = other.execute(
        "SELECT count(*) FILTER (WHERE temperature = 'NaN'), max(pressure), "
        "count(*) FILTER (WHERE temperature IS NULL) FROM ispm_anomalies"
    ).fetchone()
    assert counts == (1, 1.5, 1)
    assert_same_rows(store.read(ISPM_ANOMALIES), table, "record_key")


def test_nanoseconds_and_unsigned_numbers_survive(store: PostgresStore) -> None:
    kinds = {
        "utc": pa.timestamp("ns", tz="UTC"),
        "local": pa.timestamp("ns"),
        "seconds": pa.timestamp("s"),
        "u8": pa.uint8(),
        "u16": pa.uint16(),
        "u32": pa.uint32(),
        "long": pa.large_string(),
    }
    schema = SECOND.schema
    for name, kind in kinds.items():
        schema = schema.append(pa.field(name, kind))
    contract = replace(SECOND, name="fine", schema=schema)
    store.prepare([contract])
    times = [0, 1, -1, 999, 1_764_079_200_123_456_789, 2**63 - 1, -(2**63), None]
    rows = numbered(SECOND, len(times))
    for name, kind in kinds.items():
        if pa.types.is_timestamp(kind):
            column = pa.array(times, pa.int64()).view(kind)
        elif pa.types.is_integer(kind):
            most = 2**kind.bit_width - 1
            column = pa.array([0, 1, most, most - 1, None, 7, 8, 9], kind)
        else:
            column = pa.array(["\0", "", None, "\\.", "\\N", '"', "a,b\r\n", "\ufffd"], kind)
        rows = rows.append_column(contract.schema.field(name), column)
    write(store, [(contract, rows)], epoch=0)
    assert_same_rows(store.read(contract), rows, "key")


def test_keys_with_nul_stay_apart(store: PostgresStore) -> None:
    keys = ["a\0", "a\u2400", "a\u24000", "a\u2400\u2400", "a0", "\0\u2400\0"]
    rows = fill(SECOND, numbered(SECOND, len(keys)), key=keys)
    write(store, [(SECOND, rows)], epoch=0)
    assert_same_rows(store.read(SECOND), rows, "key")


def test_what_others_wrote_wrongly_is_named(
    store: PostgresStore, other: psycopg.Connection
) -> None:
    write(store, [(EVERY_TYPE, numbered(EVERY_TYPE, 1))], epoch=0)
    for change, column in (
        ("int8 = 300", "int8"),
        ("day = 'infinity'", "day"),
        ("micros = '-infinity'", "micros"),
        ("_exact = '{'", "_exact"),
    ):
        other.execute(sql.SQL("UPDATE every_type SET {}").format(sql.SQL(change)))
        with pytest.raises(StoreContentError, match=column):
            store.read(EVERY_TYPE)
        other.execute("UPDATE every_type SET int8 = 1, day = NULL, micros = NULL, _exact = NULL")
    assert store.read(EVERY_TYPE).num_rows == 1


def test_a_newer_version_is_refused(store: PostgresStore, other: psycopg.Connection) -> None:
    other.execute("INSERT INTO pbf_ray_schema VALUES (99)")
    with pytest.raises(StoreContentError, match="its version is 99"):
        store.prepare([SECOND])


def test_many_may_make_the_tables_at_once(postgres: PostgresServer, tmp_path: Path) -> None:
    def start(number: int) -> None:
        with postgres_store(postgres, tmp_path) as one:
            one.prepare([EVERY_TYPE, SECOND])
            one.claim("job", 1)
            write(one, [(SECOND, numbered(SECOND, 1, mark=str(number)))], epoch=0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    with postgres_store(postgres, tmp_path) as one:
        assert one.count(SECOND) == 1, "all wrote the same epoch: one of them was first"


def test_refusals_are_terminal_and_show_no_secret(postgres: PostgresServer, tmp_path: Path) -> None:
    right = postgres_address(postgres)
    wrong_password = "hunter2-wrong"  # noqa: S105 - it opens nothing
    wrong = {
        "check postgres.user and postgres.password": replace(right, password=wrong_password),
        "set POSTGRES_PASSWORD": replace(right, password=None),
        "create it": replace(right, database="no-such-database"),
        "turn TLS on in the server": replace(right, sslmode="require"),
    }
    for advice, address in wrong.items():
        with PostgresStore(address) as store, pytest.raises(StoreError) as caught:
            store.check()
        assert not caught.value.transient, advice
        assert advice in caught.value.advice
        for shown in (str(caught.value), repr(caught.value.__dict__), repr(address), store.name):
            assert "hunter2" not in shown
            assert postgres.password not in shown
        assert caught.value.__cause__ is None
    nobody = replace(right, port=1)
    with PostgresStore(nobody) as store, pytest.raises(StoreUnavailableError) as caught:
        store.check()
    assert "127.0.0.1:1" in caught.value.advice


def test_a_user_without_rights_is_told_what_to_grant(
    store: PostgresStore, postgres: PostgresServer, other: psycopg.Connection
) -> None:
    other.execute("CREATE ROLE guest LOGIN PASSWORD 'guest-password'")
    try:
        address = postgres_address(postgres, user="guest", password="guest-password")  # noqa: S106
        with PostgresStore(address, schema=store.schema) as guest:
            for call in (lambda: guest.prepare([SECOND]), lambda: guest.read(SECOND)):
                with pytest.raises(StoreError, match="permission denied") as caught:
                    call()
                assert "GRANT" in caught.value.advice
                assert not caught.value.transient
    finally:
        other.execute("DROP ROLE guest")


def test_a_batch_at_a_time_is_in_memory(store: PostgresStore) -> None:
    rows = 60_000
    write(store, [(EVERY_TYPE, numbered(EVERY_TYPE, rows))], epoch=0)
    batches = store.scan(EVERY_TYPE)
    first = next(batches)
    assert first.num_rows < rows / 2, "the whole table came at once"
    batches.close()
    assert sum(batch.num_rows for batch in store.scan(EVERY_TYPE)) == rows
    # What is in the base class gives the same, from a table in memory.
    plain = pa.Table.from_batches(TableStore.scan(store, EVERY_TYPE, columns=["key", "epoch"]))
    mine = pa.Table.from_batches(store.scan(EVERY_TYPE, columns=["key", "epoch"]))
    assert_same_rows(mine, plain, "key")


def test_a_server_that_was_away_is_transient_and_loses_nothing(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres_store(own_postgres, tmp_path) as store:
        store.prepare([EVERY_TYPE, SECOND])
        store.claim("job", 1)
        assert write(store, [(SECOND, numbered(SECOND, 2))], epoch=0)
        for epoch, halt in enumerate((own_postgres.kill, own_postgres.stop), start=1):
            halt()
            rows = [(SECOND, numbered(SECOND, 2, epoch=epoch))]
            with pytest.raises(StoreUnavailableError) as caught:
                write(store, rows, epoch=epoch)
            assert own_postgres.password not in str(caught.value)
            own_postgres.start()
            assert retry_transient(
                lambda rows=rows, epoch=epoch: write(store, rows, epoch=epoch),
                RetryPolicy(limit_s=60),
            )
        # Connections that the server ended are not handed out.
        own_postgres.stop()
        own_postgres.start()
        assert store.count(SECOND) == 6
        assert store.committed_epoch("job") == 2


def test_the_pickle_opens_connections_of_its_own(store: PostgresStore) -> None:
    write(store, [(SECOND, numbered(SECOND, 3))], epoch=0)
    with pickle.loads(pickle.dumps(store)) as again:  # noqa: S301 - our own bytes
        assert again.count(SECOND) == 3


def test_journal_of_replays(postgres: PostgresServer, tmp_path: Path, store: PostgresStore) -> None:
    one = ReplayEntry("k1", "dead_letters", "t", edited=True, sent_after={0: 5, 11: 7})
    two = ReplayEntry("k2", "late_records", "t")

    def journal(job: str) -> PostgresReplayJournal:
        return PostgresReplayJournal(
            postgres_address(postgres), job, schema=schema_for(tmp_path), name="postgres"
        )

    mine, others = journal("job"), journal("another")
    assert mine.entries() == {}
    mine.begin([one, two])
    assert mine.entries() == {"k1": one, "k2": two}
    mine.confirm({"k1": (3, 40)})
    mine.give_up(["k1", "k2", "k3"])
    sent = replace(one, state="sent", partition=3, offset=40)
    assert mine.entries() == {"k1": sent}, "what was sent cannot be given up"
    assert others.entries() == {}
    mine.begin([one])
    assert mine.entries() == {"k1": one}, "sent once more"
    mine.close()
    others.close()
    store.prepare([SECOND])
