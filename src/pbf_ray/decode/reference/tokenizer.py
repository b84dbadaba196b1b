"""Tokens of a record, in Jackson's order and with Jackson's state after an error.

The converters of Spark catch an error inside a field and ask for the next token. What comes then
depends on state that is odd at first sight, all of it kept here:

- A field name and the *start* of its value are read in one step. If the value is bad, the name is
  the current token without a value, and the next token is none.
- A double-quoted string is read only when it is wanted; when reading it fails, the string counts as
  read, and the next token starts where reading stopped.
- Whether a comma must come is counted per object or array, also for attempts that failed.
"""

from __future__ import annotations

import math
from typing import Final, NoReturn

from pbf_ray.decode.reasons import NAME_TOO_LONG, STRING_TOO_LONG, TOO_DEEP, TRUNCATED
from pbf_ray.decode.reference.numbers import NumberScanner

__all__ = [
    "END_ARRAY",
    "END_OBJECT",
    "FALSE",
    "NAME",
    "NONE",
    "NULL",
    "NUMBER",
    "START_ARRAY",
    "START_OBJECT",
    "STRING",
    "TRUE",
    "Tokenizer",
]

MAX_DEPTH: Final = 1000
MAX_NAME_UNITS: Final = 50_000
MAX_STRING_UNITS: Final = 20_000_000

NONE: Final = 0
START_OBJECT: Final = 1
END_OBJECT: Final = 2
START_ARRAY: Final = 3
END_ARRAY: Final = 4
NAME: Final = 5
STRING: Final = 6
NUMBER: Final = 7
TRUE: Final = 8
FALSE: Final = 9
NULL: Final = 10

_ROOT: Final = 0
_ARRAY: Final = 1
_OBJECT: Final = 2
_KIND_NAMES: Final = ("value", "array", "object")


class _Context:
    """An object or array that is open."""

    __slots__ = ("entries", "kind", "name")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.entries = -1
        """Entries begun so far, less one."""
        self.name: str | None = None
        """Name of the entry being read, in an object."""


class Tokenizer(NumberScanner):
    """Reads tokens of one record.

    Args:
        units: Text as UTF-16 code units.
        unfinished: The bytes of the text end inside a character.
    """

    def __init__(self, units: str, *, unfinished: bool = False) -> None:
        super().__init__(units, unfinished=unfinished)
        self.token = NONE
        self._value_token = NONE
        self._string = ""
        self._string_is_unread = False
        self._contexts = [_Context(_ROOT)]

    def next_token(self) -> int:
        """Advance to the next token and return it; ``NONE`` at the end of the text.

        Raises:
            JsonProblem: The text is not JSON.
        """
        if self.token == NAME:
            return self._value_after_name()
        if self._string_is_unread:
            self._string_is_unread = False
            self.skip_quoted()
        context = self._contexts[-1]
        unit = self.significant()
        if not unit:
            if context.kind != _ROOT:
                self._truncated_inside(context)
            self.token = NONE
            return NONE
        if unit in "]}":
            self._close(unit, context)
            return self.token
        context.entries += 1
        if context.entries > 0 and context.kind != _ROOT:
            if unit != ",":
                self.fail_at(unit, f"',' or the end of the {_KIND_NAMES[context.kind]} expected")
            unit = self.significant()
            if not unit:
                self._truncated_inside(context)
        if context.kind != _OBJECT:
            token = self._value_start(unit)
            if token in (START_OBJECT, START_ARRAY):
                self._open(token)
            self.token = token
            return token
        context.name = self._name(unit)
        self.token = NAME
        self._value_token = self._value_start(self._unit_after_colon(context))
        return NAME

    def skip_children(self) -> None:
        """Where an object or array has just begun, advance to its end."""
        if self.token not in (START_OBJECT, START_ARRAY):
            return
        depth = 1
        while depth:
            token = self.next_token()
            if token in (START_OBJECT, START_ARRAY):
                depth += 1
            elif token in (END_OBJECT, END_ARRAY):
                depth -= 1
            elif token == NONE:
                if self._contexts[-1].kind != _ROOT:
                    self._truncated_inside(self._contexts[-1])
                return

    def current_name(self) -> str | None:
        """Name of the field that the current token belongs to."""
        if self.token in (START_OBJECT, START_ARRAY):
            return self._contexts[-2].name
        return self._contexts[-1].name

    def string(self) -> str:
        """The current string as UTF-16 code units.

        Raises:
            JsonProblem: The string is not well formed, or too long.
        """
        if self._string_is_unread:
            self._string_is_unread = False
            self._string = self.quoted('"')
        if len(self._string) > MAX_STRING_UNITS:
            self.fail("string is too long", STRING_TOO_LONG)
        return self._string

    def _value_after_name(self) -> int:
        token, self._value_token = self._value_token, NONE
        if token in (START_OBJECT, START_ARRAY):
            self._open(token)
        self.token = token
        return token

    def _open(self, token: int) -> None:
        self._contexts.append(_Context(_OBJECT if token == START_OBJECT else _ARRAY))
        if len(self._contexts) > MAX_DEPTH + 1:
            self.fail(f"nested deeper than {MAX_DEPTH}", TOO_DEEP)

    def _close(self, unit: str, context: _Context) -> None:
        if context.kind != (_OBJECT if unit == "}" else _ARRAY):
            self.fail_at(unit, f"end of the {_KIND_NAMES[context.kind]} expected")
        self._contexts.pop()
        self.token = END_OBJECT if unit == "}" else END_ARRAY

    def _name(self, unit: str) -> str:
        if unit not in "\"'":
            self.fail_at(unit, "field name in quotes expected")
        name = self.quoted(unit)
        if len(name) > MAX_NAME_UNITS:
            self.fail("field name is too long", NAME_TOO_LONG)
        return name

    def _unit_after_colon(self, context: _Context) -> str:
        unit = self.significant()
        if unit and unit != ":":
            self.fail_at(unit, "':' expected")
        unit = unit and self.significant()
        if not unit:
            self._truncated_inside(context)
        return unit

    def _value_start(self, unit: str) -> int:
        """Read a value as far as Jackson does at once: all of it, except strings and nesting."""
        if unit == '"':
            self._string_is_unread = True
            return STRING
        if "0" <= unit <= "9":
            self.unsigned_number(unit)
            return NUMBER
        if unit == "-":
            self.negative_number()
            return NUMBER
        if unit == "{":
            return START_OBJECT
        if unit == "[":
            return START_ARRAY
        if unit == "n":
            self.literal("null")
            return NULL
        if unit == "t":
            self.literal("true")
            return TRUE
        if unit == "f":
            self.literal("false")
            return FALSE
        return self._odd_value_start(unit)

    def _odd_value_start(self, unit: str) -> int:
        """Values outside the JSON standard that Spark allows."""
        if unit == "'":
            self._string = self.quoted("'")
            return STRING
        if unit == "N":
            self.literal("NaN")
            self.set_not_finite(math.nan)
            return NUMBER
        if unit == "I":
            self.literal("Infinity")
            self.set_not_finite(math.inf)
            return NUMBER
        if unit != "+":
            self.unexpected_value(unit)
        self.odd_number(self.next_unit("unfinished number"), negative=False)
        return NUMBER

    def _truncated_inside(self, context: _Context) -> NoReturn:
        self.fail(f"the record ends inside an {_KIND_NAMES[context.kind]}", TRUNCATED)
