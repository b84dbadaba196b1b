from __future__ import annotations

import datetime as dt
import errno
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage import deltafiles
from pbf_ray.storage.deltafiles import (
    file_error,
    lake_schema,
    merge_files,
    staged_epoch,
    to_lake,
    write_file,
)
from pbf_ray.storage.deltastatistics import statistics_property
from support.store_suite import EVERY_TYPE, assert_same_rows, fill, numbered, tables


def _written(
    folder: Path, table: pa.Table, cuts: Sequence[int] = ()
) -> tuple[pa.Table, dict[str, Any], Path]:
    """A file of the rows; with cuts it is made of several."""
    schema = lake_schema(EVERY_TYPE, store="s")
    rows = to_lake(table, schema, store="s", name="every_type")
    bounds = [0, *sorted(cuts), len(rows)]
    pieces = [
        write_file(folder, rows[low:high], stem="x", store="s", job_id="jöb", epoch=2**40)
        for low, high in itertools.pairwise(bounds)
    ]
    file, names = pieces[0], [piece.path for piece in pieces]
    if cuts:
        file = merge_files(folder, names, schema, stem="merged", store="s")
    path = folder / file.path
    assert (path.stat().st_size, len(rows)) == (file.size, file.rows)
    assert staged_epoch(path) == (None if cuts else ("jöb", 2**40))
    return pq.read_table(path), json.loads(file.stats), path


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=tables(EVERY_TYPE), draw=st.data())
def test_statistics_never_exclude_a_row(
    tmp_path: Path, table: pa.Table, draw: st.DataObject
) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(table)), max_size=2), "where files are cut")
    read, stats, path = _written(tmp_path, table, cuts)
    assert_same_rows(
        read.cast(EVERY_TYPE.schema).replace_schema_metadata(None), table, EVERY_TYPE.key
    )
    assert stats["numRecords"] == table.num_rows
    footer = pq.read_metadata(path)
    bounded = {
        footer.row_group(group).column(number).path_in_schema
        for group in range(footer.num_row_groups)
        for number in range(footer.num_columns)
        if footer.row_group(group).column(number).statistics is not None
    }
    named = statistics_property(read.schema).split(",")
    assert list(stats["nullCount"]) == named
    for name, nulls in stats["nullCount"].items():
        assert nulls == read[name].null_count
    for field in read.schema:
        if pa.types.is_floating(field.type):
            # NaN is greater than the greatest for polars and Spark: no bound may speak of it.
            numbers = read[field.name].drop_null().to_numpy()
            assert (field.name in bounded) == (not np.isnan(numbers).any() and len(read) > 0)
    if "minValues" in stats:
        filled = {name for name in named if read[name].null_count < len(read)}
        assert filled == stats["minValues"].keys() == stats["maxValues"].keys()
    for name in stats.get("minValues", ()):
        values = read[name].drop_null().to_pylist()
        low, high = (stats[end][name] for end in ("minValues", "maxValues"))
        if pa.types.is_timestamp(read.schema.field(name).type):
            low, high = dt.datetime.fromisoformat(low), dt.datetime.fromisoformat(high)
        elif pa.types.is_date32(read.schema.field(name).type):
            low, high = dt.date.fromisoformat(low), dt.date.fromisoformat(high)
        elif pa.types.is_string(read.schema.field(name).type):
            low, high = low.encode(), high.encode()
            values = [value.encode() for value in values]
        assert all(low <= value <= high for value in values)
    for file in tmp_path.glob("*.parquet"):
        file.unlink()


def test_statistics_say_what_readers_can_skip_by(tmp_path: Path) -> None:
    table = fill(
        EVERY_TYPE,
        numbered(EVERY_TYPE, 3),
        micros=[1_700_000_000_123_456, 1_700_000_000_123_001, None],
        day=[19_700, None, 19_701],
        int64=[2**53 + 1, 2**53 + 3, -(2**63)],
        int8=None,
        key=["a" * 100, "b", "\U0010ffff" * 2 + "\ud7ff" * 100],
    )
    _, stats, _ = _written(tmp_path, table)
    low, high = stats["minValues"], stats["maxValues"]
    assert (low["int64"], high["int64"]) == (-(2**63), 2**53 + 3)
    assert (low["micros"], high["micros"]) == (
        "2023-11-14T22:13:20.123Z",
        "2023-11-14T22:13:20.124Z",
    )
    assert (low["day"], high["day"]) == ("2023-12-09", "2023-12-10")
    assert low["key"] == "a" * 64
    assert high["key"] == "\U0010ffff" * 2 + "\ud7ff" * 61 + "\ue000"
    assert "int8" not in low
    assert stats["nullCount"]["int8"] == 3
    assert stats["nullCount"]["micros"] == 1


def test_bounds_that_cannot_be_told_leave_none_for_the_file(tmp_path: Path) -> None:
    for name, value in (
        ("key", "\U0010ffff" * 65),
        ("micros", 2**62),
        ("day", -(2**31)),
    ):
        table = fill(EVERY_TYPE, numbered(EVERY_TYPE, 1), **{name: [value]})
        _, stats, _ = _written(tmp_path, table)
        assert stats.keys() == {"numRecords", "nullCount"}


def test_owner_of_files_that_are_not_staged(tmp_path: Path) -> None:
    plain = write_file(tmp_path, pa.table({"x": [1]}), stem="compact", store="s")
    assert staged_epoch(tmp_path / plain.path) is None
    (tmp_path / "torn").write_bytes(b"PAR1")
    assert staged_epoch(tmp_path / "torn") is None
    with pytest.raises(StoreError, match="cannot write"):
        write_file(tmp_path / "missing", pa.table({"x": [1]}), stem="x", store="s")


def test_merging_holds_a_row_group_of_what_it_reads_and_one_of_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = pa.schema([("number", pa.int64()), ("value", pa.float64()), ("text", pa.string())])
    columns = [range(30_000), [float(n % 777) for n in range(30_000)], ["x" * 50] * 30_000]
    table = pa.table([list(column) for column in columns], schema=schema)
    monkeypatch.setattr(deltafiles, "_ROWS_PER_GROUP", 1_000)
    files = [
        write_file(tmp_path, table[start : start + 5_000], stem="x", store="s")
        for start in range(0, 30_000, 5_000)
    ]
    held, most = 0, 0
    reading, writing = deltafiles._batches, pq.ParquetWriter.write_table

    def counted_reading(*arguments: Any) -> Iterator[pa.RecordBatch]:
        nonlocal held, most
        for batch in reading(*arguments):
            if batch.num_columns == len(schema):  # the search for NaN lets go of each at once
                held += batch.num_rows
                most = max(most, held)
            yield batch

    def counted_writing(writer: Any, piece: pa.Table, **options: Any) -> None:
        nonlocal held
        held -= piece.num_rows
        writing(writer, piece, **options)

    monkeypatch.setattr(deltafiles, "_batches", counted_reading)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", counted_writing)
    names = [file.path for file in files]
    merged = merge_files(tmp_path, names, schema, stem="merged", store="s")
    assert held == 0
    assert most == 2_000
    assert pq.read_table(tmp_path / merged.path) == table
    # Wide rows make smaller groups: here of some 85 bytes each.
    most = 0
    monkeypatch.setattr(deltafiles, "_BYTES_PER_GROUP", 40_000)
    monkeypatch.setattr(deltafiles, "_ROWS_PER_BATCH", 100)
    again = merge_files(tmp_path, [merged.path], schema, stem="again", store="s")
    footer = pq.read_metadata(tmp_path / again.path)
    sizes = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    assert most <= max(sizes) + 100 <= 700
    assert pq.read_table(tmp_path / again.path) == table


def test_files_that_cannot_be_merged_leave_nothing(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0, 2.0]})
    good = write_file(tmp_path, table, stem="x", store="s")
    torn = write_file(tmp_path, table, stem="x", store="s")
    os.truncate(tmp_path / torn.path, torn.size // 2)
    before = sorted(tmp_path.iterdir())
    for names in ([good.path, torn.path], [good.path, "missing.parquet"]):
        with pytest.raises(StoreError, match=rf"{names[1]} cannot be read to be merged"):
            merge_files(tmp_path, names, table.schema, stem="merged", store="s")
        with pytest.raises(StoreError, match=rf"{names[1]} cannot be read to be merged"):
            # Without a column to look for NaN in: the new file is begun already.
            merge_files(tmp_path, names, pa.schema([("x", pa.int64())]), stem="merged", store="s")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "kind",
    [
        pa.uint8(),
        pa.float16(),
        pa.timestamp("us"),
        pa.timestamp("ns", tz="UTC"),
        pa.timestamp("us", tz="Europe/Rome"),
        pa.date64(),
        pa.struct([]),
        pa.struct([pa.field("x", pa.uint64())]),
    ],
)
def test_types_that_lose_something_are_refused(kind: pa.DataType) -> None:
    contract = replace(EVERY_TYPE, schema=pa.schema([pa.field("value", kind)]))
    with pytest.raises(StoreContentError, match=r"every_type\.value"):
        lake_schema(contract, store="s")


def test_errors_of_the_operating_system() -> None:
    full = file_error("s", "write", OSError(errno.ENOSPC, "No space left"))
    told = file_error("s", "write", OSError("Generic \x1b[31merror\x1b[0m: (os error 28)"))
    assert full.transient
    assert told.transient
    assert "\x1b" not in str(told)
    assert not file_error("s", "write", PermissionError(errno.EACCES, "no")).transient
    assert isinstance(file_error("s", "read", OSError("thrift")), StoreContentError)
