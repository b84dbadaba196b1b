"""Tokens to column values: what Spark's converters make of each JSON value.

A field whose value cannot be converted is null and makes the row *partial*; reading goes on where
the tokenizer stands then. Only where that leads nowhere is the record void.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pbf_ray.decode.reference.float32 import nearest_float32
from pbf_ray.decode.reference.java_text import joined_pairs, storable_text
from pbf_ray.decode.reference.json_text import copied_value
from pbf_ray.decode.reference.problems import FIELD, JsonProblem
from pbf_ray.decode.reference.tokenizer import (
    END_OBJECT,
    FALSE,
    NAME,
    NONE,
    NULL,
    NUMBER,
    START_OBJECT,
    STRING,
    TRUE,
    Tokenizer,
)

__all__ = [
    "Converter",
    "PartialRow",
    "Row",
    "converted_object",
    "scalar_converter",
    "struct_converter",
]

Row = dict[str, Any]
"""Values by field name; a field without a value is absent or None."""

Converter = Callable[[Tokenizer], Any]
"""Reads the value at the current token; None for null."""

_QUOTED_NOT_FINITE: Final = {
    "NaN": math.nan,
    **dict.fromkeys(("+INF", "+Infinity", "Infinity"), math.inf),
    **dict.fromkeys(("-INF", "-Infinity"), -math.inf),
}


class PartialRow(Exception):  # noqa: N818 - never leaves this package
    """An object was read to its end, and some of its fields could not be converted."""

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.row = row


def converted_object(tokens: Tokenizer, converters: dict[str, Converter]) -> Row:
    """Read the object that has just begun.

    Args:
        tokens: Standing at the start of an object.
        converters: Converter of each wanted field; other fields are passed over.

    Raises:
        PartialRow: All was read, a field could not be converted.
        JsonProblem: Reading cannot go on.
    """
    row: Row = {}
    is_partial = False
    while (token := tokens.next_token()) != END_OBJECT and token != NONE:
        units = tokens.current_name()
        name = joined_pairs(units) if units is not None else None
        converter = converters.get(name) if name is not None else None
        if name is None or converter is None:
            tokens.skip_children()
            continue
        try:
            row[name] = converter(tokens)
        except PartialRow as partial:
            row[name] = partial.row
            is_partial = True
        except JsonProblem:
            is_partial = True
            tokens.skip_children()
    if is_partial:
        raise PartialRow(row)
    return row


def struct_converter(converters: dict[str, Converter]) -> Converter:
    """Converter to a struct of the given fields."""

    def convert(tokens: Tokenizer) -> Row | None:
        token = _value_token(tokens)
        if token == START_OBJECT:
            return converted_object(tokens, converters)
        _null_or_fail(tokens, token)
        return None

    return convert


def scalar_converter(kind: str) -> Converter:
    """Converter to a scalar type.

    Args:
        kind: Name of the Arrow type: ``string``, ``double``, ``float``, ``bool``, ``int8`` to
            ``int64``.

    Raises:
        KeyError: No such kind.
    """
    return _SCALARS[kind]


def _value_token(tokens: Tokenizer) -> int:
    """The token of the value, past the field name."""
    while tokens.token == NAME:
        tokens.next_token()
    return tokens.token


def _null_or_fail(tokens: Tokenizer, token: int) -> None:
    if token in (NULL, NONE):
        return
    if token == STRING:
        tokens.string()
    tokens.fail("value of another type", FIELD)


def _to_string(tokens: Tokenizer) -> str | None:
    token = _value_token(tokens)
    if token == STRING:
        return storable_text(tokens.string())
    if token in (NULL, NONE):
        return None
    return copied_value(tokens)


def _to_bool(tokens: Tokenizer) -> bool | None:
    token = _value_token(tokens)
    if token in (TRUE, FALSE):
        return token == TRUE
    _null_or_fail(tokens, token)
    return None


def _to_floating(parsed: Callable[[str], float]) -> Converter:
    def convert(tokens: Tokenizer) -> float | None:
        token = _value_token(tokens)
        if token == NUMBER:
            if tokens.not_finite is not None:
                return tokens.not_finite
            if tokens.number == "-0":
                return 0.0  # an integer token: integers have no negative zero
            return parsed(tokens.number)
        if token == STRING:
            value = _QUOTED_NOT_FINITE.get(tokens.string())
            if value is not None:
                return value
        _null_or_fail(tokens, token)
        return None

    return convert


def _to_integer(low: int, high: int, bits: int) -> Converter:
    def convert(tokens: Tokenizer) -> int | None:
        token = _value_token(tokens)
        if token == NUMBER and tokens.is_integer:
            value = int(tokens.number)
            if not low <= value <= high:
                tokens.fail("integer out of range", FIELD)
            return value if value < 1 << (bits - 1) else value - (1 << bits)
        _null_or_fail(tokens, token)
        return None

    return convert


_SCALARS: Final[dict[str, Converter]] = {
    "string": _to_string,
    "bool": _to_bool,
    "double": _to_floating(float),
    "float": _to_floating(nearest_float32),
    # Jackson takes bytes up to 255 and wraps them
    "int8": _to_integer(-(2**7), 2**8 - 1, 8),
    **{
        f"int{bits}": _to_integer(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, bits)
        for bits in (16, 32, 64)
    },
}
