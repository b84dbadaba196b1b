"""Items 15 to 33 of the list of semantics: values by type. Ids begin with the item's number."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

NAN = math.nan
INF = math.inf

CASES: list[tuple[str, bytes, str, dict[str, Any]]] = [
    ("15-numbers-1", b'{"temperature":1600}', "row", {"temperature": 1600.0}),
    ("15-numbers-2", b'{"temperature":1600.5}', "row", {"temperature": 1600.5}),
    ("15-numbers-3", b'{"temperature":1.6e3}', "row", {"temperature": 1600.0}),
    ("15-numbers-4", b'{"temperature":1E+2}', "row", {"temperature": 100.0}),
    (
        "15-numbers-5",
        b'{"temperature":18446744073709551617}',
        "row",
        {"temperature": 1.8446744073709552e19},
    ),
    (
        "15-numbers-6",
        b'{"temperature":123456789012345678901234567890}',
        "row",
        {"temperature": 1.2345678901234568e29},
    ),
    ("16-overflow-1", b'{"temperature":1e400}', "row", {"temperature": INF}),
    ("16-overflow-2", b'{"temperature":-1e400}', "row", {"temperature": -INF}),
    ("16-underflow-1", b'{"temperature":1e-400}', "row", {"temperature": 0.0}),
    ("16-underflow-2", b'{"temperature":4.9E-324}', "row", {"temperature": 5e-324}),
    ("17-negative zero-1", b'{"temperature":-0.0}', "row", {"temperature": -0.0}),
    ("17-negative zero-2", b'{"temperature":-0}', "row", {"temperature": 0.0}),
    ("17-negative zero-3", b'{"temperature":-0e0}', "row", {"temperature": -0.0}),
    (
        "18-rounding-1",
        b'{"temperature":9007199254740993}',
        "row",
        {"temperature": 9007199254740992.0},
    ),
    (
        "18-rounding-2",
        b'{"temperature":9007199254740993.0}',
        "row",
        {"temperature": 9007199254740992.0},
    ),
    (
        "18-rounding-3",
        b'{"temperature":1.00000000000000011102230246251565404236316680908203125}',
        "row",
        {"temperature": 1.0},
    ),
    (
        "18-rounding-4",
        b'{"temperature":1.00000000000000011102230246251565404236316680908203126}',
        "row",
        {"temperature": 1.0000000000000002},
    ),
    ("19-not numbers-1", b'{"temperature":01.0,"layer":3}', "void", {}),
    ("19-not numbers-2", b'{"temperature":+1.0,"layer":3}', "void", {}),
    ("19-not numbers-3", b'{"temperature":1.,"layer":3}', "void", {}),
    ("19-not numbers-4", b'{"temperature":.5,"layer":3}', "void", {}),
    ("19-not numbers-5", b'{"temperature":1.e5,"layer":3}', "void", {}),
    ("19-not numbers-6", b'{"temperature":1e,"layer":3}', "void", {}),
    ("19-not numbers-7", b'{"temperature":1e+,"layer":3}', "void", {}),
    ("19-not numbers-8", b'{"temperature":-,"layer":3}', "void", {}),
    ("19-not numbers-9", b'{"temperature":0x10,"layer":3}', "void", {}),
    ("19-not numbers-10", b'{"temperature":1_0,"layer":3}', "void", {}),
    ("19-not numbers-11", b'{"temperature":--1,"layer":3}', "void", {}),
    ("20-numeric strings-1", b'{"temperature":"1600.5","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-2", b'{"temperature":"12","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-3", b'{"temperature":" 12.5 ","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-4", b'{"temperature":"12.5d","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-5", b'{"temperature":"0x1p3","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-6", b'{"temperature":"1e3","layer":3}', "flagged", {"layer": 3}),
    ("20-numeric strings-7", b'{"temperature":"","layer":3}', "flagged", {"layer": 3}),
    ("21-strings-1", b'{"temperature":"NaN"}', "row", {"temperature": NAN}),
    ("21-strings-2", b'{"temperature":"Infinity"}', "row", {"temperature": INF}),
    ("21-strings-3", b'{"temperature":"+Infinity"}', "row", {"temperature": INF}),
    ("21-strings-4", b'{"temperature":"-Infinity"}', "row", {"temperature": -INF}),
    ("21-strings-5", b'{"temperature":"+INF"}', "row", {"temperature": INF}),
    ("21-strings-6", b'{"temperature":"-INF"}', "row", {"temperature": -INF}),
    ("21-other strings-1", b'{"temperature":"INF","layer":3}', "flagged", {"layer": 3}),
    ("21-other strings-2", b'{"temperature":"nan","layer":3}', "flagged", {"layer": 3}),
    ("21-other strings-3", b'{"temperature":"-NaN","layer":3}', "flagged", {"layer": 3}),
    ("22-literals-1", b'{"temperature":NaN}', "row", {"temperature": NAN}),
    ("22-literals-2", b'{"temperature":Infinity}', "row", {"temperature": INF}),
    ("22-literals-3", b'{"temperature":+Infinity}', "row", {"temperature": INF}),
    ("22-literals-4", b'{"temperature":-Infinity}', "row", {"temperature": -INF}),
    ("22-literals-5", b'{"temperature":+INF}', "row", {"temperature": INF}),
    ("22-literals-6", b'{"temperature":-INF}', "row", {"temperature": -INF}),
    ("22-other literals-1", b'{"temperature":INF,"layer":3}', "void", {}),
    ("22-other literals-2", b'{"temperature":nan,"layer":3}', "void", {}),
    ("22-other literals-3", b'{"temperature":-NaN,"layer":3}', "void", {}),
    ("22-other literals-4", b'{"temperature":+NaN,"layer":3}', "void", {}),
    ("22-other literals-5", b'{"temperature":NaNx,"layer":3}', "void", {}),
    ("22-other literals-6", b'{"temperature":inf,"layer":3}', "void", {}),
    ("22-literal in ignored field", b'{"foo":[NaN,-Infinity],"layer":3}', "row", {"layer": 3}),
    ("23-other types-1", b'{"temperature":true,"layer":3}', "flagged", {"layer": 3}),
    ("23-other types-2", b'{"temperature":false,"layer":3}', "flagged", {"layer": 3}),
    (
        "23-other types-3",
        b'{"temperature":{"a":[1,{"layer":9}]},"layer":3}',
        "flagged",
        {"layer": 3},
    ),
    ("23-other types-4", b'{"temperature":[[1],2],"layer":3}', "flagged", {"layer": 3}),
    ("23-other types-5", b'{"temperature":null,"layer":3}', "row", {"layer": 3}),
    ("24-integers-1", b'{"build_id":"b","layer":0}', "row", {"build_id": "b", "layer": 0}),
    (
        "24-integers-2",
        b'{"build_id":"b","layer":2147483647}',
        "row",
        {"build_id": "b", "layer": 2147483647},
    ),
    (
        "24-integers-3",
        b'{"build_id":"b","layer":-2147483648}',
        "row",
        {"build_id": "b", "layer": -2147483648},
    ),
    ("24-out of range-1", b'{"build_id":"b","layer":2147483648}', "flagged", {"build_id": "b"}),
    ("24-out of range-2", b'{"build_id":"b","layer":-2147483649}', "flagged", {"build_id": "b"}),
    (
        "24-out of range-3",
        b'{"build_id":"b","layer":12345678901234567890}',
        "flagged",
        {"build_id": "b"},
    ),
    ("25-no integers-1", b'{"build_id":"b","layer":3.0}', "flagged", {"build_id": "b"}),
    ("25-no integers-2", b'{"build_id":"b","layer":3.7}', "flagged", {"build_id": "b"}),
    ("25-no integers-3", b'{"build_id":"b","layer":3e0}', "flagged", {"build_id": "b"}),
    ("25-no integers-4", b'{"build_id":"b","layer":"3"}', "flagged", {"build_id": "b"}),
    ("25-no integers-5", b'{"build_id":"b","layer":""}', "flagged", {"build_id": "b"}),
    ("25-no integers-6", b'{"build_id":"b","layer":true}', "flagged", {"build_id": "b"}),
    ("25-no integers-7", b'{"build_id":"b","layer":NaN}', "flagged", {"build_id": "b"}),
    ("25-no integers-8", b'{"build_id":"b","layer":[3]}', "flagged", {"build_id": "b"}),
    ("25-no integers-9", b'{"build_id":"b","layer":{}}', "flagged", {"build_id": "b"}),
    ("26-exponent", b'{"build_id":"b","layer":1e2}', "flagged", {"build_id": "b"}),
    ("26-leading zeros", b'{"build_id":"b","layer":0003}', "void", {}),
    ("27-negative zero", b'{"build_id":"b","layer":-0}', "row", {"build_id": "b", "layer": 0}),
    ("28-integer text-1", b'{"sensor_id":7,"layer":3}', "row", {"sensor_id": "7", "layer": 3}),
    ("28-integer text-2", b'{"sensor_id":-0,"layer":3}', "row", {"sensor_id": "0", "layer": 3}),
    (
        "28-integer text-3",
        b'{"sensor_id":2147483648,"layer":3}',
        "row",
        {"sensor_id": "2147483648", "layer": 3},
    ),
    (
        "28-integer text-4",
        b'{"sensor_id":-9223372036854775809,"layer":3}',
        "row",
        {"sensor_id": "-9223372036854775809", "layer": 3},
    ),
    (
        "28-integer text-5",
        b'{"sensor_id":123456789012345678901234567890,"layer":3}',
        "row",
        {"sensor_id": "123456789012345678901234567890", "layer": 3},
    ),
    ("29-float text-1", b'{"sensor_id":1.50,"layer":3}', "row", {"sensor_id": "1.5", "layer": 3}),
    ("29-float text-2", b'{"sensor_id":1e3,"layer":3}', "row", {"sensor_id": "1000.0", "layer": 3}),
    (
        "29-float text-3",
        b'{"sensor_id":1E-7,"layer":3}',
        "row",
        {"sensor_id": "1.0E-7", "layer": 3},
    ),
    (
        "29-float text-4",
        b'{"sensor_id":10000000.0,"layer":3}',
        "row",
        {"sensor_id": "1.0E7", "layer": 3},
    ),
    (
        "29-float text-5",
        b'{"sensor_id":9999999.0,"layer":3}',
        "row",
        {"sensor_id": "9999999.0", "layer": 3},
    ),
    (
        "29-float text-6",
        b'{"sensor_id":0.001,"layer":3}',
        "row",
        {"sensor_id": "0.001", "layer": 3},
    ),
    (
        "29-float text-7",
        b'{"sensor_id":0.00099,"layer":3}',
        "row",
        {"sensor_id": "9.9E-4", "layer": 3},
    ),
    (
        "29-float text-8",
        b'{"sensor_id":0.1234567890123456789,"layer":3}',
        "row",
        {"sensor_id": "0.12345678901234568", "layer": 3},
    ),
    ("29-float text-9", b'{"sensor_id":-0.0,"layer":3}', "row", {"sensor_id": "-0.0", "layer": 3}),
    (
        "29-float text-10",
        b'{"sensor_id":2e23,"layer":3}',
        "row",
        {"sensor_id": "1.9999999999999998E23", "layer": 3},
    ),
    (
        "29-float text-11",
        b'{"sensor_id":1.0E23,"layer":3}',
        "row",
        {"sensor_id": "9.999999999999999E22", "layer": 3},
    ),
    (
        "29-float text-12",
        b'{"sensor_id":2.0E-3,"layer":3}',
        "row",
        {"sensor_id": "0.002", "layer": 3},
    ),
    (
        "29-float text-13",
        b'{"sensor_id":4.9e-324,"layer":3}',
        "row",
        {"sensor_id": "4.9E-324", "layer": 3},
    ),
    (
        "29-float text-14",
        b'{"sensor_id":2.2250738585072014E-308,"layer":3}',
        "row",
        {"sensor_id": "2.2250738585072014E-308", "layer": 3},
    ),
    (
        "29-float text-15",
        b'{"sensor_id":1e400,"layer":3}',
        "row",
        {"sensor_id": '"Infinity"', "layer": 3},
    ),
    (
        "29-float text-16",
        b'{"sensor_id":-1e400,"layer":3}',
        "row",
        {"sensor_id": '"-Infinity"', "layer": 3},
    ),
    (
        "29-float text-17",
        b'{"sensor_id":1e-400,"layer":3}',
        "row",
        {"sensor_id": "0.0", "layer": 3},
    ),
    ("30-bool text-1", b'{"sensor_id":true,"layer":3}', "row", {"sensor_id": "true", "layer": 3}),
    ("30-bool text-2", b'{"sensor_id":false,"layer":3}', "row", {"sensor_id": "false", "layer": 3}),
    ("30-bool text-3", b'{"sensor_id":null,"layer":3}', "row", {"layer": 3}),
    (
        "31-json text-1",
        b'{"sensor_id":{"a": 1, "b":[1, 2.50]},"layer":3}',
        "row",
        {"sensor_id": '{"a":1,"b":[1,2.5]}', "layer": 3},
    ),
    (
        "31-json text-2",
        b'{"sensor_id":[1e5,-0,-0.0,null,true,NaN],"layer":3}',
        "row",
        {"sensor_id": '[100000.0,0,-0.0,null,true,"NaN"]', "layer": 3},
    ),
    ("31-json text-3", b'{"sensor_id":[ ],"layer":3}', "row", {"sensor_id": "[]", "layer": 3}),
    ("31-json text-4", b'{"sensor_id":{ },"layer":3}', "row", {"sensor_id": "{}", "layer": 3}),
    (
        "31-json text-5",
        b'{"sensor_id":[{"a":{}},[[]]],"layer":3}',
        "row",
        {"sensor_id": '[{"a":{}},[[]]]', "layer": 3},
    ),
    (
        "31-json text-6",
        b'{"sensor_id":{\'a\':\'x"y\'},"layer":3}',
        "row",
        {"sensor_id": '{"a":"x\\"y"}', "layer": 3},
    ),
    (
        "31-json text escapes-1",
        b'{"sensor_id":["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f"],"layer":3}',
        "row",
        {"sensor_id": '["\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001F"]', "layer": 3},
    ),
    (
        "31-json text escapes-2",
        b'{"sensor_id":["\\u00e9\\u20ac\xc3\xa9\x7f"],"layer":3}',
        "row",
        {"sensor_id": '["é€é\x7f"]', "layer": 3},
    ),
    (
        "31-json text escapes-3",
        b'{"sensor_id":["\\ud83d\\ude00\xf0\x9f\x98\x80"],"layer":3}',
        "row",
        {"sensor_id": '["\\uD83D\\uDE00\\uD83D\\uDE00"]', "layer": 3},
    ),
    (
        "31-json text escapes-4",
        b'{"sensor_id":["\\ud800","\\udc00x"],"layer":3}',
        "row",
        {"sensor_id": '["\\uD800","\\uDC00x"]', "layer": 3},
    ),
    (
        "31-json text escapes-5",
        b'{"sensor_id":{"\\ud83d\\ude00\\n":"\xff"},"layer":3}',
        "row",
        {"sensor_id": '{"\\uD83D\\uDE00\\n":"�"}', "layer": 3},
    ),
    (
        "31-json text escapes-6",
        b'{"sensor_id":["\\u0000"],"layer":3}',
        "row",
        {"sensor_id": '["\\u0000"]', "layer": 3},
    ),
    (
        "32-not finite text-1",
        b'{"sensor_id":NaN,"layer":3}',
        "row",
        {"sensor_id": '"NaN"', "layer": 3},
    ),
    (
        "32-not finite text-2",
        b'{"sensor_id":Infinity,"layer":3}',
        "row",
        {"sensor_id": '"Infinity"', "layer": 3},
    ),
    (
        "32-not finite text-3",
        b'{"sensor_id":-INF,"layer":3}',
        "row",
        {"sensor_id": '"-Infinity"', "layer": 3},
    ),
    (
        "32-not finite text-4",
        b'{"sensor_id":"NaN","layer":3}',
        "row",
        {"sensor_id": "NaN", "layer": 3},
    ),
    ("33-struct-1", b'{"layer":3}', "row", {"layer": 3}),
    (
        "33-struct-2",
        b'{"layer":3,"_metadata":null,"build_id":"b"}',
        "row",
        {"build_id": "b", "layer": 3},
    ),
    (
        "33-struct-3",
        b'{"layer":3,"_metadata":{},"build_id":"b"}',
        "row",
        {"build_id": "b", "layer": 3, "_metadata": {"producer_id": None, "message_id": None}},
    ),
    (
        "33-struct-4",
        b'{"layer":3,"_metadata":{"producer_id":"p"},"build_id":"b"}',
        "row",
        {"build_id": "b", "layer": 3, "_metadata": {"producer_id": "p", "message_id": None}},
    ),
    (
        "33-struct-5",
        b'{"layer":3,"_metadata":{"message_id":"m","foo":{"producer_id":"q"}},"build_id":"b"}',
        "row",
        {"build_id": "b", "layer": 3, "_metadata": {"producer_id": None, "message_id": "m"}},
    ),
    (
        "33-struct-6",
        b'{"layer":3,"_metadata":{"producer_id":1.50,"message_id":[1, 2]},"build_id":"b"}',
        "row",
        {"build_id": "b", "layer": 3, "_metadata": {"producer_id": "1.5", "message_id": "[1,2]"}},
    ),
    (
        "33-struct from other types-1",
        b'{"layer":3,"_metadata":"s","build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "33-struct from other types-2",
        b'{"layer":3,"_metadata":1,"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "33-struct from other types-3",
        b'{"layer":3,"_metadata":[{}],"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "33-struct from other types-4",
        b'{"layer":3,"_metadata":true,"build_id":"b"}',
        "flagged",
        {"build_id": "b", "layer": 3},
    ),
    (
        "33-struct partial",
        b'{"layer":3,"_metadata":{"producer_id":"\\q","message_id":"m"},"build_id":"b"}',
        "flagged",
        {"layer": 3},
    ),
]

OTHER_TYPES: list[tuple[str, str, str, Any]] = [
    ("int8", "127", "row", 127),
    ("int8", "128", "row", -128),
    ("int8", "255", "row", -1),
    ("int8", "256", "flagged", None),
    ("int8", "-128", "row", -128),
    ("int8", "-129", "flagged", None),
    ("int16", "32767", "row", 32767),
    ("int16", "32768", "flagged", None),
    ("int16", "-32768", "row", -32768),
    ("int16", "-32769", "flagged", None),
    ("int64", "9223372036854775807", "row", 9223372036854775807),
    ("int64", "9223372036854775808", "flagged", None),
    ("int64", "-9223372036854775808", "row", -9223372036854775808),
    ("int64", "-9223372036854775809", "flagged", None),
    ("int64", "1.0", "flagged", None),
    ("bool", "true", "row", True),
    ("bool", "false", "row", False),
    ("bool", "null", "row", None),
    ("bool", "1", "flagged", None),
    ("bool", "0", "flagged", None),
    ("bool", '"true"', "flagged", None),
    ("bool", '""', "flagged", None),
    ("bool", "[]", "flagged", None),
    ("float", "0.1", "row", 0.10000000149011612),
    ("float", "-0", "row", 0.0),
    ("float", "-0.0", "row", -0.0),
    ("float", "1e39", "row", INF),
    ("float", "NaN", "row", NAN),
    ("float", '"-INF"', "row", -INF),
    ("float", '"1.5"', "flagged", None),
    ("float", "true", "flagged", None),
]
"""Arrow type, JSON value, kind, field value."""


@pytest.mark.parametrize(
    ("value", "kind", "row"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_value_is_what_spark_gives(
    value: bytes, kind: str, row: dict[str, Any], check: Any
) -> None:
    check(value, kind, row)


@pytest.mark.parametrize(("arrow_type", "json_value", "kind", "value"), OTHER_TYPES)
def test_value_of_other_types_is_what_spark_gives(
    arrow_type: str, json_value: str, kind: str, value: Any, check: Any
) -> None:
    schema = pa.schema([("x", pa.float32() if arrow_type == "float" else arrow_type)])
    row = {} if value is None else {"x": value}
    check(f'{{"x":{json_value}}}'.encode(), kind, row, schema)


def test_structs_nest(check: Any) -> None:
    inner = pa.struct([("t", pa.string()), ("n", pa.int64())])
    schema = pa.schema([("outer", pa.struct([("inner", inner), ("o", pa.bool_())]))])
    check(
        b'{"outer":{"inner":{"t":1.50,"n":"x"},"o":true}}',
        "flagged",
        {"outer": {"inner": {"t": "1.5", "n": None}, "o": True}},
        schema,
    )
    check(
        b'{"outer":{"inner":{}}}',
        "row",
        {"outer": {"inner": {"t": None, "n": None}, "o": None}},
        schema,
    )
