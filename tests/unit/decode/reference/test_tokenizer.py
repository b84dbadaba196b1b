"""Where reading goes on after an error, at the edges of chunks, and at the limits (item 10)."""

from __future__ import annotations

from typing import Any

import pytest

from pbf_ray.decode.reference.java_text import READER_CHUNK

RECOVERY: list[tuple[str, bytes, str, dict[str, Any]]] = [
    (
        "a control unit ends the string, reading goes on behind it",
        b'{"layer":3,"sensor_id":"x\t,"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "a bad escape ends the string, reading goes on behind it",
        b'{"layer":3,"sensor_id":"x\\q,"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "so it is in a field of another type",
        b'{"temperature":"x\t,"build_id":"b"}',
        "flagged",
        {"build_id": "b"},
    ),
    (
        "so it is in a bool or struct field",
        b'{"_metadata":"x\t,"build_id":"b"}',
        "flagged",
        {"build_id": "b"},
    ),
    (
        "a single-quoted string is read with its name, so the record is void",
        b"{'layer':3,'sensor_id':'x\t,'build_id':'b'}",
        "void",
        {},
    ),
    (
        "an ignored string is read by next token, so the record is void",
        b'{"layer":3,"foo":"x\t,"build_id":"b"}',
        "void",
        {},
    ),
    (
        "a bad value in a struct ends the record, what was read stands",
        b'{"layer":3,"_metadata":{"producer_id":tru,"message_id":"x"},"sensor_id":"q"}',
        "flagged",
        {"layer": 3},
    ),
    (
        "so does a missing colon in a struct",
        b'{"layer":3,"_metadata":{"producer_id" 1},"sensor_id":"q"}',
        "flagged",
        {"layer": 3},
    ),
    (
        "a bad name in a struct voids the record",
        b'{"layer":3,"_metadata":{producer_id:1},"sensor_id":"q"}',
        "void",
        {},
    ),
    (
        "a bad value in an array of a struct field passes",
        b'{"_metadata":{"producer_id":[tru],"message_id":"x"},"sensor_id":"q"}',
        "flagged",
        {"sensor_id": "q", "_metadata": {"producer_id": None, "message_id": "x"}},
    ),
    (
        "a bad number in an array of a struct field leaves no field",
        b'{"_metadata":{"producer_id":[1.x],"message_id":"x"},"sensor_id":"q"}',
        "flagged",
        {},
    ),
    (
        "a bad number that starts with zero leaves reading at its second digit",
        b'{"sensor_id":[01],"build_id":"b","layer":3}',
        "void",
        {},
    ),
    (
        "an error in an array skips to the end of the array",
        b'{"sensor_id":[tru, 1, [2], {"layer":9}],"build_id":"b"}',
        "flagged",
        {"build_id": "b"},
    ),
    (
        "an error inside a string of an array is left inside the array",
        b'{"sensor_id":["a\t,1],"build_id":"b","layer":4}',
        "flagged",
        {"build_id": "b", "layer": 4},
    ),
    (
        "an error in a nested object of a string field leaves reading inside it",
        b'{"sensor_id":{"a":"x\t,"layer":5,"build_id":"in"},"layer":7}',
        "flagged",
        {"build_id": "in", "layer": 5},
    ),
    (
        "a bad value in a nested object of a string field ends the record",
        b'{"layer":3,"sensor_id":{"a":tru},"build_id":"b"}',
        "flagged",
        {"layer": 3},
    ),
    ("text that ends inside a string voids the record", b'{"layer":3,"sensor_id":"abc', "void", {}),
    (
        "text that ends inside a struct after an error voids the record",
        b'{"layer":3,"_metadata":{"producer_id":"\\q"',
        "void",
        {},
    ),
    (
        "brackets do not match in a struct",
        b'{"layer":3,"_metadata":{"producer_id":"p"],"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "brackets do not match in an array of a string field",
        b'{"layer":3,"sensor_id":[1},"build_id":"b"}',
        "void",
        {},
    ),
    (
        "only the low byte of an escape digit counts",
        b'{"build_id":"\\u004\xc4\xb1\\u00\xc4\xb1\xc4\xb1"}',
        "row",
        {"build_id": "A\x11"},
    ),
    (
        "true before a letter of another alphabet",
        b'{"sensor_id":[true\xc3\xa9],"layer":3}',
        "flagged",
        {"layer": 3},
    ),
    (
        "true before a character beyond U+FFFF",
        b'{"sensor_id":[true\xf0\x9f\x98\x80],"layer":3}',
        "void",
        {},
    ),
    (
        "an unknown token is passed over with all its letters, of any alphabet",
        b'{"sensor_id":[true\xc3\xa91,2],"layer":3}',
        "flagged",
        {"layer": 3},
    ),
    ("a literal ends before a sign", b'{"sensor_id":[true-1,2],"layer":3}', "void", {}),
    ("a sign without digit is read", b'{"sensor_id":[-x,2],"layer":3}', "flagged", {"layer": 3}),
    ("a sign before a comma takes the comma", b'{"sensor_id":[-,2],"layer":3}', "void", {}),
    ("a point is read", b'{"sensor_id":[.,2],"layer":3}', "flagged", {"layer": 3}),
    ("a point after 1 is read", b'{"sensor_id":[1.,2],"layer":3}', "flagged", {"layer": 3}),
    ("a point after 0 takes the comma", b'{"sensor_id":[0.,2],"layer":3}', "void", {}),
    ("an e after 1 is read", b'{"sensor_id":[1e,2],"layer":3}', "flagged", {"layer": 3}),
    ("an e after 0 takes the comma", b'{"sensor_id":[0e,2],"layer":3}', "void", {}),
]


@pytest.mark.parametrize(
    ("value", "kind", "row"), [case[1:] for case in RECOVERY], ids=[case[0] for case in RECOVERY]
)
def test_reading_after_an_error_goes_on_where_spark_goes_on(
    value: bytes, kind: str, row: dict[str, Any], check: Any
) -> None:
    check(value, kind, row)


def at_edge(before: int, field: bytes, token: bytes) -> bytes:
    """A record whose ``token`` begins that many units before the end of the first chunk."""
    start, middle = b'{"foo":"', b'","' + field + b'":'
    filler = b"x" * (READER_CHUNK - before - len(start) - len(middle))
    return start + filler + middle + token + b',"layer":3}'


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (at_edge(3, b"temperature", b"1234.5678"), {"temperature": 1234.5678}),
        (at_edge(2, b"sensor_id", b"false"), {"sensor_id": "false"}),
        (at_edge(4, b"sensor_id", b'"\\u00e9x"'), {"sensor_id": "\u00e9x"}),
        (at_edge(2, b"sensor_id", '"\U0001f600"'.encode()), {"sensor_id": "\U0001f600"}),
        (at_edge(1, b"temperature", b"-1.5e3"), {"temperature": -1500.0}),
        (at_edge(0, b"sensor_id", b"'it\\'s'"), {"sensor_id": "it's"}),
    ],
    ids=["number", "literal", "escape", "pair", "sign", "single quotes"],
)
def test_token_across_the_edge_of_a_chunk(value: bytes, row: dict[str, Any], check: Any) -> None:
    check(value, "row", {**row, "layer": 3})


@pytest.mark.parametrize("before", range(14))
def test_edge_of_a_chunk_is_nowhere_seen(before: int, check: Any) -> None:
    value = at_edge(before, b"_metadata", b'{"producer_id":[1.50,true],"message_id":"m"}')
    check(value, "row", {"_metadata": {"producer_id": "[1.5,true]", "message_id": "m"}, "layer": 3})


NESTED = {depth: b"[" * depth + b"]" * depth for depth in (997, 999, 1000)}
DIGITS = b"1" * 999


@pytest.mark.parametrize(
    ("value", "kind", "row"),
    [
        (b'{"foo":' + NESTED[997] + b',"layer":3}', "row", {"layer": 3}),
        (b'{"foo":' + NESTED[999] + b',"layer":3}', "row", {"layer": 3}),
        (b'{"foo":' + NESTED[1000] + b',"layer":3}', "void", {}),
        (
            b'{"sensor_id":' + NESTED[999] + b',"layer":3}',
            "row",
            {"sensor_id": NESTED[999].decode(), "layer": 3},
        ),
        (b'{"sensor_id":' + NESTED[1000] + b',"layer":3}', "flagged", {"layer": 3}),
        (
            b'{"_metadata":{"producer_id":' + NESTED[999] + b',"message_id":"x"},"layer":3}',
            "flagged",
            {"_metadata": {"producer_id": None, "message_id": "x"}, "layer": 3},
        ),
        (b'{"foo":1' + DIGITS + b',"layer":3}', "row", {"layer": 3}),
        (b'{"foo":11' + DIGITS + b',"layer":3}', "void", {}),
        (b'{"foo":1.1' + DIGITS + b',"layer":3}', "void", {}),
        (
            b'{"temperature":0.1' + DIGITS + b',"layer":3}',
            "row",
            {"temperature": 0.1111111111111111, "layer": 3},
        ),
        (b'{"temperature":0.11' + DIGITS + b',"layer":3}', "void", {}),
        (
            at_edge(3, b"temperature", b"1.1" + DIGITS),
            "row",
            {"temperature": 1.1111111111111112, "layer": 3},
        ),
        (
            b'{"_metadata":{"producer_id":11' + DIGITS + b'},"layer":3}',
            "flagged",
            {},
        ),
        (b'{"layer":3,"_metadata":{"producer_id":1.1' + DIGITS + b"\xe2", "void", {}),
        (b'{"layer":3,"_metadata":{"producer_id":1.1' + DIGITS + b"\xff", "flagged", {"layer": 3}),
        (b'{"' + b"k" * 50_000 + b'":1,"layer":3}', "row", {"layer": 3}),
        (b'{"' + b"k" * 50_001 + b'":1,"layer":3}', "void", {}),
        (b"{'" + b"k" * 50_001 + b"':1,'layer':3}", "void", {}),
    ],
    ids=[
        "10-depth 998",
        "10-depth 1000",
        "10-depth 1001",
        "10-depth 1000 in a string field",
        "10-depth 1001 in a string field",
        "10-depth 1001 in a struct field",
        "10-1000 digits",
        "10-1001 digits",
        "10-1001 digits with fraction",
        "10-1001 digits after a leading zero",
        "10-1002 digits after a leading zero",
        "10-1001 digits across the edge of a chunk",
        "10-1001 digits in a struct field",
        "10-1001 digits before an unfinished character",
        "10-1001 digits before a malformed byte",
        "10-name of 50000 units",
        "10-name of 50001 units",
        "10-name of 50001 units in single quotes",
    ],
)
def test_limits_are_those_of_spark(
    value: bytes, kind: str, row: dict[str, Any], check: Any
) -> None:
    check(value, kind, row)


def test_string_limit_counts_only_where_the_string_is_wanted(check: Any) -> None:
    longest, too_long = b"a" * 20_000_000, b"a" * 20_000_001
    tail = b'","layer":3}'
    check(b'{"foo":"' + too_long + tail, "row", {"layer": 3})
    check(b'{"sensor_id":"' + too_long + tail, "flagged", {"layer": 3})
    check(b'{"temperature":"' + too_long + tail, "flagged", {"layer": 3})
    check(b'{"sensor_id":"' + longest + tail, "row", {"sensor_id": longest.decode(), "layer": 3})
    # far beyond the limit reading stops inside the string
    check(b'{"sensor_id":"' + too_long + b"a" * 60_000 + tail, "void", {})
