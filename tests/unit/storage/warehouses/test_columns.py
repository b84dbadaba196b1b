"""Rows through Parquet and back, to the bit, without a server."""

from __future__ import annotations

import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.warehouses.bigquery_dialect import BIGQUERY
from pbf_ray.storage.warehouses.columns import SEQUENCE, columns_of, loadable, rows_of
from pbf_ray.storage.warehouses.dialect import WarehouseDialect
from pbf_ray.storage.warehouses.snowflake_dialect import SNOWFLAKE
from support.store_suite import EVERY_TYPE, SECOND, assert_same_rows, fill, numbered, tables


def through(contract: TableContract, table: pa.Table) -> pa.Table:
    """As a warehouse would give it back: dates and moments as integers."""
    content = io.BytesIO()
    pq.write_table(loadable(contract, table), content)
    loaded = pq.read_table(content)
    columns = [
        column.combine_chunks().view(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
        if pa.types.is_temporal(column.type)
        else column.combine_chunks()
        for column in loaded.columns
    ]
    (batch,) = pa.Table.from_arrays(columns, loaded.schema.names).to_batches() or [None]
    if batch is None:
        return contract.schema.empty_table()
    return rows_of(contract, batch, contract.schema, store="s")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(tables(EVERY_TYPE))
def test_every_value_survives(table: pa.Table) -> None:
    assert_same_rows(through(EVERY_TYPE, table), table, "key")


KINDS = {
    "utc": pa.timestamp("ns", tz="UTC"),
    "local": pa.timestamp("ns"),
    "micros": pa.timestamp("us"),
    "millis": pa.timestamp("ms"),
    "seconds": pa.timestamp("s", tz="UTC"),
    "day": pa.date32(),
}
TIMES = replace(
    SECOND, schema=pa.schema([*SECOND.schema, *(pa.field(*item) for item in KINDS.items())])
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.integers(1, 5))
def test_every_moment_survives(data: st.DataObject, rows: int) -> None:
    table = numbered(SECOND, rows)
    for name, kind in KINDS.items():
        width = kind.bit_width
        count = st.integers(-(2 ** (width - 1)), 2 ** (width - 1) - 1) | st.integers(-9999, 9999)
        drawn = data.draw(st.lists(st.none() | count, min_size=rows, max_size=rows))
        values = pa.array(drawn, pa.int32() if width == 32 else pa.int64()).view(kind)
        table = table.append_column(TIMES.schema.field(name), values)
    assert_same_rows(through(TIMES, table), table, "key")


def test_keys_with_odd_characters_stay_different() -> None:
    keys = ["a", "a\0", "a\u24000", "a\u2400\u24000", ""]
    table = fill(SECOND, numbered(SECOND, len(keys)), key=keys)
    stored = loadable(SECOND, table).column("c0").to_pylist()
    assert len(set(stored)) == len(keys)
    assert not any("\0" in key for key in stored)
    assert_same_rows(through(SECOND, table), table, "key")


@pytest.mark.parametrize("dialect", [SNOWFLAKE, BIGQUERY], ids=["snowflake", "bigquery"])
def test_names_are_quoted_and_do_not_meet(dialect: WarehouseDialect) -> None:
    odd = 'odd "name"; -- `'
    quoted = dialect.quoted(odd)
    sign = dialect.quote_sign
    assert quoted[0] == quoted[-1] == sign
    assert quoted[1:-1].replace(sign * 2, "").count(sign) == 0
    for name in ("", "a\0b"):
        with pytest.raises(ValueError, match="no SQL identifier"):
            dialect.quoted(name)
        assert dialect.table_problem(name)
    for fields in (
        ("a", "A"),
        (SEQUENCE,),
        ("a.b", "a_x2e_b") if dialect is BIGQUERY else ("é", "É"),
    ):
        schema = pa.schema([*SECOND.schema, *(pa.field(name, pa.int8()) for name in fields)])
        with pytest.raises(StoreContentError, match="several fields become"):
            columns_of(replace(SECOND, schema=schema), dialect, store="s")


def test_plain_names_need_no_quotes_in_snowflake() -> None:
    assert SNOWFLAKE.quoted("build_id") == '"BUILD_ID"'
    assert SNOWFLAKE.quoted("Build Id") == '"Build Id"'
    assert BIGQUERY.quoted("build_id") == "`build_id`"
    assert BIGQUERY.quoted("1 b`") == "`_x31__x20_b_x60_`"
