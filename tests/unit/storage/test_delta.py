from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from deltalake.transaction import CommitProperties, Transaction
from polars.testing import assert_frame_equal

from pbf_ray.contracts import ISPM_MONITORING, QUALITY_METRICS
from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage import deltalog, deltaupkeep
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.delta import DeltaStore
from support.store_suite import (
    EVERY_TYPE,
    SECOND,
    assert_same_rows,
    fill,
    numbered,
    stage,
    write,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> Iterator[DeltaStore]:
    with DeltaStore(root, compact_after=4) as store:
        store.prepare([EVERY_TYPE, SECOND])
        store.claim("job", 1)
        yield store


def _age(folder: Path, *, days: float) -> None:
    """As if so many days had passed since the files were written."""
    for file in folder.glob("*.parquet"):
        then = file.stat().st_mtime - days * 86_400
        os.utime(file, (then, then))


def _data_files(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("*.parquet")}


NAN, INF = float("nan"), float("inf")

DOUBLES = [
    [1.0, NAN, -0.0, 3.0],
    [1.0, 2.0, INF, None],
    [-INF, None, 0.0, -5.0],
    [NAN, NAN, None, NAN],
    [None, None, None, None],
    [10.0, 20.0, 30.0, 40.0],
]


def _filters() -> dict[str, pl.Expr]:
    double, text = pl.col("double"), pl.col('odd "name"; --')
    micros, number = pl.col("micros"), pl.col("int64")
    base = pl.lit(1_700_000_000_123_400).cast(pl.Datetime("us", "UTC"))
    return {
        "> 25": double > 25,
        "< 0": double < 0,
        "<= -6": double <= -6,
        "= 0": double == 0.0,
        "= -0.0": double == -0.0,
        "not 1": double != 1.0,
        "nan": double.is_nan(),
        "not nan": double.is_not_nan(),
        "null": double.is_null(),
        "inf": double.is_infinite(),
        "between": double.is_between(2, 20),
        "after a microsecond": micros > base,
        "at a microsecond": micros == base + pl.duration(microseconds=56),
        "before": micros <= base,
        "text": text == "😀" * 70,
        "text above": text > "a",
        "text below": text <= "é",
        "integer beyond doubles": number == 2**53 + 1,
        "integer above": number > 2**53,
        "null integer": pl.col("int8").is_null(),
        "null member": pl.col("_metadata").struct.field("text").is_null(),
        "member": pl.col("_metadata").struct.field("text") == "x",
        "inner": pl.col("_metadata").struct.field("inner").struct.field("value").is_nan(),
        "flag": pl.col("flag"),
        "day": pl.col("day") == pl.date(1970, 1, 3),
        "epoch": pl.col("epoch") == 3,
    }


def _arrow_filters() -> dict[str, pc.Expression]:
    double, text, micros = pc.field("double"), pc.field('odd "name"; --'), pc.field("micros")
    instants = [
        pa.scalar(1_700_000_000_123_453 + n, pa.timestamp("us", tz="UTC")) for n in range(6)
    ]
    return {
        "> 25": double > 25.0,
        "< 0": double < 0.0,
        "= 0": double == 0.0,
        "nan": pc.is_nan(double),
        "infinite": pc.is_inf(double),
        "null": double.is_null(),
        "text": text == "😀" * 70,
        "text above": text > "é",
        "integer": pc.field("int64") == 2**53 + 1,
        "day": pc.field("day") == dt.date(1970, 1, 3),
        "null integer": pc.field("int8").is_null(),
        **{f"after {n}": micros > instant for n, instant in enumerate(instants)},
        **{f"until {n}": micros <= instant for n, instant in enumerate(instants)},
    }


def test_others_read_the_tables_and_their_filters_find_every_row(
    store: DeltaStore, root: Path
) -> None:
    texts = ["", "a", "é", "😀" * 70]
    members = [None, {"text": None}, {"text": "x", "inner": {"value": NAN}}, {"text": "y"}]
    written = []
    for epoch, doubles in enumerate(DOUBLES):
        table = fill(
            EVERY_TYPE,
            numbered(EVERY_TYPE, 4, epoch=epoch),
            double=doubles,
            micros=[1_700_000_000_123_453 + number for number in range(4)],
            int64=[2**53 + number for number in range(4)],
            int8=[None if epoch == 2 else 1] * 4,
            _metadata=members,
            **{'odd "name"; --': texts},
        )
        table = fill(EVERY_TYPE, table, micros=[1_700_000_000_123_453 + epoch] * 4)
        written.append(table)
        write(store, [(EVERY_TYPE, table)], epoch=epoch)
    wanted = pa.concat_tables(written)
    folder = root / EVERY_TYPE.name
    whole = pl.from_arrow(wanted)
    assert isinstance(whole, pl.DataFrame)
    files = len(DeltaTable(folder).file_uris())
    for compacted in (False, True):
        if compacted:
            store.maintain()
            assert len(DeltaTable(folder).file_uris()) < files
        read = pl.read_delta(str(folder)).cast({"millis": pl.Datetime("ms", "UTC")})
        assert_frame_equal(read.sort("key"), whole.sort("key"), check_dtypes=True)
        arrow = DeltaTable(folder).to_pyarrow_table()
        assert_same_rows(arrow.cast(EVERY_TYPE.schema), wanted, "key")
        # pyarrow skips files by the statistics of the log.
        dataset = DeltaTable(folder).to_pyarrow_dataset()
        for name, arrow_condition in _arrow_filters().items():
            keys = dataset.to_table(columns=["key"], filter=arrow_condition)["key"]
            expected_keys = wanted.filter(arrow_condition)["key"]
            assert sorted(keys.to_pylist()) == sorted(expected_keys.to_pylist()), name
        for name, condition in _filters().items():
            found = pl.scan_delta(str(folder)).filter(condition).select("key").collect()
            expected = whole.filter(condition)["key"]
            assert sorted(found["key"]) == sorted(expected), name


def test_schema_of_the_table_keeps_units_and_types(root: Path) -> None:
    with DeltaStore(root) as store:
        store.prepare([ISPM_MONITORING, QUALITY_METRICS])
        schema = pa.schema(DeltaTable(root / "quality_metrics").schema().to_arrow())
        assert schema.field("temperature_avg").metadata == {b"unit": b"degC"}
        assert schema.field("laser_power").type == pa.float64()
        assert not schema.field("record_key").nullable
        assert schema.field("_metadata").type == QUALITY_METRICS.schema.field("_metadata").type


def test_log_tells_other_tools_the_epoch_and_run(store: DeltaStore, root: Path) -> None:
    write(store, [(SECOND, numbered(SECOND, 1))], epoch=2**33)
    log = DeltaTable(root / "second")
    assert log.transaction_version("job#epoch") == 2**33
    assert log.transaction_version("job#run") == 1


def test_staged_rows_are_files_and_invisible(store: DeltaStore, root: Path) -> None:
    staged = stage(store, [(SECOND, numbered(SECOND, 5))], job_id="job", epoch=0)
    (file,) = staged[0].files()
    assert (root / "second" / file.path).stat().st_size == file.size
    assert json.loads(file.stats)["numRecords"] == file.rows == 5
    assert store.count(SECOND) == 0
    assert pl.read_delta(str(root / "second")).height == 0
    with pytest.raises(StoreError, match="staged as files"):
        staged[0].inline()


def test_staged_file_that_was_lost_or_cut_is_not_committed(store: DeltaStore, root: Path) -> None:
    rows = [(SECOND, numbered(SECOND, 5))]
    lost, cut = (stage(store, rows, job_id="job", epoch=0) for _ in range(2))
    (root / "second" / lost[0].files()[0].path).unlink()
    os.truncate(root / "second" / cut[0].files()[0].path, 100)
    with pytest.raises(StoreError, match="is gone"):
        store.commit(EpochCommit("job", 1, 0, lost))
    with pytest.raises(StoreContentError, match="has 100 bytes"):
        store.commit(EpochCommit("job", 1, 0, cut))
    assert store.committed_epoch("job") is None
    assert write(store, rows, epoch=0)
    assert store.count(SECOND) == 5


def test_table_that_is_new_to_a_job_takes_part_from_then_on(root: Path) -> None:
    with DeltaStore(root) as before:
        before.prepare([SECOND])
        before.claim("job", 1)
        write(before, [(SECOND, numbered(SECOND, 1, epoch=41))], epoch=41)
    with DeltaStore(root) as after:
        after.prepare([SECOND, EVERY_TYPE])
        assert after.committed_epoch("job") == 41
        after.claim("job", 2)
        assert after.committed_epoch("job") == 41
        rows = [(EVERY_TYPE, numbered(EVERY_TYPE, 2, epoch=42))]
        assert not write(after, [], epoch=41, incarnation=2)
        assert write(after, rows, epoch=42, incarnation=2)
        assert after.committed_epoch("job") == 42
        assert after.count(EVERY_TYPE) == 2


def test_upkeep_makes_few_files_of_many(store: DeltaStore, root: Path) -> None:
    written = []
    for epoch in range(70):
        table = numbered(SECOND, 20, epoch=epoch)
        written.append(table)
        write(store, [(SECOND, table)], epoch=epoch)
        if epoch % 5 == 4:
            store.maintain()
            assert len(DeltaTable(root / "second").file_uris()) < 2 * store.compact_after
    version = DeltaTable(root / "second").version()
    store.maintain()
    assert DeltaTable(root / "second").version() == version
    assert_same_rows(store.read(SECOND), pa.concat_tables(written), "key")
    # Readers of a version from before the upkeep still find its files.
    old = DeltaTable(root / "second", version=version - 12).to_pyarrow_table()
    assert 0 < old.num_rows <= 70 * 20


def test_two_upkeeps_beside_a_writer(store: DeltaStore, root: Path) -> None:
    done = threading.Event()

    def maintain() -> None:
        with DeltaStore(root, compact_after=2) as upkeep:
            upkeep.prepare([EVERY_TYPE, SECOND])
            while not done.is_set():
                upkeep.maintain()

    with ThreadPoolExecutor(2) as pool:
        keepers = [pool.submit(maintain) for _ in range(2)]
        try:
            for epoch in range(60):
                assert write(store, [(SECOND, numbered(SECOND, 3, epoch=epoch))], epoch=epoch)
        finally:
            done.set()
        for keeper in keepers:
            keeper.result()
    wanted = pa.concat_tables([numbered(SECOND, 3, epoch=epoch) for epoch in range(60)])
    assert_same_rows(store.read(SECOND), wanted, "key")
    assert len(DeltaTable(root / "second").file_uris()) < 60


def test_compaction_that_lost_to_another_does_nothing(store: DeltaStore, root: Path) -> None:
    written = []
    for epoch in range(5):
        written.append(numbered(SECOND, 3, epoch=epoch))
        write(store, [(SECOND, written[-1])], epoch=epoch)
    log = deltalog.DeltaLog(root / "second", store="s")
    log.refresh()
    group = deltaupkeep.live_files(log)
    store.maintain()
    files = _data_files(root / "second")
    assert not deltaupkeep.compact(log, group)
    assert _data_files(root / "second") == files
    assert_same_rows(store.read(SECOND), pa.concat_tables(written), "key")


def test_leftovers_go_and_what_may_still_be_used_stays(store: DeltaStore, root: Path) -> None:
    folder = root / "second"
    rows = [(SECOND, numbered(SECOND, 3, epoch=0))]
    crashed = stage(store, rows, job_id="job", epoch=0)
    for epoch in range(6):
        rows = [(SECOND, numbered(SECOND, 3, epoch=epoch))]
        assert write(store, rows, epoch=epoch)
    living = stage(store, [(SECOND, numbered(SECOND, 3, epoch=6))], job_id="job", epoch=6)
    (folder / "epoch-0-torn.zstd.parquet").write_bytes(b"PAR1 torn by a crash")
    everything = _data_files(folder)
    store.maintain()
    # Compacted, but nothing is old enough to be removed.
    assert _data_files(folder) > everything
    live = {Path(uri).name for uri in DeltaTable(folder).file_uris()}
    assert not live & everything

    _age(folder, days=400)
    with DeltaStore(root) as fresh:
        fresh.prepare([EVERY_TYPE, SECOND])
        fresh.maintain()
    # The files that were compacted left the table only now: readers may still use them.
    left = _data_files(folder)
    assert left == (everything | live) - {crashed[0].files()[0].path, "epoch-0-torn.zstd.parquet"}
    assert living[0].files()[0].path in left
    assert store.commit(EpochCommit("job", 1, 6, living))
    assert store.count(SECOND) == 21


def test_files_that_left_the_table_long_ago_are_removed(
    store: DeltaStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "second"
    for epoch in range(5):
        write(store, [(SECOND, numbered(SECOND, 3, epoch=epoch))], epoch=epoch)
    now = time.time()
    # Compacted two days ago, by the time that stands in the log.
    monkeypatch.setattr(time, "time", lambda: now - 2 * 86_400)
    store.maintain()
    live = {Path(uri).name for uri in DeltaTable(folder).file_uris()}
    assert _data_files(folder) == live
    assert len(live) == 1
    assert store.count(SECOND) == 15


def test_idle_writer_after_the_log_was_cleaned_up(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deltalog, "_LOG_RETENTION", "interval 0 seconds")
    with DeltaStore(root) as idle, DeltaStore(root) as busy:
        for store, job in ((idle, "idle"), (busy, "busy")):
            store.prepare([SECOND])
            store.claim(job, 1)
        for epoch in range(45):
            table = numbered(SECOND, 1, job_id="busy", epoch=epoch)
            write(busy, [(SECOND, table)], epoch=epoch, job_id="busy")
        busy.maintain()
        entries = list((root / "second" / "_delta_log").glob("*.json"))
        assert len(entries) < 20
        assert idle.committed_epoch("busy") == 44
        table = numbered(SECOND, 1, job_id="idle")
        assert write(idle, [(SECOND, table)], epoch=0, job_id="idle")
        assert idle.count(SECOND) == 46


def test_entry_that_loses_its_race_does_nothing(store: DeltaStore, root: Path) -> None:
    log = deltalog.DeltaLog(root / "second", store="s")
    log.refresh()
    write(store, [], epoch=0)
    assert not log.append([], job_id="job", epoch=9, incarnation=1)
    assert store.committed_epoch("job") == 0
    log.refresh()
    assert log.epoch("job") == 0
    assert log.append([], job_id="job", epoch=9, incarnation=1)
    assert DeltaTable(root / "second").transaction_version("job#epoch") == 9


def test_table_of_a_newer_version_is_refused(root: Path) -> None:
    DeltaTable.create(
        root / "second",
        schema=SECOND.schema,
        configuration={"pbf_ray.format": "2"},
        raise_if_key_not_exists=False,
    )
    with pytest.raises(StoreContentError, match="has version 2"):
        DeltaStore(root).prepare([SECOND])


def test_damaged_file_is_named(store: DeltaStore, root: Path) -> None:
    staged = stage(store, [(SECOND, numbered(SECOND, 1000))], job_id="job", epoch=0)
    store.commit(EpochCommit("job", 1, 0, staged))
    file = root / "second" / staged[0].files()[0].path
    file.write_bytes(b"\x00" * file.stat().st_size)
    with pytest.raises(StoreContentError, match="second cannot be read"):
        store.read(SECOND)
    file.unlink()
    with pytest.raises(StoreError, match="cleaned up"):
        store.read(SECOND)


def test_table_that_somebody_removed(store: DeltaStore, root: Path) -> None:
    write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)
    shutil.rmtree(root / "second")
    with pytest.raises(StoreContentError, match="no table second"):
        write(store, [], epoch=1)
    store.prepare([SECOND])
    with pytest.raises(StoreError, match="somebody has emptied or replaced the store"):
        write(store, [], epoch=1)


def test_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for call in (
        lambda store: store.check(),
        lambda store: store.prepare([SECOND]),
    ):
        with pytest.raises(StoreError) as caught:
            call(DeltaStore(tmp_path / "file" / "lake"))
        assert not caught.value.transient
    with pytest.raises(StoreContentError, match="no table second"):
        DeltaStore(tmp_path).read(SECOND)
    with pytest.raises(StoreError, match="no table was prepared"):
        DeltaStore(tmp_path).claim("job", 1)
    with pytest.raises(ValueError, match="compact_after"):
        DeltaStore(tmp_path, compact_after=1)


def test_timestamps_beyond_microseconds_are_refused(store: DeltaStore) -> None:
    table = fill(EVERY_TYPE, numbered(EVERY_TYPE, 1), millis=[2**62])
    with pytest.raises(StoreContentError, match="every_type"):
        store.stage(EVERY_TYPE, table, job_id="job", epoch=0, part="0")


def test_two_jobs_write_one_table_at_once(root: Path) -> None:
    stores = [DeltaStore(root) for _ in range(3)]
    for store in stores:
        store.prepare([SECOND])

    def run(number: int) -> None:
        job = f"job-{number}"
        stores[number].claim(job, 1)
        for epoch in range(10):
            table = numbered(SECOND, 2, job_id=job, epoch=epoch)
            assert write(stores[number], [(SECOND, table)], epoch=epoch, job_id=job)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stores[0].count(SECOND, job_id=f"job-{number}") for number in range(3)] == [20] * 3
    assert [stores[0].committed_epoch(f"job-{number}") for number in range(3)] == [9] * 3


def test_entry_by_others_does_not_disturb(store: DeltaStore, root: Path) -> None:
    other: Any = DeltaTable(root / "second")
    other.create_write_transaction(
        [],
        mode="append",
        schema=other.schema(),
        commit_properties=CommitProperties(app_transactions=[Transaction("theirs", 5)]),
    )
    assert write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)
    assert store.count(SECOND) == 1
