"""Messages that a monitoring system really receives: cut off, garbled, of wrong types, empty."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from pbf_ray.contracts import CHANNELS
from pbf_ray.simulate.record import MalformedKind

__all__ = ["malform"]

_NOT_JSON: Final[tuple[bytes, ...]] = (
    b"E42 sensor timeout",
    b"<record><temperature>1600.5</temperature></record>",
    b"1600.5;0.95;200.0;1.2",
    b"\x00\x17\x9f\xff\xfe\x80",
    b"{temperature: 1600.5}",
)
_BLANK: Final[tuple[bytes, ...]] = (b"", b" ", b"\r\n")
_WRONG_TYPES: Final[tuple[bytes, ...]] = (b'"1600.5"', b"true", b"[1600.5]", b'{"value":1600.5}')
_METADATA: Final = b'"_metadata":'
_EXTRA: Final = b',"firmware":"4.2.1","optics":{"spot_um":[80,81.5],"window":null}}'
_CHANNEL_TOKENS: Final = {
    channel: re.compile(b'(?<="' + channel.encode() + b'":)[^,]+') for channel in CHANNELS
}


def malform(value: bytes, kind: MalformedKind, rng: np.random.Generator) -> bytes | None:
    """Spoil one message.

    Args:
        value: The whole record, a compact JSON object with all channels as numbers.
        kind: How to spoil it.
        rng: Source of chance: where to cut, which channel, which text.

    Returns:
        The message as sent; None is a tombstone.
    """
    match kind:
        case "truncated":
            # Not within the metadata: Spark keeps some records that are cut off there, flagged.
            return value[: int(rng.integers(1, value.index(_METADATA)))]
        case "not_json":
            return _NOT_JSON[int(rng.integers(len(_NOT_JSON)))]
        case "blank":
            return _BLANK[int(rng.integers(len(_BLANK)))]
        case "tombstone":
            return None
        case "wrong_type":
            return _with_channel(value, _WRONG_TYPES[int(rng.integers(len(_WRONG_TYPES)))], rng)
        case "extra_field":
            return value[:-1] + _EXTRA
        case "nan_literal":
            return _with_channel(value, b"NaN", rng)


def _with_channel(value: bytes, token: bytes, rng: np.random.Generator) -> bytes:
    channel = CHANNELS[int(rng.integers(len(CHANNELS)))]
    return _CHANNEL_TOKENS[channel].sub(token, value, count=1)
