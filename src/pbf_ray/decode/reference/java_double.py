"""Text of a double as ``Double.toString`` of Java 17 prints it.

Spark re-serialises a float that stands where a string is wanted, so this text is part of the
result. Java up to 18 does *not* print the shortest text that reads back (``2e23`` prints as
``1.9999999999999998E23``); the digit loop below follows the published free-format algorithm with
Java's own stopping rules. Two quirks are Java's and deliberate here: the upper stopping test is
strict while the numbers fit 32 or 64 bits and not strict beyond, and scaled half-ulps wrap round
in those widths.
"""

from __future__ import annotations

import math
import struct
from typing import Final

__all__ = ["java_double_text"]

_FRACTION_BITS: Final = 52
_FRACTION_MASK: Final = (1 << _FRACTION_BITS) - 1
_HIDDEN_BIT: Final = 1 << _FRACTION_BITS
_EXPONENT_BIAS: Final = 1023
_ONE_BITS: Final = _EXPONENT_BIAS << _FRACTION_BITS

_MAX_PLAIN_INTEGER_EXPONENT: Final = 62
_MIN_PLAIN_INTEGER_EXPONENT: Final = -21

_BITS_OF_5_POW: Final = (0, *((5**n).bit_length() for n in range(1, 27)))
"""Bits of 5**n as Java tabulates them; beyond the table Java reckons with 3 bits per power."""

_INSIGNIFICANT_DIGITS: Final = (
    *(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3),
    *(4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7),
    *(8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 11, 11, 11),
    *(12, 12, 12, 12, 13, 13, 13, 14, 14, 14),
    *(15, 15, 15, 15, 16, 16, 16, 17, 17, 17),
    *(18, 18, 18, 19),
)
"""Decimal digits below the last bit of an integer that was shifted left by the index."""


def java_double_text(value: float) -> str:
    """Print a double as Java 17 does.

    Args:
        value: Any double.

    Returns:
        ``NaN``, ``Infinity``, ``-Infinity`` or a decimal text such as ``0.001`` or ``1.0E7``.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    sign = "-" if bits >> 63 else ""
    fraction = bits & _FRACTION_MASK
    biased_exponent = bits >> _FRACTION_BITS & 0x7FF
    if biased_exponent == 0:
        if fraction == 0:
            return sign + "0.0"
        significant_bits = fraction.bit_length()
        shift = _FRACTION_BITS + 1 - significant_bits
        fraction <<= shift
        exponent = 1 - shift - _EXPONENT_BIAS
    else:
        fraction |= _HIDDEN_BIT
        significant_bits = _FRACTION_BITS + 1
        exponent = biased_exponent - _EXPONENT_BIAS
    digits, point = _digits(exponent, fraction, significant_bits)
    return sign + _layout(digits, point)


def _layout(digits: str, point: int) -> str:
    """Digits with the decimal point after ``point`` of them, in Java's notation."""
    if 0 < point < 8:
        if len(digits) <= point:
            return digits.ljust(point, "0") + ".0"
        return f"{digits[:point]}.{digits[point:]}"
    if -3 < point <= 0:
        return "0." + "0" * -point + digits
    return f"{digits[0]}.{digits[1:] or '0'}E{point - 1}"


def _digits(exponent: int, fraction: int, significant_bits: int) -> tuple[str, int]:
    """Decimal digits, and how many of them stand before the point.

    Args:
        exponent: Binary exponent of the leading bit.
        fraction: 53-bit significand, leading bit set.
        significant_bits: How many bits of it count (fewer for subnormal numbers).
    """
    tail_zeros = (fraction & -fraction).bit_length() - 1
    fraction_bits = _FRACTION_BITS + 1 - tail_zeros
    tiny_bits = max(0, fraction_bits - exponent - 1)
    if tiny_bits == 0 and _MIN_PLAIN_INTEGER_EXPONENT <= exponent <= _MAX_PLAIN_INTEGER_EXPONENT:
        return _integer_digits(exponent, fraction, significant_bits)

    decimal_exponent = _estimated_decimal_exponent(fraction, exponent)
    # value = b / s * 10**decimal_exponent; m is half an ulp on the scale of b
    b_pow5 = max(0, -decimal_exponent)
    s_pow5 = max(0, decimal_exponent)
    b_pow2 = b_pow5 + tiny_bits + exponent
    s_pow2 = s_pow5 + tiny_bits
    m_pow2 = b_pow2 - significant_bits
    fraction >>= tail_zeros
    b_pow2 -= fraction_bits - 1
    common = min(b_pow2, s_pow2)
    b_pow2 -= common
    s_pow2 -= common
    m_pow2 -= common
    if fraction_bits == 1:
        m_pow2 -= 1  # the neighbour below a power of two is half as far away
    if m_pow2 < 0:
        b_pow2 -= m_pow2
        s_pow2 -= m_pow2
        m_pow2 = 0

    b_bits = fraction_bits + b_pow2 + _bits_of_5_pow(b_pow5)
    ten_s_bits = s_pow2 + 1 + _bits_of_5_pow(s_pow5 + 1)
    width = 0
    if b_bits < 64 and ten_s_bits < 64:
        width = 32 if b_bits < 32 and ten_s_bits < 32 else 64
    return _digit_loop(
        b=fraction * 5**b_pow5 << b_pow2,
        s=5**s_pow5 << s_pow2,
        m=5**b_pow5 << m_pow2,
        decimal_exponent=decimal_exponent,
        width=width,
    )


def _digit_loop(b: int, s: int, m: int, decimal_exponent: int, width: int) -> tuple[str, int]:
    ten_s = 10 * s
    digits: list[int] = []

    def next_digit() -> tuple[int, bool, bool]:
        nonlocal b, m
        quotient, remainder = divmod(b, s)
        b = 10 * remainder
        m = 10 * m
        if not width:
            return quotient, b < m, b + m >= ten_s
        m = _wrapped(m, width)
        if m <= 0:  # wrapped round: certainly beyond both ends
            return quotient, True, True
        return quotient, b < m, _wrapped(b + m, width) > ten_s

    quotient, low, high = next_digit()
    if quotient == 0 and not high:
        decimal_exponent -= 1  # the estimate was one too high
    else:
        digits.append(quotient)
    if decimal_exponent < -3 or decimal_exponent >= 8:
        low = high = False  # the E notation shows at least one digit after the point
    while not (low or high):
        quotient, low, high = next_digit()
        digits.append(quotient)
    if high and (not low or _rounds_up(2 * b - ten_s, digits[-1])):
        decimal_exponent += _round_up(digits)
    return "".join(map(str, digits)), decimal_exponent + 1


def _rounds_up(twice_rest: int, last_digit: int) -> bool:
    return twice_rest > 0 or (twice_rest == 0 and last_digit % 2 == 1)


def _round_up(digits: list[int]) -> int:
    """Add one to the last digit; returns 1 where that needs another digit in front."""
    place = len(digits) - 1
    while place > 0 and digits[place] == 9:
        digits[place] = 0
        place -= 1
    if digits[place] == 9:
        digits[0] = 1
        return 1
    digits[place] += 1
    return 0


def _integer_digits(exponent: int, fraction: int, significant_bits: int) -> tuple[str, int]:
    insignificant = 0
    if exponent > significant_bits:
        shift = exponent - significant_bits - 1
        insignificant = _INSIGNIFICANT_DIGITS[shift] if shift > 1 else 0
    if exponent >= _FRACTION_BITS:
        value = fraction << (exponent - _FRACTION_BITS)
    else:
        value = fraction >> (_FRACTION_BITS - exponent)
    if insignificant:
        power = 10**insignificant
        value, rest = divmod(value, power)
        if rest >= power >> 1:
            value += 1
    text = str(value)
    return text.rstrip("0"), len(text) + insignificant


def _estimated_decimal_exponent(fraction: int, exponent: int) -> int:
    leading: float
    (leading,) = struct.unpack("<d", struct.pack("<Q", _ONE_BITS | fraction & _FRACTION_MASK))
    estimate = (leading - 1.5) * 0.289529654 + 0.176091259 + exponent * 0.301029995663981
    return math.floor(estimate)


def _bits_of_5_pow(power: int) -> int:
    return _BITS_OF_5_POW[power] if power < len(_BITS_OF_5_POW) else power * 3


def _wrapped(value: int, width: int) -> int:
    half = 1 << (width - 1)
    return (value + half) % (1 << width) - half
