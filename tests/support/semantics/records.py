"""Records for PySpark and pbf_ray to decode: good, odd in one known way, or odd in any way.

A batch of thousands is made from one seed; Hypothesis draws the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pbf_ray.contracts import RECORD_SCHEMA
from support.semantics.oddities import MEMBERS, ROW, VOID, WHOLES, Oddity

__all__ = ["SCHEMA", "Case", "known_cases", "random_records"]

SCHEMA: Final = pa.schema(
    [
        *RECORD_SCHEMA.remove_metadata(),
        pa.field("single", pa.float32()),
        pa.field("small", pa.int8()),
        pa.field("short", pa.int16()),
        pa.field("whole", pa.int64()),
        pa.field("flag", pa.bool_()),
        pa.field("inner", pa.struct([("d", pa.float64()), ("i", pa.int32()), ("t", pa.string())])),
    ]
)
"""The ISPM record, and a field of every other type that can be decoded."""


class Case(NamedTuple):
    """A record that is odd in one known way, or not at all.

    Attributes:
        value: The record.
        items: Items of the list that it shows.
        kind: What becomes of it.
        fields: Values that fields must have.
    """

    value: bytes
    items: tuple[int, ...]
    kind: str
    fields: dict[str, Any]


def known_cases(rng: Random, *, repeats: int) -> Iterator[Case]:
    """Every oddity, each alone in ``repeats`` records."""
    for _ in range(repeats):
        for oddity in MEMBERS:
            yield _alone(rng, oddity)
        for oddity in WHOLES:
            text, fields = oddity.make(rng)
            text = text.replace(b"%s", _object(rng, _good_members(rng, ())))
            yield Case(text, oddity.items, oddity.kind, fields)
        whole = _object(rng, _good_members(rng, ()))
        yield Case(whole, (3,), ROW, {})
        # cut inside a struct that is wanted, what was read before would stand
        whole = _object(rng, _good_members(rng, ("_metadata", "inner")))
        yield Case(whole[: rng.randrange(1, len(whole))].rstrip(b"}"), (2,), VOID, {})


def _alone(rng: Random, oddity: Oddity) -> Case:
    text, fields = oddity.make(rng)
    mentioned = [name for name in SCHEMA.names if name in fields or name.encode() in text]
    members = _good_members(rng, mentioned) or [b'"more":1']
    members.insert(rng.randrange(len(members) + 1), text)
    return Case(_object(rng, members), oddity.items, oddity.kind, fields)


def random_records(rng: Random, count: int) -> list[bytes | None]:
    """Records that are odd in no, one or several ways, at any place."""
    return [_random_record(rng) for _ in range(count)]


def _random_record(rng: Random) -> bytes | None:
    chance = rng.random()
    if chance < 0.005:
        return None
    members = _good_members(rng, ())
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        made = _member(rng) if rng.random() < 0.5 else rng.choice(MEMBERS).make(rng)[0]
        members.insert(rng.randrange(len(members) + 1), made)
    if chance < 0.03:
        # Jackson takes a record in chunks of 4000 units: something happens just there
        at = rng.randrange(len(members) + 1)
        before = sum(map(len, members[:at])) + at
        pad = max(0, 3960 - before + rng.randrange(60))
        members.insert(at, rng.choice([b" " * pad, b'"pad":"%s"' % (b"y" * pad)]))
    record = _object(rng, members, oddly=rng.random() < 0.05)
    if rng.random() < 0.07:
        record = rng.choice(WHOLES).make(rng)[0].replace(b"%s", record)
    if rng.random() < 0.15:
        record = _mutated(rng, record)
    return record


def _object(rng: Random, members: list[bytes], *, oddly: bool = False) -> bytes:
    commas = [b",", b",", b",", b", ", b" ,", b"\n,\t", b",\r\n"]
    if oddly:
        commas += [b"", b",,", b";", b" ", b"}", b"]"]
    parts = [b"{"]
    for index, member in enumerate(members):
        parts += [rng.choice(commas) if index else b"", member]
    return b"".join([*parts, rng.choice([b"}", b"}", b" }", b"\n}"])])


# -- good members ------------------------------------------------------------------------------


def _text(rng: Random) -> bytes:
    pool = [
        "B-1",
        "sensor",
        "",
        "\u00e9\u20ac",
        "\U0001f600",
        "a b",
        "x" * 20,
        "\\n",
        '\\"',
        "\\u20ac",
    ]
    return b'"' + "".join(rng.choice(pool) for _ in range(rng.randrange(3))).encode() + b'"'


def _number(rng: Random) -> bytes:
    return rng.choice(
        [b"%d" % rng.randrange(-99, 2000), b"%.3f" % rng.uniform(-1, 2000), b"1.5e3", b"0", b"null"]
    )


def _integer(rng: Random) -> bytes:
    return b"%d" % rng.randrange(-128, 128)


_GOOD: Final[dict[str, Callable[[Random], bytes]]] = {
    **dict.fromkeys(
        ("timestamp", "temperature", "pressure", "laser_power", "scan_speed", "single"), _number
    ),
    **dict.fromkeys(("layer", "small", "short", "whole"), _integer),
    **dict.fromkeys(("sensor_id", "build_id"), _text),
    "flag": lambda rng: rng.choice([b"true", b"false"]),
    "_metadata": lambda rng: b'{"producer_id":%s, "message_id":%s}' % (_text(rng), _text(rng)),
    "inner": lambda rng: b'{"d":%s,"i":%s,"t":%s}' % (_number(rng), _integer(rng), _text(rng)),
}


def _good_members(rng: Random, without: Sequence[str]) -> list[bytes]:
    names = [name for name in SCHEMA.names if name not in without]
    chosen = rng.sample(names, rng.randrange(len(names) + 1))
    return [b'"%s":%s' % (name.encode(), _GOOD[name](rng)) for name in chosen]


# -- members of any kind -----------------------------------------------------------------------

_NAMES: Final = [
    *SCHEMA.names, "producer_id", "message_id", "d", "i", "t", "other", "Layer", "",
    "_corrupt_record",
]  # fmt: skip
_TOKENS: Final = [
    *(b"1", b"-1", b"0", b"-0", b"-0.0", b"1.5", b"1e5", b"01", b"1.", b".5", b"+1", b"1e400"),
    *(b"2147483648", b"9223372036854775808", b"1" * 400, b"200", b"-129", b"2e23", b"1e-7"),
    *(b"16777217.0000000001", b"NaN", b"Infinity", b"-Infinity", b"+INF", b"nan", b"-", b"+"),
    *(b"true", b"false", b"null", b"tru", b"True", b"nul", b"nulls", b"truex", b"null1", b"NaNa"),
    *(b'"x"', b'""', b"'x'", b'"a\tb"', b'"\\u0041"', b'"\\q"', b'"\\u00g1"', b'"\\ud800"'),
    *(b'"\xff"', b'"\xf0\x9f\x98\x80"', b'"NaN"', b'"-INF"', b'"it\'s"', b"'a\"b'", b'"open'),
    *(b"7", b"8.25", b'"y"', b"null", b"[]", b"{}", b'"B-1"', b"-3", b"127", b"0.5", b"1E3"),
    *(b"", b"}", b"]", b"{", b"[", b":", b",", b"/*", b"#", b"\x00", b"\xff", b"\xc3\xa9", b"$a"),
]


def _member(rng: Random) -> bytes:
    name = rng.choice(_NAMES).encode()
    quoted = rng.choice([b'"%s"'] * 15 + [b"'%s'"] * 4 + [b"%s"]) % name
    colon = rng.choice([b":"] * 15 + [b" : ", b"\t:\n"] * 2 + [b"", b"::"])
    return quoted + colon + _value(rng, 3)


def _value(rng: Random, depth: int) -> bytes:
    chance = rng.random()
    if depth == 0 or chance < 0.6:
        return rng.choice(_TOKENS)
    comma = rng.choice([b","] * 15 + [b" , "] * 3 + [b"", b",,"])
    if chance < 0.75:
        inner = comma.join(_value(rng, depth - 1) for _ in range(rng.randrange(4)))
        return b"[" + inner + rng.choice([b"]"] * 20 + [b"", b"}", b",]"])
    inner = comma.join(
        b'"%s":' % rng.choice(_NAMES).encode() + _value(rng, depth - 1)
        for _ in range(rng.randrange(4))
    )
    return b"{" + inner + rng.choice([b"}"] * 20 + [b"", b"]", b",}"])


def _mutated(rng: Random, record: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(record) + 1)
        end = min(len(record), at + rng.choice([0, 1, 1, 2, 5]))
        noise = rng.choice(
            [b"", b"", bytes([rng.randrange(256)]), rng.choice(_TOKENS), record[at:end] * 2]
        )
        record = record[:at] + noise + record[end:]
    return record
