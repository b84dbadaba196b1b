from __future__ import annotations

import datetime as dt
import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage.deltafiles import (
    file_error,
    lake_schema,
    staged_epoch,
    statistics_property,
    to_lake,
    write_file,
)
from support.store_suite import EVERY_TYPE, assert_same_rows, fill, numbered, tables


def _written(folder: Path, table: pa.Table) -> tuple[pa.Table, dict[str, Any], Path]:
    schema = lake_schema(EVERY_TYPE, store="s")
    rows = to_lake(table, schema, store="s", name="every_type")
    file = write_file(folder, rows, stem="x", store="s", job_id="jöb", epoch=2**40)
    path = folder / file.path
    assert path.stat().st_size == file.size
    return pq.read_table(path), json.loads(file.stats), path


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=tables(EVERY_TYPE))
def test_statistics_never_exclude_a_row(tmp_path: Path, table: pa.Table) -> None:
    read, stats, path = _written(tmp_path, table)
    assert_same_rows(
        read.cast(EVERY_TYPE.schema).replace_schema_metadata(None), table, EVERY_TYPE.key
    )
    assert stats["numRecords"] == table.num_rows
    assert staged_epoch(path) == ("jöb", 2**40)
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
    path.unlink()


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
