"""What can be wrong with a record, and the codes that name it."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BLANK",
    "FIELD",
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
    "JsonProblem",
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

FIELD: Final = "field"
"""Not a reason to reject: one field cannot be converted, the record stands."""


class JsonProblem(Exception):  # noqa: N818 - never leaves this package
    """The text, or one value in it, cannot be read as wanted.

    Attributes:
        code: One of ``REASONS`` or ``FIELD``.
        what: Short text for people.
        position: Index of the UTF-16 unit at which reading stopped.
    """

    def __init__(self, code: str, what: str, position: int) -> None:
        super().__init__(code, what, position)
        self.code = code
        self.what = what
        self.position = position
