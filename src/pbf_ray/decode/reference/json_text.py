"""Compact JSON text of a value: what Spark makes of anything that stands where a string is wanted.

The text is Jackson's: floats are printed as Java doubles, NaN and infinities in quotes, characters
beyond U+FFFF as two hexadecimal escapes.
"""

from __future__ import annotations

import re
from typing import Final

from pbf_ray.decode.reference.java_double import java_double_text
from pbf_ray.decode.reference.problems import FIELD
from pbf_ray.decode.reference.tokenizer import (
    END_ARRAY,
    END_OBJECT,
    FALSE,
    NAME,
    NONE,
    NULL,
    NUMBER,
    START_ARRAY,
    START_OBJECT,
    STRING,
    TRUE,
    Tokenizer,
)

__all__ = ["copied_value", "number_text"]

_TO_ESCAPE: Final = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
_SHORT_ESCAPES: Final = dict(zip('"\\\b\t\n\f\r', '"\\btnfr', strict=True))
_LITERALS: Final = {TRUE: "true", FALSE: "false", NULL: "null"}
_BRACKETS: Final = {START_OBJECT: "{", END_OBJECT: "}", START_ARRAY: "[", END_ARRAY: "]"}


def number_text(tokens: Tokenizer) -> str:
    """The current number as Jackson writes it: integers verbatim, the rest as Java doubles."""
    if tokens.not_finite is not None:
        return f'"{java_double_text(tokens.not_finite)}"'
    if tokens.is_integer:
        return "0" if tokens.number == "-0" else tokens.number
    text = java_double_text(float(tokens.number))
    return text if text[-1] != "y" else f'"{text}"'


def copied_value(tokens: Tokenizer) -> str:
    """Compact JSON text of the value that begins at the current token, which is read to its end.

    Args:
        tokens: Standing at any token except a field name.

    Returns:
        Text without surrogates.

    Raises:
        JsonProblem: The value is not well formed, or no value begins here.
    """
    token = tokens.token
    if token not in (START_OBJECT, START_ARRAY):
        return _scalar(tokens, token)
    parts = [_BRACKETS[token]]
    depth = 1
    # what was written last decides whether a comma must come first
    after_value = False
    while depth:
        token = tokens.next_token()
        if token == NONE:
            break
        if token in (END_OBJECT, END_ARRAY):
            depth -= 1
            parts.append(_BRACKETS[token])
            after_value = True
            continue
        if after_value:
            parts.append(",")
        after_value = False
        if token == NAME:
            parts.append(_quoted(tokens.current_name() or "") + ":")
        elif token in (START_OBJECT, START_ARRAY):
            depth += 1
            parts.append(_BRACKETS[token])
        else:
            parts.append(_scalar(tokens, token))
            after_value = True
    return "".join(parts)


def _scalar(tokens: Tokenizer, token: int) -> str:
    if token == STRING:
        return _quoted(tokens.string())
    if token == NUMBER:
        return number_text(tokens)
    literal = _LITERALS.get(token)
    if literal is None:
        tokens.fail("no value begins here", FIELD)
    return literal


def _quoted(units: str) -> str:
    return f'"{_TO_ESCAPE.sub(_escaped, units)}"'


def _escaped(match: re.Match[str]) -> str:
    unit = match[0]
    return "\\" + (_SHORT_ESCAPES.get(unit) or f"u{ord(unit):04X}")
