from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.sqlcolumns import columns_of, decode, encode, quote_identifier
from support.store_suite import EVERY_TYPE, SECOND, assert_same_rows, tables


def _contract(*fields: pa.Field) -> TableContract:
    return replace(SECOND, schema=pa.schema([pa.field("key", pa.string()), *fields]))


@settings(deadline=None, max_examples=50)
@given(table=tables(EVERY_TYPE))
def test_decode_undoes_encode(table: pa.Table) -> None:
    columns = encode(table)
    assert len(columns) == len(columns_of(EVERY_TYPE, store="s"))
    # SQLite has neither NaN, which it stores as NULL, nor -0.0, which it stores as 0.0.
    stored = [
        [None if value != value else value + 0 if value == 0 else value for value in column]
        for column in columns
    ]
    back = decode(stored, table.schema, store="s", table="every_type")
    assert_same_rows(back, table, "key")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_out_of_the_range_of_iso_text(unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, tz=zone)
    year_10000 = 253_402_300_800 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    edges = [year_10000 - 1, year_10000] if unit != "ns" else []
    values = [None, 0, -1, 2**63 - 1, -(2**63), -(2**63) + 1, *edges]
    array = pa.array(values, pa.int64()).view(kind)
    table = pa.table({"t": array, "d": pa.array([None] * len(values), pa.date32())})
    columns = encode(table)
    assert columns[0][1].startswith("1970-01-01T00:00:00")
    assert columns[0][3] is None
    back = decode(columns, table.schema, store="s", table="t")
    assert back["t"].combine_chunks().view(pa.int64()).to_pylist() == values


def test_days_out_of_the_range_of_iso_text() -> None:
    values = [0, None, -719_162, -719_163, 2_932_896, 2_932_897, 2**31 - 1, -(2**31)]
    table = pa.table({"d": pa.array(values, pa.int32()).view(pa.date32())})
    texts, exact = encode(table)
    assert texts[:5] == ["1970-01-01", None, "0001-01-01", None, "9999-12-31"]
    assert exact[5] == '{"d":"2932897"}'
    back = decode([texts, exact], table.schema, store="s", table="t")
    assert back["d"].combine_chunks().view(pa.int32()).to_pylist() == values


def test_no_rows() -> None:
    empty = EVERY_TYPE.schema.empty_table()
    back = decode(encode(empty), empty.schema, store="s", table="t")
    assert back.equals(empty)


def test_fields_that_become_one_column_are_refused() -> None:
    inner = pa.struct([pa.field("b", pa.string())])
    for clash in (
        _contract(pa.field("a", inner), pa.field("a_b", pa.string())),
        _contract(pa.field("a", pa.string()), pa.field("A", pa.string())),
        _contract(pa.field("_exact", pa.string())),
    ):
        with pytest.raises(StoreContentError, match="several fields"):
            columns_of(clash, store="s")


@pytest.mark.parametrize(
    "kind", [pa.uint64(), pa.float16(), pa.decimal128(9, 2), pa.timestamp("us", tz="Europe/Rome")]
)
def test_types_that_lose_something_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(StoreContentError, match=r"second\.value"):
        columns_of(_contract(pa.field("value", kind)), store="s")
    struct = pa.struct([pa.field("value", kind)])
    with pytest.raises(StoreContentError, match=r"second\.value"):
        columns_of(_contract(pa.field("outer", struct)), store="s")


def test_key_that_the_sidecar_would_hold_is_refused() -> None:
    floats = replace(_contract(pa.field("x", pa.float64())), key="x")
    with pytest.raises(StoreContentError, match="the key x is double"):
        columns_of(floats, store="s")


def test_sidecar_of_others_is_refused() -> None:
    for text in ("not json", "[1]", '{"x": {}}'):
        with pytest.raises(StoreContentError):
            decode([[1.0], [text]], pa.schema([("x", pa.float64())]), store="s", table="t")


def test_identifiers_are_quoted() -> None:
    assert quote_identifier('a"; DROP TABLE b; --') == '"a""; DROP TABLE b; --"'
    for nothing in ("", "a\0b"):
        with pytest.raises(ValueError, match="no SQL identifier"):
            quote_identifier(nothing)
