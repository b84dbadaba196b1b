"""The fast reader, the exact one and the reference agree, whatever the bytes are."""

from __future__ import annotations

import json
import struct

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from support.decoding import assert_as_the_reference

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


def assert_same(values: list[bytes]) -> None:
    assert_as_the_reference(values, SCHEMA)


def test_the_common_record_is_common() -> None:
    record = json.dumps(COMMON, ensure_ascii=False).encode()
    result = from_json([record], RECORD_SCHEMA)
    assert result.exact == 0
    (row,) = result.table.select(RECORD_SCHEMA.names).to_pylist()
    wanted = {**COMMON, "_metadata": {"producer_id": "p-1", "message_id": "m-1"}}
    assert row == wanted


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":1,"a":{"b":1,"b":[true,false,null]}}',  # nobody wants them
        b' {"layer" : 1 ,\r\n"other":[ ] ,"x":{ } } rest \xff',
        b'{"timestamp":NaN,"temperature":-Infinity,"other":Infinity}',
        b'{"timestamp":-0,"temperature":-0.0,"pressure":1E5,"laser_power":0.1e-7}',
        b'{"sensor_id":"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xc2\x80\xe0\xa0\x80"}',
        b'{"_metadata":{},"layer":-2147483648}',
        b'{"other":' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"other":"' + b"y" * 3900 + b'"}',
        b"{}",
    ],
    ids=repr,
)
def test_what_is_common(value: bytes) -> None:
    assert from_json([value], SCHEMA).exact == 0
    assert_same([value])


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"1",
        b'{"layer":1,"layer":1}',
        b'{"_metadata":{"message_id":"1","message_id":"1"}}',
        b'{"a":"\\n"}',
        b'{"sensor_id":"\xff"}',
        b'{"sensor_id":"\xc0\xaf"}',
        b'{"sensor_id":"\xed\xa0\x80"}',
        b'{"sensor_id":"\xf4\x90\x80\x80"}',
        b'{"sensor_id":"\xe2\x82',
        b'{"sensor_id":5}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":1e}',
        b'{"a":-}',
        b"{'a':1}",
        b'{"a":"\t"}',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a"}',
        b"\xef\xbb\xbf{}",
        b'{"layer":1.0}',
        b'{"layer":2147483648}',
        b'{"timestamp":1e400}',
        b'{"a":' + b"1" * 301 + b"}",
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"a":"' + b"y" * 4000 + b'"}',
    ],
    ids=lambda value: repr(value)[:40],
)
def test_any_doubt_leaves_the_record_to_the_exact_reader(value: bytes | None) -> None:
    assert from_json([b"{}", value, b"{}"], SCHEMA).exact == 1
    assert_as_the_reference([b"{}", value, b"{}"], SCHEMA)


digits = st.text("0123456789", min_size=1, max_size=40)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "-"]),
        digits.map(lambda text: text.lstrip("0") or "0"),
        st.one_of(st.just(""), digits.map(lambda text: f".{text}")),
        st.one_of(st.just(""), st.integers(-330, 330).map(lambda power: f"e{power}")),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=20))
def test_numbers_are_rounded_once_and_to_the_nearest(texts: list[str]) -> None:
    # A column each: a value that does not fit one must not send the others to the exact reader.
    for kind in (pa.float64(), pa.float32(), pa.int64()):
        schema = pa.schema([("n", kind)])
        records = [f'{{"n":{text}}}'.encode() for text in texts]
        assert_as_the_reference(records, schema, ["dead_letter"])


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_as_a_double_is_read_as_it(number: float) -> None:
    record = json.dumps({"timestamp": number}).encode()
    (found,) = from_json([record], RECORD_SCHEMA, "dead_letter").table["timestamp"].to_pylist()
    assert struct.pack("d", found) == struct.pack("d", number)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_a_slice_of_an_arrow_array(kind: pa.DataType) -> None:
    listed = [b'{"layer":%d}' % layer if layer % 5 else None for layer in range(40)]
    sliced = pa.array(listed, kind)[7:31]
    result = from_json(sliced, RECORD_SCHEMA)
    assert result.table["layer"].to_pylist() == [
        layer if layer % 5 else None for layer in range(7, 31)
    ]
    assert from_json(sliced[:0], RECORD_SCHEMA).table.num_rows == 0


def test_a_null_struct_has_null_fields() -> None:
    table = from_json([b'{"_metadata":{"message_id":"m"}}', b"{}", b"[]"], RECORD_SCHEMA).table
    assert table["_metadata"].combine_chunks().field("message_id").to_pylist() == ["m", None, None]
    table.validate(full=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(pairs, max_size=8), separators, tails)
def test_adversarial_fields(fields: list[bytes], separator: bytes, tail: bytes) -> None:
    assert_same([b"{" + separator.join(fields) + b"}" + tail])


@settings(max_examples=150, deadline=None)
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


def test_numbers_of_any_length_with_a_point_anywhere() -> None:
    digits = "1234567890987654321012345"
    texts = [digits[:count] for count in range(1, 20)]
    texts += [f"{text[:at]}.{text[at:]}" for text in texts for at in range(1, len(text))]
    texts += [f"-{text}e-{len(text)}" for text in texts]
    # Eight bytes at a time, or one by one where the record ends.
    records = [b'{"n":%b%b}' % (text.encode(), end) for text in texts for end in (b"", b" " * 9)]
    found = from_json(records, pa.schema([("n", pa.float64())]), "dead_letter")
    assert found.exact == 0
    assert found.table["n"].to_pylist() == [float(text) for text in texts for _ in range(2)]
    more = [b'{"n":%b}' % (digits[:at] + "." + digits[at:]).encode() for at in range(1, 25)]
    assert_as_the_reference(more, pa.schema([("n", pa.float64())]), ["dead_letter"])


@pytest.mark.parametrize(
    "odd", [b"", b"\\n", b"\x1f", b"\xff", b"\xc3\xa9", b"'", b"\x7f"], ids=repr
)
def test_texts_of_any_length_with_something_odd_anywhere(odd: bytes) -> None:
    schema = pa.schema([("s", pa.string()), ("t", pa.string())])
    texts = [b"x" * size for size in range(40)]
    texts += [b"x" * at + odd + b"y" * (size - at) for size in (15, 16, 33) for at in range(size)]
    ends = [b"", b',"t":"%b"' % (b"z" * 17), b" " * 20]
    records = [b'{"s":"%b"%b}' % (text, end) for text in texts for end in ends]
    assert_as_the_reference(records, schema, ["dead_letter"])


NAMES_OF_FIELDS = [
    "",
    "a",
    "a" * 14,
    "a" * 15,
    "a" * 40,
    'q"q',
    "b\\s",
    "t\tb",
    "é",
    "/",
    "\x7f",
    "a\0",
]


def test_fields_of_any_name_in_any_order() -> None:
    schema = pa.schema([(name, pa.int32()) for name in NAMES_OF_FIELDS])
    written = [
        [json.dumps(name, ensure_ascii=False), json.dumps(name), f'"{name}"']
        for name in NAMES_OF_FIELDS
    ]
    records = []
    for turn in range(len(written)):
        order = written[turn:] + written[:turn]
        for which in range(3):
            for gap in ("", " " * 17):
                pairs = [f"{forms[which]}{gap}:{number}" for number, forms in enumerate(order)]
                records += [f"{{{','.join(pairs)}}}", f"{{{','.join(pairs[:1])}}}"]
    assert_as_the_reference([record.encode() for record in records], schema)
