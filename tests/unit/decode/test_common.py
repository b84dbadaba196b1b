"""The common reader never disagrees with the exact one."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.decode.common import MAX_COMMON_BYTES, common_row
from pbf_ray.decode.fields import converters_of
from pbf_ray.decode.record import read_record

COMMON = {
    "sensor_id": "SENSOR-001",
    "timestamp": 1700000000.25,
    "temperature": 1601.5,
    "pressure": 0.95,
    "laser_power": 200,
    "scan_speed": 1.2,
    "build_id": "BUILD-\u00e9",
    "layer": 12,
    "_metadata": {"producer_id": "p-1", "message_id": "m-1", "timestamp": 1700000000.5},
}
SCHEMA = pa.schema(
    [*RECORD_SCHEMA, ("f", pa.float32()), ("b", pa.int8()), ("l", pa.int64()), ("o", pa.bool_())]
)
TOKENS = [
    *(b"1", b"-1", b"0", b"-0", b"-0.0", b"1.5", b"1e5", b"01", b"1.", b".5", b"+1", b"1e400"),
    *(
        b"2147483648",
        b"9223372036854775808",
        b"1" * 400,
        b"200",
        b"-129",
        b"16777217.0000000001",
        b"NaN",
    ),
    *(b"Infinity", b"-Infinity", b"+INF", b"nan", b"true", b"false", b"null", b"tru", b"True"),
    *(b'"x"', b'""', b"'x'", b'"a\tb"', b'"\\u0041"', b'"\\q"', b'"\xff"', b'"\xf0\x9f\x98\x80"'),
    *(b"[]", b"[1,]", b"{}", b'{"producer_id":1}', b'{"a":1,"a":2}', b"[NaN]", b'"NaN"', b"{"),
]
NAMES = [*SCHEMA.names, "producer_id", "message_id", "other", "Layer", ""]
names = st.sampled_from(NAMES).map(lambda name: b'"' + name.encode() + b'"')
values = st.sampled_from(TOKENS)
pairs = st.tuples(names, values).map(b":".join)
separators = st.sampled_from([b",", b", ", b"\n,", b",,", b""])
tails = st.sampled_from([b"", b" ", b"x", b"}", b"{}", b"\x00", b"\xff"])


def exactly(value: bytes | None, schema: pa.Schema) -> dict[str, Any]:
    """The row of the exact reader, with every field of the schema."""
    row = read_record(value, converters_of(schema)).row

    def complete(fields: list[pa.Field], row: dict[str, Any]) -> dict[str, Any]:
        whole = {}
        for field in fields:
            inner = row.get(field.name)
            if isinstance(inner, dict):
                inner = complete(list(field.type.fields), inner)
            whole[field.name] = inner
        return whole

    return complete(list(schema), row)


def assert_same(values: list[bytes]) -> None:
    """Rows of from_json (which tries the common reader first) are those of the exact reader."""
    result = from_json(values, SCHEMA)
    exact = pa.Table.from_pylist([exactly(value, SCHEMA) for value in values], schema=SCHEMA)
    # repr tells NaN, infinities and -0.0 apart and prints doubles exactly
    assert repr(result.table.select(SCHEMA.names).to_pylist()) == repr(exact.to_pylist())
    outcomes = [read_record(value, converters_of(SCHEMA)) for value in values]
    assert result.flagged.to_pylist() == [outcome.flagged for outcome in outcomes]
    corrupt = result.table["_corrupt_record"].is_valid().to_pylist()
    assert corrupt == [outcome.is_corrupt for outcome in outcomes]


def test_the_common_record_is_common() -> None:
    assert common_row(json.dumps(COMMON, ensure_ascii=False).encode()) == COMMON


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" {}",
        b"[]",
        b"1",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":"\\n"}',
        b'{"a":"\xff"}',
        b'{"a":01}',
        b"{'a':1}",
        b'{"a":"\t"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"1" * MAX_COMMON_BYTES + b"}",
        b'{"a":' + b"[" * 490 + b"]" * 490,
    ],
    ids=repr,
)
def test_any_doubt_leaves_the_record_to_the_exact_reader(value: bytes | None) -> None:
    assert common_row(value) is None


@settings(max_examples=400, deadline=None)
@given(st.lists(pairs, max_size=8), separators, tails)
def test_adversarial_fields(fields: list[bytes], separator: bytes, tail: bytes) -> None:
    assert_same([b"{" + separator.join(fields) + b"}" + tail])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_near_common_records(data: st.DataObject) -> None:
    record = bytearray(json.dumps(COMMON, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(record)))
        end = data.draw(st.integers(start, min(start + 6, len(record))))
        record[start:end] = data.draw(
            st.one_of(
                values,
                st.binary(max_size=2),
                st.sampled_from([b'"', b",", b":", b"{", b"}", b"[", b"]", b"\\", b"'", b" "]),
            )
        )
    assert_same([bytes(record)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(pairs, max_size=4), max_size=6))
def test_doubtful_rows_among_others(batch: list[list[bytes]]) -> None:
    common = json.dumps(COMMON).encode()
    assert_same([common, *(b"{" + b",".join(fields) + b"}" for fields in batch), common])
