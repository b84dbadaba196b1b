"""Characters of a record: position, white space, quoted strings, literals.

Spark reads records with Jackson, which takes the text in chunks and, after an error inside a value,
goes on from where the error left it. Results depend on that place, so every error here leaves
``position`` exactly where Jackson's reader-based parser leaves it.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from pbf_ray.decode.reasons import STRING_TOO_LONG, SYNTAX, TRUNCATED
from pbf_ray.decode.reference.java_text import chunk_end, is_identifier_part, is_identifier_start
from pbf_ray.decode.reference.problems import JsonProblem

__all__ = ["Scanner"]

_MAX_BUFFERED_UNITS: Final = 20_050_000
"""Where Jackson gives up inside a string or name; its own place varies by some thousand units with
the buffers it happens to hold."""
_MAX_SHOWN_TOKEN: Final = 256
"""How much of an unknown token Jackson reads to show it."""

_PLAIN: Final = {
    '"': re.compile('[^"\\\\\x00-\x1f]*'),
    "'": re.compile("[^'\\\\\x00-\x1f]*"),
}
_ESCAPES: Final = dict(zip("btnfr\"'/\\", "\b\t\n\f\r\"'/\\", strict=True))
_HEX_DIGITS: Final = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}


class Scanner:
    """Reads one record's text.

    Args:
        units: Text as UTF-16 code units (`code_units`).
        unfinished: The bytes of the text end inside a character (`ends_inside_character`).
    """

    def __init__(self, units: str, *, unfinished: bool = False) -> None:
        self.units = units
        self.position = 0
        self._unfinished = unfinished
        self.limit = chunk_end(units, 0, unfinished=unfinished)
        """End of the current chunk."""

    def more(self) -> bool:
        """Take the next chunk; False at the end of the text."""
        if self.limit >= len(self.units):
            return False
        self.limit = chunk_end(self.units, self.limit, unfinished=self._unfinished)
        return True

    def fail(self, what: str, code: str = SYNTAX) -> NoReturn:
        """Stop reading here."""
        raise JsonProblem(code, what, self.position)

    def fail_at(self, unit: str, what: str) -> NoReturn:
        """Stop at the unit just read."""
        raise JsonProblem(SYNTAX, f"{what}, found {unit!a}", self.position - 1)

    def next_unit(self, missing: str) -> str:
        """The next unit; a truncated record where there is none."""
        if self.position >= self.limit and not self.more():
            self.fail(missing, TRUNCATED)
        unit = self.units[self.position]
        self.position += 1
        return unit

    def significant(self) -> str:
        """The next unit that is no white space, consumed; ``""`` at the end of the text."""
        while self.position < self.limit or self.more():
            unit = self.units[self.position]
            self.position += 1
            if unit > " ":
                if unit == "/":
                    self.fail_at(unit, "comments are not allowed")
                return unit
            if unit not in " \n\r\t":
                self.fail_at(unit, "control character between tokens")
        return ""

    def quoted(self, quote: str) -> str:
        """Units up to the closing quote, escapes resolved; the opening quote has been read."""
        plain = _PLAIN[quote]
        end = self._plain_end(plain)
        if end < self.limit and self.units[end] == quote:
            text = self.units[self.position : end]
            self.position = end + 1
            return text
        parts: list[str] = []
        length = 0
        while True:
            end = self._plain_end(plain)
            if end > self.position:
                parts.append(self.units[self.position : end])
                length += end - self.position
                self.position = end
            if length > _MAX_BUFFERED_UNITS:
                self.fail("string is too long", STRING_TOO_LONG)
            unit = self.next_unit("missing closing quote")
            if unit == quote:
                return "".join(parts)
            parts.append(self._resolved(unit))
            length += 1

    def skip_quoted(self) -> None:
        """Pass over the rest of a double-quoted string; its length does not matter."""
        plain = _PLAIN['"']
        while True:
            self.position = self._plain_end(plain)
            unit = self.next_unit("missing closing quote")
            if unit == '"':
                return
            self._resolved(unit)

    def _plain_end(self, plain: re.Pattern[str]) -> int:
        match = plain.match(self.units, self.position, self.limit)
        return match.end() if match else self.position

    def _resolved(self, unit: str) -> str:
        if unit == "\\":
            return self._escape()
        if unit < " ":
            self.fail_at(unit, "control character in a string or name")
        return unit

    def _escape(self) -> str:
        unit = self.next_unit("unfinished escape")
        if unit != "u":
            plain = _ESCAPES.get(unit)
            if plain is None:
                self.fail_at(unit, "unknown escape")
            return plain
        value = 0
        for _ in range(4):
            unit = self.next_unit("unfinished escape")
            # Jackson looks at the low byte of the unit only
            digit = _HEX_DIGITS.get(ord(unit) & 0xFF)
            if digit is None:
                self.fail_at(unit, "hexadecimal digit expected")
            value = value << 4 | digit
        return chr(value)

    def literal(self, word: str, matched: int = 1) -> None:
        """Read the rest of a literal such as ``true``.

        Args:
            word: The whole literal.
            matched: How many units of it have been read.
        """
        for index in range(matched, len(word)):
            if not self._has_unit() or self.units[self.position] != word[index]:
                self._unknown_token(word[:index])
            self.position += 1
        if self._has_unit():
            unit = self.units[self.position]
            if unit >= "0" and unit not in "]}" and is_identifier_part(unit):
                self._unknown_token(word)

    def unexpected_value(self, unit: str) -> NoReturn:
        """Stop at a unit that starts no value."""
        if is_identifier_start(unit):
            self._unknown_token(unit)
        self.fail_at(unit, "value expected")

    def _has_unit(self) -> bool:
        return self.position < self.limit or self.more()

    def _unknown_token(self, seen: str) -> NoReturn:
        start = self.position - len(seen)
        shown = len(seen)
        while self._has_unit() and is_identifier_part(self.units[self.position]):
            self.position += 1
            shown += 1
            if shown >= _MAX_SHOWN_TOKEN:
                break
        token = self.units[start : min(self.position, start + 20)]
        raise JsonProblem(SYNTAX, f"unknown token {token!a}", start)
