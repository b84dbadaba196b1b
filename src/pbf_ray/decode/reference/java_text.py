"""Bytes to text and text to bytes as Java does it.

Spark reads a record through a Java reader: invalid UTF-8 becomes U+FFFD by Java's own rules, the
JSON parser then works on UTF-16 code units, and a lone surrogate leaves as ``?``. Text inside the
tokenizer is therefore a ``str`` of *code units*: a character beyond U+FFFF is two surrogates.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final

__all__ = [
    "READER_CHUNK",
    "chunk_end",
    "code_units",
    "decoded",
    "ends_inside_character",
    "is_identifier_part",
    "is_identifier_start",
    "joined_pairs",
    "storable_text",
]

READER_CHUNK: Final = 4000
"""Code units that the parser takes from its reader at a time."""

_JAVA_ERRORS: Final = "pbf_ray.java_utf8"
_ENCODED_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]?")
_UNFINISHED: Final = re.compile(
    rb"(?:[\xc2-\xf4]|\xe0[\xa0-\xbf]|[\xe1-\xef][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]?"
    rb"|[\xf1-\xf3][\x80-\xbf]{1,2}|\xf4[\x80-\x8f][\x80-\xbf]?)\Z"
)
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _java_replacement(error: UnicodeError) -> tuple[str | bytes, int]:
    """One U+FFFD for each malformed run; Java takes an encoded surrogate as one run."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    encoded_surrogate = _ENCODED_SURROGATE.match(error.object, error.start)
    return "\ufffd", encoded_surrogate.end() if encoded_surrogate else error.end


codecs.register_error(_JAVA_ERRORS, _java_replacement)


def decoded(data: bytes) -> str:
    """Decode UTF-8 as Java does: never fails, malformed runs become U+FFFD.

    Args:
        data: Any bytes.

    Returns:
        Proper text (characters beyond U+FFFF stay one character).
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8", _JAVA_ERRORS)


def code_units(text: str) -> str:
    """Split every character beyond U+FFFF in its two surrogates."""
    if text.isascii() or not _ASTRAL.search(text):
        return text
    return _ASTRAL.sub(_surrogate_pair, text)


def _surrogate_pair(match: re.Match[str]) -> str:
    offset = ord(match[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def storable_text(units: str) -> str:
    """Join surrogate pairs; a lone surrogate becomes ``?``, as in Java's UTF-8 encoder."""
    if units.isascii() or not _SURROGATE.search(units):
        return units
    return _SURROGATE.sub("?", joined_pairs(units))


def joined_pairs(units: str) -> str:
    """Join surrogate pairs; a lone surrogate stays."""
    if units.isascii() or not _SURROGATE.search(units):
        return units
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def ends_inside_character(data: bytes) -> bool:
    """Whether the bytes end in the middle of a character that might have been well formed."""
    return bool(_UNFINISHED.search(data[-3:]))


def chunk_end(units: str, start: int, *, unfinished: bool = False) -> int:
    """End of the chunk that Java's reader hands out from ``start``.

    One case is left out: Java also ends a chunk one unit early before a U+FFFD that stands for the
    first three bytes of a broken four-byte character. A result could show it only if, right there,
    a malformed number or one of just over 1000 digits came before it.

    Args:
        units: Text as UTF-16 code units.
        start: End of the chunk before.
        unfinished: The bytes end inside a character; its U+FFFD comes in a chunk of its own.
    """
    size = len(units)
    if unfinished and start < size - 1:
        size -= 1
    end = start + READER_CHUNK
    if end >= size:
        return size
    splits_pair = "\ud800" <= units[end - 1] <= "\udbff"
    return end - 1 if splits_pair else end


_START_CATEGORIES: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"})
_PART_CATEGORIES: Final = _START_CATEGORIES | {"Nd", "Mc", "Mn", "Cf"}

_UNASSIGNED_IN_JAVA_17: Final = (
    *((0x0870, 0x089F), (0x08B5, 0x08B5), (0x08C8, 0x08D2), (0x0C3C, 0x0C3C), (0x0C5C, 0x0C5D)),
    *((0x0CDC, 0x0CDD), (0x0CF3, 0x0CF3), (0x0ECE, 0x0ECE), (0x170D, 0x170D), (0x1715, 0x171F)),
    *((0x180F, 0x180F), (0x1AC1, 0x1AFF), (0x1B4C, 0x1B4F), (0x1C89, 0x1C8F), (0x1DFA, 0x1DFA)),
    *((0x20C0, 0x20CF), (0x2C2F, 0x2C2F), (0x2C5F, 0x2C5F), (0x9FFD, 0x9FFF), (0xA7C0, 0xA7C1)),
    *((0xA7CB, 0xA7F4),),
)
"""Code points that came after Unicode 13, the version of Java 17."""


def _known_to_java(unit: str) -> bool:
    point = ord(unit)
    return not any(first <= point <= last for first, last in _UNASSIGNED_IN_JAVA_17)


def is_identifier_start(unit: str) -> bool:
    """``Character.isJavaIdentifierStart`` of Java 17 for one code unit."""
    return unicodedata.category(unit) in _START_CATEGORIES and _known_to_java(unit)


def is_identifier_part(unit: str) -> bool:
    """``Character.isJavaIdentifierPart`` of Java 17 for one code unit."""
    if unit < "\x80":
        ignorable = unit <= "\x08" or "\x0e" <= unit <= "\x1b" or unit == "\x7f"
        return unit.isalnum() or unit in "_$" or ignorable
    if unit <= "\x9f":
        return True
    return unicodedata.category(unit) in _PART_CATEGORIES and _known_to_java(unit)
