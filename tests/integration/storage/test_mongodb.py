"""The MongoDB stores beside what all stores pass: what others see, zombies, refusals, outages."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.contracts import ISPM_ANOMALIES, LAYER_QUALITY, layer_key
from pbf_ray.errors import FencedError, StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import EpochCommit, TableStore
from pbf_ray.storage.documents.base import Document
from pbf_ray.storage.documents.mongodb import MongoDocuments
from pbf_ray.storage.mongodb import epochs
from pbf_ray.storage.mongodb.client import MongoAddress
from pbf_ray.storage.mongodb.tables import MongoTables
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from services.mongodb import MongoServer
from support.databases import database_for, mongo_address
from support.store_suite import EVERY_TYPE, SECOND, assert_same_rows, fill, numbered, stage, write

REPLACED = replace(SECOND, name="replaced", changes="upsert")


@pytest.fixture
def store(mongodb: MongoServer, tmp_path: Path) -> Iterator[MongoTables]:
    with MongoTables(mongo_address(mongodb, tmp_path)) as store:
        store.prepare([EVERY_TYPE, SECOND, REPLACED, ISPM_ANOMALIES, LAYER_QUALITY])
        store.claim("job", 1)
        yield store


@pytest.fixture
def other(mongodb: MongoServer, tmp_path: Path) -> Iterator[Any]:
    """Somebody else at the database of the store."""
    with mongodb.connect() as client:
        yield client[database_for(tmp_path)]


def test_others_see_plain_documents(store: MongoTables, other: Any) -> None:
    table = fill(
        ISPM_ANOMALIES,
        numbered(ISPM_ANOMALIES, 3),
        temperature=[1712.5, None, float("nan")],
        pressure=[-0.0, 0.95, 1.5],
        offset=[2**63 - 1, -(2**63), 2**53 + 1],
        processing_timestamp=[1_700_000_000_123_456, 1_700_000_000_123_000, -1],
        _metadata=[{"producer_id": "m1", "message_id": "a\0b"}, None, None],
    )
    write(store, [(ISPM_ANOMALIES, table)], epoch=4)
    one, two, three = list(other["ispm_anomalies"].find().sort("_id"))
    assert one["_id"] == "job/0//0"
    assert "record_key" not in one
    assert (one["temperature"], two["temperature"], one["offset"]) == (1712.5, None, 2**63 - 1)
    assert one["processing_timestamp"] == datetime(2023, 11, 14, 22, 13, 20, 123000)  # noqa: DTZ001
    assert one["_exact"] == {"processing_timestamp": 1_700_000_000_123_456}
    assert "_exact" not in two, "a whole millisecond is a date of MongoDB's"
    assert one["_metadata"] == {"producer_id": "m1", "message_id": "a\0b"}
    assert one["_pbf_ray"] == {"job_id": "job", "generation": 0, "epoch": 4}
    assert three["_exact"] == {"processing_timestamp": -1}
    assert {"build_id_layer_idx", "job_id_timestamp_idx"} <= set(
        other["ispm_anomalies"].index_information()
    )
    assert_same_rows(store.read(ISPM_ANOMALIES), table, "record_key")
    # Fields that are lacking are null; another key of the job's document is not minded.
    other["ispm_anomalies"].update_one({"_id": one["_id"]}, {"$unset": {"temperature": ""}})
    assert store.read(ISPM_ANOMALIES)["temperature"].null_count == 2


def test_what_others_wrote_wrongly_is_named(store: MongoTables, other: Any) -> None:
    write(store, [(EVERY_TYPE, numbered(EVERY_TYPE, 1))], epoch=0)
    for field, value in (
        ("int8", 300), ("int8", "1"), ("day", "today"), ("double", 1), ("flag", 1),
        ("_metadata", 7), ("micros", 5), ("_exact", 5), ("required_double", None),
    ):  # fmt: skip
        before = other["every_type"].find_one()
        other["every_type"].update_one({}, {"$set": {field: value}})
        if value is not None:
            with pytest.raises(StoreContentError, match=field):
                store.read(EVERY_TYPE)
        other["every_type"].replace_one({}, before)
    assert store.read(EVERY_TYPE).num_rows == 1
    other["pbf_ray_collections"].update_one({"_id": "second"}, {"$set": {"version": 99}})
    with pytest.raises(StoreContentError, match="version of second is 99"):
        store.prepare([SECOND])


def test_tables_and_documents_do_not_share_a_collection(
    store: MongoTables, mongodb: MongoServer, tmp_path: Path
) -> None:
    with MongoDocuments(mongo_address(mongodb, tmp_path)) as documents:
        with pytest.raises(StoreContentError, match="the collection second is a table"):
            documents.put("second", [Document("a", {})], source="s")
        documents.put("scans", [Document("a", {"x.y": {"$set": 1}, "_id": 2})], source="ct")
        assert documents.collections() == ["scans"]
        with pytest.raises(StoreContentError, match="scans holds documents"):
            store.prepare([replace(SECOND, name="scans")])
        with mongodb.connect() as client:
            seen = client[database_for(tmp_path)]["scans"].find_one()
    assert {key: seen[key] for key in ("_id", "x%2Ey", "%5Fid")} == {
        "_id": "a", "x%2Ey": {"%24set": 1}, "%5Fid": 2,
    }  # fmt: skip
    assert seen["_metadata"].keys() == {"stored_at", "source", "version", "digest"}
    assert isinstance(seen["_metadata"]["stored_at"], datetime)


def test_many_may_make_the_tables_at_once(mongodb: MongoServer, tmp_path: Path) -> None:
    def start(number: int) -> None:
        with MongoTables(mongo_address(mongodb, tmp_path)) as one:
            one.prepare([EVERY_TYPE, SECOND])
            one.claim("job", 1)
            write(one, [(SECOND, numbered(SECOND, 1, mark=str(number)))], epoch=0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    with MongoTables(mongo_address(mongodb, tmp_path)) as one:
        assert one.count(SECOND) == 1, "all wrote the same epoch: one of them was first"


def _stopped_before_write(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> tuple[threading.Event, threading.Event]:
    """Lets the first thread that comes to its n-th write of an epoch wait: an event each way."""
    reached, go_on = threading.Event(), threading.Event()
    real: Callable[..., None] = epochs.apply
    calls = {"zombie": 0}

    def apply(*given: Any, **more: Any) -> None:
        if threading.current_thread().name.startswith("zombie"):
            calls["zombie"] += 1
            if calls["zombie"] == number:
                reached.set()
                assert go_on.wait(60)
        real(*given, **more)

    monkeypatch.setattr(epochs, "apply", apply)
    return reached, go_on


@pytest.mark.parametrize("cleared", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_a_run_that_was_fenced_off_in_the_middle_harms_nothing(
    store: MongoTables,
    mongodb: MongoServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    cleared: bool,
) -> None:
    """It has decided an epoch, sleeps, and writes its rows when newer runs are far ahead."""
    reached, go_on = _stopped_before_write(monkeypatch, at)
    keys = ["k0", "k1"]

    def rows(epoch: int, mark: str = "") -> list[tuple[Any, pa.Table]]:
        return [
            (SECOND, numbered(SECOND, 2, epoch=epoch, mark=mark)),
            (REPLACED, fill(REPLACED, numbered(REPLACED, 2, epoch=epoch), key=keys)),
        ]

    write(store, rows(0), epoch=0)
    with ThreadPoolExecutor(1, thread_name_prefix="zombie") as pool:
        late = pool.submit(write, pickle.loads(pickle.dumps(store)), rows(1), epoch=1)  # noqa: S301
        assert reached.wait(60)
        with MongoTables(mongo_address(mongodb, tmp_path)) as newer:
            newer.prepare([SECOND, REPLACED])
            assert newer.committed_epoch("job") == 0, "it is not applied as a whole"
            assert newer.count(SECOND) == 2, "and not shown in part"
            newer.claim("job", 2)
            wanted = [part for epoch in (0, 1, 2) for part in rows(epoch)[:1]]
            if cleared:
                newer.clear("job", 2)
                assert newer.count(SECOND) == newer.count(REPLACED) == 0
                wanted = [part for epoch in (1, 2) for part in rows(epoch)[:1]]
            assert write(newer, rows(1), epoch=1, incarnation=2)
            assert write(newer, rows(2), epoch=2, incarnation=2)
            if cleared:
                newer.clear("job", 2)
                wanted = rows(3)[:1]
                write(newer, rows(3), epoch=3, incarnation=2)
            last = rows(3 if cleared else 2)[1][1]
            for state in ("asleep", "awake"):
                if state == "awake":
                    go_on.set()
                    with pytest.raises(FencedError):
                        late.result(60)
                seen = newer.read(SECOND)
                assert_same_rows(seen, pa.concat_tables([part for _, part in wanted]), "key")
                assert_same_rows(newer.read(REPLACED), last, "key")
                assert newer.count(SECOND, job_id="job") == seen.num_rows
            # What the sleeper wrote under the keys of rows that come now, gives way to them.
            if cleared:
                assert write(newer, [(SECOND, rows(1)[0][1])], epoch=4, incarnation=2)
                wanted = [rows(1)[0], *wanted]
                seen = newer.read(SECOND)
                assert_same_rows(seen, pa.concat_tables([part for _, part in wanted]), "key")


def test_a_pending_epoch_is_finished_as_it_was_decided(
    store: MongoTables, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    decided = numbered(SECOND, 3, epoch=7, mark="decided")
    monkeypatch.setattr(epochs, "apply", dies)
    with pytest.raises(KeyboardInterrupt):
        write(store, [(SECOND, decided)], epoch=7)
    monkeypatch.undo()
    assert (store.committed_epoch("job"), store.count(SECOND)) == (None, 0)
    store.claim("job", 2)
    again = [(SECOND, numbered(SECOND, 2, epoch=7, mark="again"))]
    assert write(store, again, epoch=7, incarnation=2)
    assert_same_rows(store.read(SECOND), decided, "key")
    assert other["pbf_ray_staged"].count_documents({}) == 0
    # What was staged and never decided, the next run removes.
    state = epochs.job_state(other, "job")
    assert (state.epoch, state.pending) == (7, None)
    rows = stage(store, again, job_id="job", epoch=8)
    monkeypatch.setattr(epochs, "propose", dies)
    with pytest.raises(KeyboardInterrupt):
        store.commit(EpochCommit("job", 2, 8, rows))
    monkeypatch.undo()
    assert other["pbf_ray_staged"].count_documents({}) == 1
    store.claim("job", 3)
    assert other["pbf_ray_staged"].count_documents({}) == 0
    assert store.committed_epoch("job") == 7


def test_rows_over_the_limit_are_refused_before_anything_is_written(
    store: MongoTables, other: Any
) -> None:
    fits = fill(EVERY_TYPE, numbered(EVERY_TYPE, 1), bytes=[b"x" * 16_700_000])
    write(store, [(EVERY_TYPE, fits)], epoch=0)
    large = fill(EVERY_TYPE, numbered(EVERY_TYPE, 2, epoch=1), bytes=[b"", b"x" * 16_800_000])
    for call in (
        lambda: write(
            store, [(SECOND, numbered(SECOND, 1, epoch=1)), (EVERY_TYPE, large)], epoch=1
        ),
        lambda: store.put(EVERY_TYPE, large),
    ):
        with pytest.raises(StoreContentError, match="'job/1//1' has 168"):
            call()
    assert other["pbf_ray_staged"].count_documents({}) == 0
    assert_same_rows(store.read(EVERY_TYPE), fits, "key")
    with (
        MongoDocuments(
            MongoAddress(port=other.client.address[1], database=other.name)
        ) as documents,
        pytest.raises(StoreContentError, match="document of scans 'b' has 168"),
    ):
        documents.put(
            "scans", [Document("a", {}), Document("b", {"x": "x" * 16_800_000})], source="s"
        )
    assert "scans" not in other.list_collection_names()


def test_a_batch_at_a_time_is_in_memory(store: MongoTables) -> None:
    rows = 10_100
    write(store, [(SECOND, numbered(SECOND, rows))], epoch=0)
    batches = store.scan(SECOND)
    assert next(batches).num_rows < rows, "the whole table came at once"
    batches.close()
    plain = pa.Table.from_batches(TableStore.scan(store, SECOND, columns=["key", "epoch"]))
    mine = pa.Table.from_batches(store.scan(SECOND, columns=["key", "epoch"]))
    assert_same_rows(mine, plain, "key")


def test_secrets_are_not_shown(mongodb: MongoServer) -> None:
    secret = "hunter2-wrong"  # noqa: S105 - it opens nothing
    text = f"mongodb://me:{secret}@127.0.0.1:{mongodb.port}/admin?x=1"
    wrong: list[tuple[MongoAddress, type[StoreError]]] = [
        (MongoAddress(host="127.0.0.1", port=1, user="me", password=secret, timeout_s=0.2),
         StoreUnavailableError),
        (MongoAddress(**mongodb.settings, user="me", password=secret), StoreError),
        (MongoAddress(connection_string=text.replace("?x=1", "?tls=perhaps")), StoreError),
        (MongoAddress(connection_string=f"mongodb://me:{secret}@x@y/z"), StoreError),
        (MongoAddress(connection_string=f"nonsense://me:{secret}@y"), StoreError),
    ]  # fmt: skip
    for address, kind in wrong:
        for store in (MongoTables(address), MongoDocuments(address)):
            with store, pytest.raises(StoreError) as caught:
                store.check()
            assert type(caught.value) is kind, caught.value
            assert caught.value.advice or caught.value.code
            told = (str(caught.value), repr(caught.value.__dict__), repr(address), store.name)
            assert not [shown for shown in told if secret in shown or "hunter2" in shown]
            assert caught.value.__cause__ is None
    assert MongoTables(wrong[2][0]).name == f"mongodb://127.0.0.1:{mongodb.port}/pbf_lbm"


def test_a_server_that_was_away_is_transient_and_loses_nothing(
    own_mongodb: MongoServer, tmp_path: Path
) -> None:
    address = mongo_address(own_mongodb, tmp_path, timeout_s=0.5)
    with MongoTables(address) as store, MongoDocuments(address) as documents:
        store.prepare([SECOND, LAYER_QUALITY])
        store.claim("job", 1)
        assert write(store, [(SECOND, numbered(SECOND, 2))], epoch=0)
        for epoch, halt in enumerate((own_mongodb.kill, own_mongodb.stop), start=1):
            halt()
            quality = fill(
                LAYER_QUALITY, numbered(LAYER_QUALITY, 1), layer_key=[layer_key("job", "b", 1)]
            )
            rows = [(SECOND, numbered(SECOND, 2, epoch=epoch)), (LAYER_QUALITY, quality)]
            with pytest.raises(StoreUnavailableError) as caught:
                write(store, rows, epoch=epoch)
            assert f"127.0.0.1:{own_mongodb.port}" in caught.value.advice
            with pytest.raises(StoreUnavailableError):
                documents.put("d", [Document(str(epoch), {})], source="s")
            own_mongodb.start()

            def both(rows: Any = rows, epoch: int = epoch) -> bool:
                documents.put("d", [Document(str(epoch), {})], source="s")
                return write(store, rows, epoch=epoch)

            assert retry_transient(both, RetryPolicy(limit_s=60))
        assert (store.count(SECOND), store.count(LAYER_QUALITY), documents.count("d")) == (6, 1, 2)
        assert store.committed_epoch("job") == 2


def test_moments_are_compared_to_the_last_nanosecond(store: MongoTables) -> None:
    from pbf_ray.storage.selection import RowSelection

    table = fill(
        ISPM_ANOMALIES, numbered(ISPM_ANOMALIES, 4), timestamp=[1.5, float("nan"), None, 1.25]
    )
    write(store, [(ISPM_ANOMALIES, table)], epoch=0)
    since = RowSelection(since=datetime.fromtimestamp(1.25, UTC))
    found = [row for batch in store.scan(ISPM_ANOMALIES, since) for row in batch.to_pylist()]
    assert sorted(row["timestamp"] for row in found) == [1.25, 1.5], "a NaN is at no time"
    first = RowSelection(since=since.since, limit=1)
    (batch,) = store.scan(ISPM_ANOMALIES, first, columns=["record_key"])
    assert batch["record_key"].to_pylist() == ["job/0//0"]
