"""The container of MTT and SLM files as bytes: numbers and sections, written independently."""

from __future__ import annotations

import struct

__all__ = ["floats", "number", "section", "utf16"]


def number(value: int, follow: int | None = None) -> bytes:
    """A number in the form with ``follow`` further bytes; the shortest, if that is not said."""
    if follow is None:
        follow = next(count for count in range(8) if value < 1 << (5 + 8 * count))
    data = bytearray(value.to_bytes(follow + 1, "big"))
    assert data[0] < 32
    data[0] |= follow << 5
    return bytes(data)


def section(tag: int, payload: bytes, follow: int | None = None) -> bytes:
    """A section; ``follow`` is of its length."""
    return number(tag) + number(len(payload), follow) + payload


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)
