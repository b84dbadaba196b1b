"""Records of a grammar that reaches every odd corner of JSON as Spark reads it.

How many are tried is up to the profile: ``make property`` tries some hundred thousand.
"""

from __future__ import annotations

import struct

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.decode import from_json
from pbf_ray.decode.reference.java_double import java_double_text
from pbf_ray.decode.reference.java_text import (
    READER_CHUNK,
    is_identifier_part,
    is_identifier_start,
)
from support.decoding import assert_as_the_reference

SCHEMA = pa.schema(
    [
        pa.field("s", pa.string()),
        pa.field("d", pa.float64()),
        pa.field("f", pa.float32()),
        pa.field("i", pa.int32()),
        pa.field("b", pa.int8()),
        pa.field("h", pa.int16()),
        pa.field("l", pa.int64()),
        pa.field("o", pa.bool_()),
        pa.field("m", pa.struct([("s", pa.string()), ("d", pa.float64()), ("o", pa.bool_())])),
        pa.field("n", pa.struct([("m", pa.struct([("s", pa.string()), ("i", pa.int32())]))])),
        pa.field("", pa.string()),
        pa.field("\u00e9\U0001f600", pa.string()),
    ]
)

space = st.sampled_from([b"", b"", b"", b" ", b"\n\t\r ", b"\x0c", b"\xc2\xa0", b"/*"])
escape = st.sampled_from(
    [
        *(b'\\"', b"\\'", b"\\\\", b"\\/", b"\\b", b"\\f", b"\\n", b"\\r", b"\\t", b"\\q", b"\\"),
        *(
            b"\\u0000",
            b"\\u0073",
            b"\\u00E9",
            b"\\ud83d\\ude00",
            b"\\ud83d",
            b"\\ude00",
            b"\\u00g0",
        ),
        *(b"\\u\xc4\xb0123", b"\\u12", b"\\ufeff", b"\\uD83D\xf0\x9f\x98\x80"),
    ]
)
raw = st.sampled_from(
    [
        *(b"s", b"x", b"a b", b"\t", b"\x00", b"\x1f", b"\x7f", b"\xc3\xa9", b"\xf0\x9f\x98\x80"),
        *(
            b"\xff",
            b"\xfe\xff",
            b"\xc0\xaf",
            b"\xe2\x82",
            b"\xed\xa0\x80",
            b"\xed\xa0",
            b"\xf4\x90",
        ),
        *(b"\xf0\x9f\x98", b"\xe0\x80", b"\xef\xbb\xbf", b"'", b'"', b"NaN", b"+INF", b"Infinity"),
    ]
)
inside = st.lists(st.one_of(raw, raw, escape), max_size=4).map(b"".join)
quotes = st.sampled_from([(b'"', b'"'), (b'"', b'"'), (b"'", b"'"), (b'"', b"'"), (b'"', b"")])
strings = st.builds(lambda quote, text: quote[0] + text + quote[1], quotes, inside)
sign = st.sampled_from([b"", b"", b"-", b"+"])
digits = st.one_of(
    st.sampled_from([b"0", b"1", b"00", b"01", b"", b"255", b"128", b"32768", b"2147483648"]),
    st.sampled_from([b"9223372036854775807", b"9223372036854775808", b"9" * 40]),
    st.text("0123456789", min_size=1, max_size=20).map(str.encode),
)
fraction = st.sampled_from([b"", b"", b".", b".0", b".5", b".25", b".1234567890123456789", b".e"])
power = st.one_of(
    st.sampled_from([b"", b"", b"", b"e", b"E+", b"e400", b"E-400", b"e0", b"e99999999999"]),
    st.integers(-330, 330).map(lambda value: b"e%d" % value),
)
numbers = st.one_of(
    st.builds(lambda *parts: b"".join(parts), sign, digits, fraction, power),
    st.floats().map(lambda value: repr(value).encode()),
    st.integers(-(2**64), 2**64).map(lambda value: b"%d" % value),
)
words = st.builds(
    lambda word, tail: word + tail,
    st.sampled_from(
        [
            *(b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity", b"+Infinity", b"-INF"),
            *(b"+INF", b"INF", b"-NaN", b"nan", b"TRUE", b"tru", b"nul", b"-I", b"+", b"-", b""),
        ]
    ),
    st.sampled_from([b"", b"", b"", b"", b"x", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"]", b"\x00"]),
)
scalars = st.one_of(strings, numbers, words)
names = st.one_of(
    st.sampled_from([f'"{name}"'.encode() for name in SCHEMA.names]),
    st.sampled_from([f'"{name}"'.encode() for name in SCHEMA.names]),
    st.sampled_from(
        [b"'s'", b'"\\u0073"', b"s", b'"S"', b'"m', b'"\\u00e9\\ud83d\\ude00"', b'"x"']
    ),
    strings,
)
colon = st.sampled_from([b":", b":", b":", b":", b" : ", b"", b"::", b"="])
comma = st.sampled_from([b",", b",", b",", b",", b" ,\n", b",,", b"", b";"])


def joined(parts: list[bytes], separators: list[bytes]) -> bytes:
    out = b""
    for number, part in enumerate(parts):
        out += (separators[number % len(separators)] if number else b"") + part
    return out


def nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    separators = st.lists(comma, min_size=1, max_size=3)
    ends = st.sampled_from([b"}", b"}", b"}", b"]", b"", b",}"])
    pairs = st.lists(st.builds(lambda *parts: b"".join(parts), names, colon, inner), max_size=4)
    objects = st.builds(
        lambda begin, pairs, separators, end: b"{" + begin + joined(pairs, separators) + end,
        *(space, pairs, separators, ends),
    )
    arrays = st.builds(
        lambda items, separators, end: b"[" + joined(items, separators) + end,
        *(st.lists(inner, max_size=4), separators, st.sampled_from([b"]", b"]", b"}", b"", b",]"])),
    )
    return st.one_of(objects, arrays)


values = st.recursive(scalars, nested, max_leaves=6)
fields = st.lists(
    st.builds(lambda *parts: b"".join(parts), names, colon, space, values, space), max_size=6
)
tails = st.sampled_from(
    [b"}", b"}", b"}", b"} x", b"}}", b"}{}", b"}\x00", b",}", b"]", b"", b"} \xe2"]
)
records = st.one_of(
    st.none(),
    st.builds(
        lambda begin, fields, separators, end: begin + b"{" + joined(fields, separators) + end,
        *(space, fields, st.lists(comma, min_size=1, max_size=4), tails),
    ),
    values,
)


@given(st.lists(records, min_size=1, max_size=6))
def test_the_grammar(batch: list[bytes | None]) -> None:
    assert_as_the_reference(batch, SCHEMA)


@given(records, st.integers(-12, 4), st.sampled_from([b"x", b"\xc3\xa9", b"\xf0\x9f\x98\x80"]))
def test_what_lies_at_the_end_of_a_chunk(record: bytes | None, back: int, filling: bytes) -> None:
    # Jackson takes 4000 units at a time; what touches that edge is read by other rules.
    units = READER_CHUNK + back - len(b'{"x":"","s":')
    count, rest = divmod(units, len(filling.decode().encode("utf-16-le")) // 2)
    begin = b'{"x":"' + filling * count + b"y" * rest + b'","s":'
    assert_as_the_reference([begin + (record or b"1.5e3") + b"}"], SCHEMA, ["dead_letter"])


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50))
def test_doubles_as_java_prints_them(bits: list[int]) -> None:
    doubles = struct.unpack(f"<{len(bits)}d", struct.pack(f"<{len(bits)}Q", *bits))
    finite = [value for value in doubles if value - value == 0]
    texts = [f"{value!r}" if "e" in repr(value) else f"{value!r}e0" for value in finite]
    found = from_json([f'{{"s":{text}}}'.encode() for text in texts], SCHEMA).table["s"].to_pylist()
    assert found == [java_double_text(value) for value in finite]


def test_every_unit_that_java_takes_into_an_identifier() -> None:
    units = [chr(unit) for unit in range(0x80, 0x10000) if not 0xD800 <= unit <= 0xDFFF]
    for before, belongs in ((b"true", is_identifier_part), (b"", is_identifier_start)):
        found = from_json(
            [b'{"a":' + before + unit.encode() + b"}" for unit in units], SCHEMA, "dead_letter"
        )
        details = found.rejects["detail"].to_pylist()
        assert len(details) == len(units)
        odd = [
            (unit, detail)
            for unit, detail in zip(units, details, strict=True)
            if belongs(unit) != detail.startswith("unknown token")
        ]
        assert not odd
