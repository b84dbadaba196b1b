"""Items 0 to 14 of the list of semantics: records as a whole. Ids begin with the item's number."""

from __future__ import annotations

from typing import Any

import pytest

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode.reasons import REASONS
from pbf_ray.decode.reference.fields import converters_of
from pbf_ray.decode.reference.record import read_record

CASES: list[tuple[str, bytes | None, str, dict[str, Any]]] = [
    (
        "0-full record",
        b'{"sensor_id":"S1","timestamp":1700000000.25,"temperature":1600.5,"pressure":0.95,"laser_power":200,"scan_speed":1.2,"build_id":"B1","layer":3,"_metadata":{"producer_id":"p1","message_id":"m1"}}',
        "row",
        {
            "sensor_id": "S1",
            "timestamp": 1700000000.25,
            "temperature": 1600.5,
            "pressure": 0.95,
            "laser_power": 200.0,
            "scan_speed": 1.2,
            "build_id": "B1",
            "layer": 3,
            "_metadata": {"producer_id": "p1", "message_id": "m1"},
        },
    ),
    ("1-null", None, "null struct", {}),
    ("1-empty", b"", "null struct", {}),
    ("1-blank-1", b" ", "null struct", {}),
    ("1-blank-2", b" \t\r\n  ", "null struct", {}),
    ("2-not json-1", b"hello", "void", {}),
    ("2-not json-2", b"{", "void", {}),
    ("2-not json-3", b'{"layer"', "void", {}),
    ("2-not json-4", b'{"layer":', "void", {}),
    ("2-not json-5", b'{"layer":1', "void", {}),
    ("2-not json-6", b'{"sensor_id":"s","timestamp":1.5,"build_id":"b', "void", {}),
    ("2-bad token late", b'{"layer":3,"temperature":tru}', "void", {}),
    ("3-empty object-1", b"{}", "row", {}),
    ("3-empty object-2", b'{"other":1}', "row", {}),
    ("4-root array-1", b"[]", "void", {}),
    ("4-root array-2", b'[{"layer":1}]', "void", {}),
    ("4-root array-3", b'[{"layer":1},{"layer":2}]', "void", {}),
    ("4-root scalar-1", b"12", "void", {}),
    ("4-root scalar-2", b'"s"', "void", {}),
    ("4-root scalar-3", b"true", "void", {}),
    ("4-root scalar-4", b"null", "void", {}),
    ("4-root scalar-5", b"NaN", "void", {}),
    ("4-root scalar-6", b"'s'", "void", {}),
    ("5-trailing-1", b'{"layer":3} xyz', "row", {"layer": 3}),
    ("5-trailing-2", b'{"layer":3}{"layer":4}', "row", {"layer": 3}),
    ("5-trailing-3", b'{"layer":3}}', "row", {"layer": 3}),
    ("5-trailing-4", b'{"layer":3}\n{"layer":4}', "row", {"layer": 3}),
    ("5-trailing-5", b'{"layer":3}\x00', "row", {"layer": 3}),
    ("5-trailing-6", b'{"layer":3}\xff', "row", {"layer": 3}),
    ("5-trailing-7", b'{"layer":3},', "row", {"layer": 3}),
    (
        "6-white space",
        b' \t\r\n{ "layer" :\t3 ,\r\n"build_id"\n: "b" } ',
        "row",
        {"build_id": "b", "layer": 3},
    ),
    ("6-form feed-1", b'\x0c{"layer":3}', "void", {}),
    ("6-form feed-2", b'{\x0c"layer":3}', "void", {}),
    ("6-nbsp", b'\xc2\xa0{"layer":3}', "void", {}),
    ("6-bom", b'\xef\xbb\xbf{"layer":3}', "void", {}),
    ("6-utf-16-1", b'{\x00"\x00l\x00a\x00y\x00e\x00r\x00"\x00:\x003\x00}\x00', "void", {}),
    ("6-utf-16-2", b'\x00{\x00"\x00l\x00a\x00y\x00e\x00r\x00"\x00:\x003\x00}', "void", {}),
    ("6-utf-16-3", b'\xff\xfe{\x00"\x00l\x00a\x00y\x00e\x00r\x00"\x00:\x003\x00}\x00', "void", {}),
    ("6-leading nul", b'\x00{"layer":3}', "void", {}),
    ("7-commas-1", b'{"layer":3,}', "void", {}),
    ("7-commas-2", b'{,"layer":3}', "void", {}),
    ("7-commas-3", b'{"layer":3,,"build_id":"b"}', "void", {}),
    ("7-commas-4", b'{"layer":3 "build_id":"b"}', "void", {}),
    ("7-missing colon", b'{"layer" 3}', "void", {}),
    ("7-unquoted key", b"{layer:3}", "void", {}),
    ("7-comment-1", b'{"layer":3/*c*/}', "void", {}),
    ("7-comment-2", b'{"layer":3//c\n}', "void", {}),
    ("7-comment-3", b'# c\n{"layer":3}', "void", {}),
    ("7-upper case literal", b'{"foo":TRUE,"layer":3}', "void", {}),
    ("7-single quotes-1", b"{'layer':3,'build_id':'b'}", "row", {"build_id": "b", "layer": 3}),
    ("7-single quotes-2", b"{'build_id':'it\\'s \"b\"'}", "row", {"build_id": 'it\'s "b"'}),
    ("7-single quotes-3", b'{"build_id":"it\\\'s"}', "row", {"build_id": "it's"}),
    ("7-single quotes-4", b"{'build_id':'it's'}", "void", {}),
    ("8-raw control-1", b'{"build_id":"a\tb","layer":3}', "void", {}),
    ("8-raw control-2", b'{"foo":"a\tb","layer":3}', "void", {}),
    ("8-raw control-3", b'{"build_id":"a\nb"}', "void", {}),
    ("8-raw control-4", b'{"build_id":"a\x00b"}', "void", {}),
    ("8-raw control-5", b'{"build_id":"a\x1fb"}', "void", {}),
    ("8-raw control-6", b"{'build_id':'a\tb'}", "void", {}),
    ("8-raw control-7", b'{"la\tyer":3}', "void", {}),
    ("8-delete is no control", b'{"build_id":"a\x7fb"}', "row", {"build_id": "a\x7fb"}),
    ("8-bad escape-1", b'{"build_id":"\\q","layer":3}', "void", {}),
    ("8-bad escape-2", b'{"foo":"\\x41","layer":3}', "void", {}),
    ("8-bad escape that leaves no field", b'{"build_id":"\\u12"}', "flagged", {}),
    ("8-bad escape-4", b'{"build_id":"\\u12G4"}', "void", {}),
    ("9-error in ignored-1", b'{"foo":tru,"layer":3}', "void", {}),
    ("9-error in ignored-2", b'{"layer":3,"foo":}', "void", {}),
    ("9-error in ignored-3", b'{"layer":3,"foo":[1,}', "void", {}),
    ("9-error in ignored-4", b'{"temperature":1.0,"layer":}', "void", {}),
    ("9-error in ignored-5", b'{"foo":{"a":01},"layer":3}', "void", {}),
    (
        "11-extra fields",
        b'{"foo":{"layer":9,"a":[{"layer":8}]},"layer":3,"bar":[1,2]}',
        "row",
        {"layer": 3},
    ),
    ("11-case", b'{"Layer":3,"LAYER":4}', "row", {}),
    ("11-escaped key", b'{"\\u006cayer":3}', "row", {"layer": 3}),
    ("11-empty key", b'{"":1,"layer":3}', "row", {"layer": 3}),
    ("12-last wins-1", b'{"layer":1,"layer":2}', "row", {"layer": 2}),
    ("12-last wins-2", b'{"temperature":1.0,"temperature":null}', "row", {}),
    (
        "12-last convertible wins-1",
        b'{"temperature":1.0,"temperature":"x"}',
        "flagged",
        {"temperature": 1.0},
    ),
    (
        "12-last convertible wins-2",
        b'{"temperature":"x","temperature":2.0}',
        "flagged",
        {"temperature": 2.0},
    ),
    (
        "12-struct replaced",
        b'{"_metadata":{"producer_id":"p","message_id":"m"},"_metadata":{"message_id":"n"}}',
        "row",
        {"_metadata": {"producer_id": None, "message_id": "n"}},
    ),
    (
        "13-invalid utf-8-1",
        b'{"build_id":"\xff\xfe","layer":3}',
        "row",
        {"build_id": "��", "layer": 3},
    ),
    ("13-invalid utf-8-2", b'{"build_id":"\xc0\xaf"}', "row", {"build_id": "��"}),
    ("13-invalid utf-8-3", b'{"build_id":"\xe2\x82"}', "row", {"build_id": "�"}),
    ("13-invalid utf-8-4", b'{"build_id":"\xed\xa0\x80"}', "row", {"build_id": "�"}),
    ("13-invalid utf-8-5", b'{"build_id":"\xf5\x80\x80\x80"}', "row", {"build_id": "����"}),
    ("13-invalid utf-8-6", b'{"build_id":"\xf0\x9f\x98"}', "row", {"build_id": "�"}),
    ("13-lone surrogates-1", b'{"build_id":"\\ud800"}', "row", {"build_id": "?"}),
    ("13-lone surrogates-2", b'{"build_id":"\\udc00"}', "row", {"build_id": "?"}),
    ("13-lone surrogates-3", b'{"build_id":"\\ud800\\u0041"}', "row", {"build_id": "?A"}),
    ("13-lone surrogates-4", b'{"build_id":"\\ude00\\ud83d"}', "row", {"build_id": "??"}),
    ("13-surrogate pair-1", b'{"build_id":"\\ud83d\\ude00"}', "row", {"build_id": "😀"}),
    ("13-surrogate pair-2", b'{"build_id":"\xf0\x9f\x98\x80"}', "row", {"build_id": "😀"}),
    ("13-nul escape", b'{"build_id":"a\\u0000b"}', "row", {"build_id": "a\x00b"}),
    (
        "14-wrong type-1",
        b'{"layer":"x","temperature":1.5,"build_id":"b"}',
        "flagged",
        {"temperature": 1.5, "build_id": "b"},
    ),
    ("14-wrong type-2", b'{"temperature":true,"pressure":[1],"layer":3}', "flagged", {"layer": 3}),
]


@pytest.mark.parametrize(
    ("value", "kind", "row"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_record_is_what_spark_gives(
    value: bytes | None, kind: str, row: dict[str, Any], check: Any
) -> None:
    check(value, kind, row)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "null_value", "no value"),
        (b"", "blank", "0 bytes of white space"),
        (b" \n", "blank", "2 bytes of white space"),
        (b"[1]", "not_an_object", "an object expected at byte 1"),
        (b"null", "not_an_object", "an object expected at byte 4"),
        (b'"\\q"', "syntax", "unknown escape, found 'q' at byte 2"),
        (b'{"layer" 3}', "syntax", "':' expected, found '3' at byte 9"),
        (
            b'{"layer":3 "a":1}',
            "syntax",
            "',' or the end of the object expected, found '\"' at byte 11",
        ),
        (b'{"layer":tru}', "syntax", "unknown token 'tru' at byte 9"),
        (
            '{"sensor_id":"\u20ac\U0001f600","layer":x}'.encode(),
            "syntax",
            "unknown token 'x' at byte 31",
        ),
        (b'{"a":"\xff\xed\xa0\x80","b" 1}', "syntax", "':' expected, found '1' at byte 16"),
        (b'{"layer":3', "truncated", "the record ends inside an object at byte 10"),
        (b'{"a":[1', "truncated", "the record ends inside an array at byte 7"),
        (b'{"sensor_id":"abc', "truncated", "the record ends inside an object at byte 17"),
        (b"[" * 1001, "not_an_object", "an object expected at byte 1"),
        (b'{"a":' + b"[" * 1000, "too_deep", "nested deeper than 1000 at byte 1005"),
        (b'{"a":' + b"1" * 1001 + b"}", "number_too_long", "number is too long at byte 1006"),
        (b'{"' + b"k" * 50_001 + b'":1}', "name_too_long", "field name is too long at byte 50004"),
    ],
    ids=lambda part: part if isinstance(part, str) and part in REASONS else "",
)
def test_void_record_has_a_reason_and_a_place(
    value: bytes | None, reason: str, detail: str
) -> None:
    outcome = read_record(value, converters_of(RECORD_SCHEMA))
    assert outcome.problem == (reason, detail)
    assert reason in REASONS
    assert outcome.row == {}
