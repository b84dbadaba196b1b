"""What can be odd about a record, item by item of the list of semantics.

An `Oddity` that stands alone in a record has the outcome that is stated here; PySpark confirms or
refutes it. The outcomes were written down from the list, not from what pbf_ray does.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

__all__ = ["FLAGGED", "MEMBERS", "NULL", "ROW", "VOID", "WHOLES", "Oddity"]

ROW: Final = "row"
FLAGGED: Final = "flagged"
VOID: Final = "void"
NULL: Final = "null"

Made = tuple[bytes, dict[str, Any]]


class Oddity(NamedTuple):
    """One way to be odd.

    Attributes:
        items: Items of the list that it shows.
        kind: What becomes of a record that is odd in this way only.
        make: Gives members of an object (or, in WHOLES, a whole record made from a good one), and
            the values that fields then have.
    """

    items: tuple[int, ...]
    kind: str
    make: Callable[[Random], Made]


def _is(kind: str, *items: int, **fields: Any) -> Callable[..., list[Oddity]]:
    """Oddities with constant texts that all have one outcome."""

    def of(*texts: bytes) -> list[Oddity]:
        return [Oddity(items, kind, lambda _, text=text: (text, fields)) for text in texts]

    return of


def _each(kind: str, *items: int) -> Callable[..., list[Oddity]]:
    """Oddities of one field: ``(field, text of its value, value)``."""

    def of(*cases: tuple[str, bytes, Any]) -> list[Oddity]:
        return [
            Oddity(
                items,
                kind,
                lambda _, name=name, text=text, value=value: (
                    b'"%s":%s' % (name.encode(), text),
                    {name: value},
                ),
            )
            for name, text, value in cases
        ]

    return of


_INF: Final = float("inf")
_NAN: Final = float("nan")


def _digits(count: int, rng: Random) -> bytes:
    digits = bytes(rng.choice(b"123456789") for _ in range(count))
    point = rng.randrange(1, count)
    exponent = b"e-%d" % rng.randrange(10) if count <= 990 else b""
    return rng.choice([digits, digits[:point] + b"." + digits[point:], b"-" + digits]) + exponent


def _double(rng: Random) -> Made:
    """A double in one of many spellings; Python rounds them right."""
    value = rng.choice(
        [
            lambda: rng.uniform(-2000, 2000),
            lambda: rng.uniform(1, 10) * 10.0 ** rng.randrange(-320, 308),
            lambda: float(rng.getrandbits(64)),
            lambda: rng.getrandbits(52) * 5e-324,
        ]
    )()
    text = rng.choice(["%r", "%.17e", "%.25g", "%.3f", "%.1E"]) % value
    if text.endswith(("inf", "nan")):
        text = "1e400"
    return b'"temperature":' + text.encode(), {"temperature": float(text)}


def _halfway(rng: Random) -> Made:
    """A decimal that lies on, or next to, the middle of two doubles."""
    whole = (1 << 53) + 2 * rng.getrandbits(50) + 1
    text = str(whole) + rng.choice(["", ".0", "." + "0" * 30 + "1", ".5", "e0"])
    return b'"pressure":' + text.encode(), {"pressure": float(text)}


def _big_integer(rng: Random) -> Made:
    text = str(rng.getrandbits(rng.choice([64, 70, 100, 400])) + (1 << 63))
    return b'"laser_power":' + text.encode(), {"laser_power": float(text)}


def _replaced(rng: Random) -> Made:
    """Bytes that are no UTF-8; what Java makes of them is for Spark to say."""
    pool = b"\xff\xfe\xc0\xaf\xe2\x82\xf0\x9f\x98\xed\xa0\x80\xbf\xf5\xf8a\xc3\xa9"
    noise = bytes(rng.choice(pool) for _ in range(rng.randrange(1, 8)))
    return b'"build_id":"' + noise + b'"', {}


def _number_in_text(rng: Random) -> Made:
    """A number where a text is wanted; Java's spelling of it is for Spark to say."""
    return b'"sensor_id":' + _double(rng)[0].partition(b":")[2], {}


def _java_text(rng: Random) -> Made:
    exponent = rng.randrange(-25, 30)
    digits = rng.choice([1, 2, 3, 15, 16, 17, 19, 25])
    text = f"{rng.randrange(10 ** (digits - 1), 10**digits)}e{exponent}"
    return b'"build_id":' + text.encode(), {}


MEMBERS: Final[tuple[Oddity, ...]] = (
    # A. records
    *_is(ROW, 3)(b'"other":1', b'"_corrupt_record":"x"', b'"":{}'),
    *_is(VOID, 2)(
        b'"layer":tru',
        b'"layer":',
        b'"layer"',
        b'"layer":3.}',
        b"nonsense",
        b'"other":"never closed',
        b'"layer":1 2',
        b'"build_id":nul',
        b'"temperature":1.5.5',
    ),
    *_is(VOID, 7)(
        b"",
        b',"layer":1',
        b'"layer":1,',
        b'"layer" 3',
        b"layer:3",
        b'"layer":3/*c*/',
        b'"layer":3//c\n',
        b'"layer":#3',
        b'"other":TRUE',
        b'"other":Null',
        b'"layer"::3',
        b'"layer"=3',
    ),
    *_is(ROW, 7, 63, layer=3)(b"'layer':3", b"'layer' : 3"),
    *_is(ROW, 7, 63, build_id="it's \"b\"")(
        b"'build_id':'it\\'s \"b\"'", b'"build_id":"it\\\'s \\"b\\""'
    ),
    *_is(VOID, 8)(
        *(b'"other":"a%cb"' % control for control in (0, 1, 9, 10, 13, 31)),
        b'"la\tyer":3',
        b"'layer\n':3",
        b"'build_id':'a\tb'",
        b'"build_id":"a\tb"',
        b'"build_id":"\\qb"',
        b'"other":"\\q"',
        b'"other":"\\x41"',
        b'"other":"\\u12"',
        b'"other":"\\u12G4"',
    ),
    # the list calls these void: Spark reads on behind the bad character of a wanted text, and
    # where that happens to be well formed the record stands
    *_is(FLAGGED, 8, build_id=None)(b'"build_id":"a\t', b'"build_id":"\\q', b'"sensor_id":"\x01'),
    *_is(ROW, 8, build_id="a\x7f\x85b")(b'"build_id":"a\x7f\xc2\x85b"'),
    # the list calls these void: an error inside a wanted struct ends the record there
    *_is(FLAGGED, 2, 9)(
        b'"_metadata":{"message_id":"m","producer_id":tru}', b'"inner":{"d":1,"i":01}'
    ),
    *_is(VOID, 9, 69, 70)(
        b'"other":tru',
        b'"other":}',
        b'"other":[1,]',
        b'"other":[1 2]',
        b'"other":{"a":01}',
        b'"other":{"a" 1}',
        b'"other":[{"b":[nul]}]',
        b'"other":-',
        b'"other":1e',
        b'"other":{"a":1]',
        b'"other":[1}',
        b'"layer":3,"other":}',
        b'"temperature":1.0,"layer":}',
    ),
    Oddity((10,), VOID, lambda rng: (b'"other":' + b"[" * 1001 + b"]" * 1001, {})),
    Oddity((10,), VOID, lambda rng: (b'"other":' + _digits(1001 + rng.randrange(9), rng), {})),
    Oddity((10,), VOID, lambda rng: (b'"layer":1' + b"0" * 1000, {})),
    Oddity((10,), ROW, lambda rng: (b'"other":' + b"[" * 997 + b"]" * 997, {})),
    Oddity((10,), ROW, lambda rng: (b'"other":' + _digits(rng.randrange(900, 991), rng), {})),
    # the level that is one too deep is the innermost: what follows is read on from there
    Oddity((10,), FLAGGED, lambda rng: (b'"build_id":' + b"[" * 1000 + b"]" * 1000, {})),
    Oddity((11,), ROW, lambda rng: (b'"other":' + b'{"layer":[' * 40 + b"]}" * 40, {})),
    *_is(ROW, 11, layer=None)(b'"Layer":3', b'"LAYER":3', b'"layer ":3', b'"other":{"layer":3}'),
    *_is(ROW, 11, layer=3)(b'"\\u006cayer":3', b'"\\u006c\\u0061yer":3'),
    *_is(ROW, 12, 72, layer=2)(b'"layer":1,"layer":2', b'"layer":null,"layer":2'),
    *_is(ROW, 12, 72, temperature=None)(b'"temperature":1.0,"temperature":null'),
    *_is(FLAGGED, 12, 72, temperature=1.0)(b'"temperature":1.0,"temperature":"x"'),
    *_is(FLAGGED, 12, 72, temperature=2.0)(b'"temperature":"x","temperature":2.0'),
    *_is(ROW, 12, 72, _metadata={"producer_id": None, "message_id": "n"})(
        b'"_metadata":{"producer_id":"p"},"_metadata":{"message_id":"n"}'
    ),
    *[Oddity((13, 67), ROW, _replaced)] * 6,
    *_each(ROW, 13, 67)(
        ("build_id", b'"\xff\xfe"', "\ufffd\ufffd"),
        ("build_id", b'"\xc0\xaf"', "\ufffd\ufffd"),
        ("build_id", b'"\xe2\x82"', "\ufffd"),
    ),
    *_each(ROW, 13, 68)(
        ("build_id", b'"\\ud800"', "?"),
        ("build_id", b'"\\udc00x"', "?x"),
        ("build_id", b'"\\ud83d\\ude00"', "\U0001f600"),
        ("build_id", b'"\\ude00\\ud83d"', "??"),
        ("build_id", b'"a\\u0000b"', "a\x00b"),
    ),
    *_each(FLAGGED, 14)(
        ("layer", b'"x"', None), ("temperature", b"[1]", None), ("_metadata", b"1", None),
        ("whole", b"1.5", None), ("small", b"256", None), ("flag", b"1", None),
        ("short", b"32768", None), ("single", b'"1"', None), ("flag", b'"true"', None),
        ("whole", b"9223372036854775808", None),
    ),
    *_each(ROW, 14)(
        ("whole", b"9223372036854775807", 2**63 - 1), ("whole", b"-9223372036854775808", -(2**63)),
        ("short", b"-32768", -32768), ("small", b"-128", -128), ("flag", b"true", True),
        ("flag", b"false", False), ("single", b"16777217", 16777216.0), ("single", b"1e39", _INF),
        ("single", b'"NaN"', _NAN), ("small", b"null", None), ("flag", b"null", None),
    ),
    # B. doubles
    *[Oddity((15,), ROW, _double)] * 4,
    *[Oddity((15, 66), ROW, _big_integer)] * 2,
    *_each(ROW, 16, 65)(
        ("temperature", b"1e400", _INF), ("temperature", b"-1e400", -_INF),
        ("pressure", b"1e-400", 0.0), ("pressure", b"-1e-400", -0.0),
        ("laser_power", b"4.9E-324", 5e-324), ("laser_power", b"2.4e-324", 0.0),
        ("scan_speed", b"1.7976931348623159e308", _INF),
    ),
    *_each(ROW, 17, 71)(
        ("temperature", b"-0.0", -0.0), ("temperature", b"-0", 0.0), ("pressure", b"-0e0", -0.0),
        ("single", b"-0", 0.0), ("single", b"-0.0", -0.0),
    ),
    *[Oddity((18,), ROW, _halfway)] * 3,
    *_each(ROW, 18)(
        ("temperature", b"9007199254740993", 9007199254740992.0),
        ("temperature", b"1.00000000000000011102230246251565404236316680908203125", 1.0),
        ("temperature", b"2.2250738585072011e-308", 2.2250738585072011e-308),
    ),
    *_is(VOID, 19)(
        b'"temperature":01.0', b'"temperature":+1.0', b'"temperature":1.', b'"temperature":.5',
        b'"temperature":-.5', b'"temperature":-01', b'"other":00', b'"temperature":1.e3',
        b'"temperature":0x10',
    ),
    *_each(FLAGGED, 20)(
        ("temperature", b'"1600.5"', None), ("temperature", b'"12"', None),
        ("temperature", b'" 12.5 "', None), ("pressure", b'"12.5d"', None),
        ("pressure", b'"0x1p3"', None), ("pressure", b'""', None), ("timestamp", b'"1e3"', None),
    ),
    *_each(ROW, 21)(
        ("temperature", b'"NaN"', _NAN), ("temperature", b'"Infinity"', _INF),
        ("pressure", b'"+Infinity"', _INF), ("pressure", b'"-Infinity"', -_INF),
        ("laser_power", b'"+INF"', _INF), ("laser_power", b'"-INF"', -_INF),
        ("timestamp", b'"NaN"', _NAN),
    ),
    *_each(FLAGGED, 21)(
        ("temperature", b'"INF"', None), ("temperature", b'"nan"', None),
        ("temperature", b'"infinity"', None), ("temperature", b'"-NaN"', None),
    ),
    *_each(ROW, 22, 62)(
        ("temperature", b"NaN", _NAN), ("temperature", b"Infinity", _INF),
        ("pressure", b"+Infinity", _INF), ("pressure", b"-Infinity", -_INF),
        ("laser_power", b"+INF", _INF), ("laser_power", b"-INF", -_INF),
    ),
    *_is(ROW, 22, 62)(b'"other":NaN', b'"other":[-INF,{"a":+Infinity}]'),
    *_is(VOID, 22)(
        b'"temperature":INF', b'"temperature":nan', b'"temperature":-NaN', b'"temperature":+NaN',
        b'"temperature":Infinit', b'"other":NaNs',
    ),
    *_each(FLAGGED, 23)(
        ("temperature", b"true", None), ("temperature", b"false", None),
        ("temperature", b'{"temperature":1}', None), ("temperature", b'[[1],{"layer":7}]', None),
    ),
    # C. integers
    *_each(ROW, 24)(
        ("layer", b"2147483647", 2**31 - 1), ("layer", b"-2147483648", -(2**31)),
        ("layer", b"0", 0),
    ),
    *_each(FLAGGED, 24)(
        ("layer", b"2147483648", None), ("layer", b"-2147483649", None),
        ("layer", b"12345678901234567890", None),
    ),
    *_each(FLAGGED, 25)(
        ("layer", b"3.0", None), ("layer", b"3.7", None), ("layer", b"3e0", None),
        ("layer", b'"3"', None), ("layer", b'""', None), ("layer", b"true", None),
        ("layer", b"NaN", None), ("whole", b"-Infinity", None),
    ),
    *_each(FLAGGED, 26)(("layer", b"1e2", None)),
    *_is(VOID, 26)(b'"layer":0003', b'"layer":-03'),
    *_each(ROW, 27)(("layer", b"-0", 0), ("whole", b"-0", 0), ("small", b"-0", 0)),
    # D. texts
    *_each(ROW, 28)(
        ("build_id", b"7", "7"), ("build_id", b"-0", "0"),
        ("build_id", b"123456789012345678901234567890", "123456789012345678901234567890"),
    ),
    *[Oddity((29, 72), ROW, _java_text)] * 4,
    *[Oddity((29, 72), ROW, _number_in_text)] * 4,
    *_each(ROW, 29, 72)(
        ("build_id", b"1.50", "1.5"), ("build_id", b"1e3", "1000.0"),
        ("build_id", b"1E-7", "1.0E-7"), ("build_id", b"10000000.0", "1.0E7"),
        ("build_id", b"0.1234567890123456789", "0.12345678901234568"),
        ("build_id", b"-0.0", "-0.0"), ("build_id", b"2e23", "1.9999999999999998E23"),
    ),
    *_each(ROW, 30)(("build_id", b"true", "true"), ("sensor_id", b"false", "false")),
    *_each(ROW, 31)(
        ("build_id", b'{"a": 1, "b":[1, 2.50]}', '{"a":1,"b":[1,2.5]}'),
        ("build_id", b"[1e5 , null,true]", "[100000.0,null,true]"),
        ("build_id", b"[ ]", "[]"), ("build_id", b"{ }", "{}"),
        ("sensor_id", b"[\"\\u00e9\\n\\ud83d\\ude00\"]", '["\u00e9\\n\\uD83D\\uDE00"]'),
        ("sensor_id", b'[NaN,-INF,1e400]', '["NaN","-Infinity","Infinity"]'),
    ),
    *_each(ROW, 32)(("build_id", b"NaN", '"NaN"'), ("build_id", b"+INF", '"Infinity"')),
    # E. structs
    *_each(ROW, 33)(
        ("_metadata", b"null", None),
        ("_metadata", b"{}", {"producer_id": None, "message_id": None}),
        ("_metadata", b'{"message_id":"m","x":[1]}', {"producer_id": None, "message_id": "m"}),
        ("_metadata", b'{"producer_id":1.50}', {"producer_id": "1.5", "message_id": None}),
        ("inner", b'{"d":NaN,"i":-0}', {"d": _NAN, "i": 0, "t": None}),
    ),
    *_each(FLAGGED, 33)(
        ("_metadata", b'"x"', None), ("_metadata", b"12", None), ("_metadata", b'[{"a":1}]', None),
        ("inner", b'{"d":"x","i":7,"t":[1]}', {"d": None, "i": 7, "t": "[1]"}),
    ),
)  # fmt: skip
"""Oddities of members of the object."""


WHOLES: Final[tuple[Oddity, ...]] = (
    *[
        Oddity((1,), NULL, lambda _, text=text: (text, {}))
        for text in (b"", b" ", b" \t\r\n", b"\n" * 50)
    ],
    *_is(VOID, 2)(b"hello", b"{", b"}", b'"', b'{"layer"', b'{"layer":1', b"tru"),
    *_is(ROW, 3)(b"{}", b" { } ", b'{"other":{}}'),
    *_is(VOID, 4)(
        b"[]", b"[%s]", b"[%s,%s]", b"12", b"-1.5e3", b'"s"', b"'s'", b"true", b"false", b"null",
        b"NaN", b"[1,2]", b"[[%s]]",
    ),
    *_is(ROW, 5, 64)(
        b"%s xyz", b"%s%s", b"%s}", b"%s\n%s", b"%s\x00", b"%s,", b"%s]", b"%s\xff", b"%s \x0c",
        b'%s"', b"%s{",
    ),
    *_is(ROW, 6)(b" \t\r\n%s", b"%s \t\r\n", b"\n\n%s\n"),
    *_is(VOID, 6)(
        b"\x0c%s", b"\xc2\xa0%s", b"\xef\xbb\xbf%s", b"\x00%s", b"\xe2\x80\xa8%s", b"\x1e%s",
        b"\xff\xfe{\x00}\x00", b"\xfe\xff\x00{\x00}", b"{\x00}\x00", b"\x00{\x00}",
    ),
    *_is(VOID, 7)(b"/**/%s", b"//\n%s", b"#\n%s", b",%s"),
)  # fmt: skip
"""Oddities of whole records; ``%s`` stands for a good one."""
