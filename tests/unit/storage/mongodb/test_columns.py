"""Rows through BSON and back, to the bit, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bson
import pyarrow as pa
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.mongodb.columns import check_types, from_documents, to_documents
from support.store_suite import EVERY_TYPE, SECOND, assert_same_rows, numbered, tables

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_MS
)


def sent(contract: TableContract, table: pa.Table) -> list[dict[str, Any]]:
    documents = to_documents(contract, table, {"job_id": "j", "generation": 0, "epoch": 1})
    return [bson.decode(bson.encode(document), CODEC) for document in documents]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(tables(EVERY_TYPE))
def test_every_value_survives(table: pa.Table) -> None:
    documents = sent(EVERY_TYPE, table)
    assert_same_rows(
        from_documents(EVERY_TYPE, documents, EVERY_TYPE.schema, store="s"), table, "key"
    )


KINDS = {
    "utc": pa.timestamp("ns", tz="UTC"),
    "local": pa.timestamp("ns"),
    "micros": pa.timestamp("us"),
    "millis": pa.timestamp("ms"),
    "seconds": pa.timestamp("s"),
    "day": pa.date32(),
    "u8": pa.uint8(),
    "u32": pa.uint32(),
    "single": pa.float32(),
    "long": pa.large_string(),
    "raw": pa.large_binary(),
    "a.b/%": pa.struct([pa.field("$x", pa.float32()), pa.field("t/", pa.timestamp("ns"))]),
    "_id": pa.int8(),
    "_exact": pa.string(),
}
WIDE = replace(
    SECOND, schema=pa.schema([*SECOND.schema, *(pa.field(*item) for item in KINDS.items())])
)


def _bits(width: int) -> st.SearchStrategy[int]:
    return st.sampled_from((0, 1, 2**width - 1, 2 ** (width - 1))) | st.integers(0, 2**width - 1)


def _column(kind: pa.DataType, rows: int) -> st.SearchStrategy[pa.Array]:
    if pa.types.is_struct(kind):
        parts = st.tuples(*(_column(child.type, rows) for child in kind))
        return parts.map(lambda arrays: pa.StructArray.from_arrays(arrays, fields=list(kind)))
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return st.lists(st.none() | st.text(), min_size=rows, max_size=rows).map(
            lambda values: pa.array(values, kind)
        )
    if pa.types.is_large_binary(kind):
        return st.lists(st.none() | st.binary(), min_size=rows, max_size=rows).map(
            lambda values: pa.array(values, kind)
        )
    width = kind.bit_width
    unsigned = {8: pa.uint8(), 32: pa.uint32(), 64: pa.uint64()}[width]
    return st.lists(st.none() | _bits(width), min_size=rows, max_size=rows).map(
        lambda values: pa.array(values, unsigned).view(kind)
    )


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_types_that_the_job_does_not_have(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 4))
    table = numbered(SECOND, rows)
    for field in list(WIDE.schema)[3:]:
        table = table.append_column(field, data.draw(_column(field.type, rows)))
    check_types(WIDE, store="s")
    assert_same_rows(from_documents(WIDE, sent(WIDE, table), WIDE.schema, store="s"), table, "key")


@pytest.mark.parametrize(
    "kind",
    [pa.uint64(), pa.list_(pa.int8()), pa.timestamp("us", tz="Europe/Berlin"), pa.decimal128(5),
     pa.float16(), pa.struct([pa.field("in", pa.uint64())])],
    ids=str,
)  # fmt: skip
def test_types_that_cannot_be_stored_are_named(kind: pa.DataType) -> None:
    contract = replace(SECOND, schema=SECOND.schema.append(pa.field("odd", kind)))
    with pytest.raises(StoreContentError, match=r"second\.odd: .* cannot be stored"):
        check_types(contract, store="s")
    with pytest.raises(StoreContentError, match="not text or integer"):
        check_types(replace(WIDE, key="single"), store="s")
