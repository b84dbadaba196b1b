"""Why a record is rejected: the codes."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BLANK",
    "MAX_STRING_BYTES",
    "NAME_TOO_LONG",
    "NOT_AN_OBJECT",
    "NULL_VALUE",
    "NUMBER_TOO_LONG",
    "REASONS",
    "STRING_TOO_LONG",
    "SYNTAX",
    "TOO_DEEP",
    "TRUNCATED",
    "UNSTORABLE",
]

NULL_VALUE: Final = "null_value"
BLANK: Final = "blank"
NOT_AN_OBJECT: Final = "not_an_object"
SYNTAX: Final = "syntax"
TRUNCATED: Final = "truncated"
TOO_DEEP: Final = "too_deep"
NUMBER_TOO_LONG: Final = "number_too_long"
NAME_TOO_LONG: Final = "name_too_long"
STRING_TOO_LONG: Final = "string_too_long"
UNSTORABLE: Final = "unstorable"

REASONS: Final[dict[str, str]] = {
    NULL_VALUE: "the message has no value",
    BLANK: "the value is empty or only white space",
    NOT_AN_OBJECT: "the value is JSON, but no object",
    SYNTAX: "the value is not JSON",
    TRUNCATED: "the value ends inside the object",
    TOO_DEEP: "objects and arrays are nested deeper than 1000",
    NUMBER_TOO_LONG: "a number has more than 1000 digits",
    NAME_TOO_LONG: "a field name has more than 50000 UTF-16 units",
    STRING_TOO_LONG: "a string has more than 20000000 UTF-16 units",
    UNSTORABLE: "a string holds U+0000 or is longer than a store takes",
}
"""Why a record is rejected: stable codes and what they mean."""

MAX_STRING_BYTES: Final = 1 << 20
"""Longest string field that a store takes, in bytes of UTF-8.

Decided at decoding, so that every profile of stores sees the same records.
"""
