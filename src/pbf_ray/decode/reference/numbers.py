"""Numbers of a record.

Jackson has two readers for a number: one for numbers that lie inside the current chunk, and one for
those that start with a zero or touch the end of the chunk. They differ in how they count digits
against the limit, and in the place where an error leaves the text; both are kept apart here.
"""

from __future__ import annotations

import math
import re
from typing import Final

from pbf_ray.decode.reasons import NUMBER_TOO_LONG
from pbf_ray.decode.reference.scanner import Scanner

__all__ = ["MAX_NUMBER_DIGITS", "NumberScanner"]

MAX_NUMBER_DIGITS: Final = 1000

_DIGITS: Final = re.compile("[0-9]*")


class NumberScanner(Scanner):
    """Scanner that reads numbers into ``number``, ``is_integer`` and ``not_finite``."""

    def __init__(self, units: str, *, unfinished: bool = False) -> None:
        super().__init__(units, unfinished=unfinished)
        self.number = ""
        """Text of the last number token as it stands in the record."""
        self.is_integer = False
        self.not_finite: float | None = None
        """NaN or an infinity where the last number token was such a literal."""

    def unsigned_number(self, first: str) -> None:
        """Read a number whose first digit has been read."""
        start = self.position - 1
        if first == "0":
            self._number_with_edges(start, negative=False)
        else:
            self._number_inside(start, self.position, negative=False)

    def negative_number(self) -> None:
        """Read a number whose minus sign has been read."""
        start = self.position - 1
        if self.position >= self.limit:
            self._number_with_edges(start, negative=True)
            return
        unit = self.units[self.position]
        if not "0" <= unit <= "9":
            self.position += 1
            if unit == ".":
                self.unexpected_value(unit)
            self.odd_number(unit, negative=True)
        elif unit == "0":
            self._number_with_edges(start, negative=True)
        else:
            self._number_inside(start, self.position + 1, negative=True)

    def odd_number(self, unit: str, *, negative: bool) -> None:
        """``INF`` or ``Infinity`` after a sign; ``unit``, the first after it, has been read."""
        sign = "-" if negative else "+"
        if unit == "I":
            unit = self.next_unit("unfinished number")
            if unit in "Nn":
                self.literal(sign + ("INF" if unit == "N" else "Infinity"), 3)
                self.set_not_finite(-math.inf if negative else math.inf)
                return
        self.fail_at(unit, f"digit expected after {sign}")

    def set_not_finite(self, value: float) -> None:
        """Note a NaN or an infinity as the number read."""
        self.is_integer = False
        self.not_finite = value
        self.number = ""

    def _number_inside(self, start: int, rest: int, *, negative: bool) -> None:
        """The common reader: the number ends before the chunk does."""
        units, limit = self.units, self.limit
        first_digit = start + negative
        end = self._digits_end(rest)
        integer_digits = end - first_digit
        if end < limit and units[end] not in ".eE":
            self._finish(start, end, integer_digits, integer=True)
            return
        if end < limit:
            self.position = end + 1
            fraction_digits = exponent_digits = 0
            if units[end] == ".":
                fraction = end + 1
                end = self._digits_end(fraction)
                fraction_digits = end - fraction
                if end < limit and not fraction_digits:
                    self.fail("digit expected after the decimal point")
            if end < limit and units[end] in "eE":
                end += 1
                if end < limit and units[end] in "+-":
                    end += 1
                exponent = end
                end = self._digits_end(exponent)
                exponent_digits = end - exponent
                if end < limit and not exponent_digits:
                    self.fail("digit expected in the exponent")
            if end < limit:
                digits = integer_digits + fraction_digits + exponent_digits
                self._finish(start, end, digits, integer=False)
                return
        self._number_with_edges(start, negative=negative)

    def _number_with_edges(self, start: int, *, negative: bool) -> None:
        """The careful reader: leading zeros, and numbers that touch the end of the chunk."""
        self.position = start + negative
        unit = self.next_unit("digit expected after -")
        if unit == "0" and self._digit_follows():
            self.fail("leading zeros are not allowed")
        # a part that is absent counts -1 against the limit here, 0 in the common reader
        integer_digits, fraction_digits, exponent_digits = 0, -1, -1
        while "0" <= unit <= "9":
            integer_digits += 1
            unit = self._unit_or_end()
        if not integer_digits:
            self.odd_number(unit, negative=negative)
            return
        if unit == ".":
            unit, fraction_digits = self._digits_from(self._unit_or_end())
            if not fraction_digits:
                self.fail("digit expected after the decimal point")
        if unit in ("e", "E"):
            unit = self.next_unit("digit expected in the exponent")
            if unit in "+-":
                unit = self.next_unit("digit expected in the exponent")
            unit, exponent_digits = self._digits_from(unit)
            if not exponent_digits:
                self.fail("digit expected in the exponent")
        integer = fraction_digits < 0 and exponent_digits < 0
        end = self.position - 1 if unit else self.position
        digits = integer_digits if integer else integer_digits + fraction_digits + exponent_digits
        self._finish(start, end, digits, integer=integer)

    def _digits_from(self, unit: str) -> tuple[str, int]:
        count = 0
        while "0" <= unit <= "9":
            count += 1
            unit = self._unit_or_end()
        return unit, count

    def _digits_end(self, start: int) -> int:
        match = _DIGITS.match(self.units, start, self.limit)
        return match.end() if match else start

    def _digit_follows(self) -> bool:
        return (self.position < self.limit or self.more()) and (
            "0" <= self.units[self.position] <= "9"
        )

    def _unit_or_end(self) -> str:
        """The next unit, or ``""`` at the end of the text."""
        if self.position >= self.limit and not self.more():
            return ""
        unit = self.units[self.position]
        self.position += 1
        return unit

    def _finish(self, start: int, end: int, digits: int, *, integer: bool) -> None:
        self.position = end
        if digits > MAX_NUMBER_DIGITS:
            self.fail("number is too long", NUMBER_TOO_LONG)
        self.number = self.units[start:end]
        self.is_integer = integer
        self.not_finite = None
