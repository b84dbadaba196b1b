"""Decimal text to a 32-bit float, rounded once.

Java reads a float from its digits. Going through a 64-bit double would round twice and now and then
end on the other neighbour.
"""

from __future__ import annotations

import ctypes
import math
import struct
from decimal import Decimal
from typing import Final

__all__ = ["nearest_float32"]

_FLOAT32_OVERFLOW: Final = 2.0**128


def nearest_float32(text: str) -> float:
    """The 32-bit float nearest to a decimal text, ties to even, rounded once.

    Args:
        text: JSON number.
    """
    value = float(text)
    rounded = ctypes.c_float(value).value
    if rounded == value or abs(value) >= _FLOAT32_OVERFLOW:
        return rounded
    other = _float32_beyond(rounded, value)
    # Only a double exactly halfway can have hidden on which side the decimal text lies.
    if abs(value - _finite(rounded)) != abs(_finite(other) - value):
        return rounded
    exact, halfway = Decimal(text), Decimal(value)
    if exact == halfway:
        return rounded
    return max(rounded, other) if exact > halfway else min(rounded, other)


def _float32_beyond(rounded: float, value: float) -> float:
    """The 32-bit neighbour of ``rounded`` on the side of ``value``."""
    (bits,) = struct.unpack("<I", struct.pack("<f", abs(rounded)))
    sign = math.copysign(1.0, value)
    bits += 1 if abs(value) > abs(rounded) else -1
    (magnitude,) = struct.unpack("<f", struct.pack("<I", bits))
    return sign * float(magnitude)


def _finite(value: float) -> float:
    """The value, or for an infinity the power of two at which 32-bit rounding sees it."""
    return math.copysign(_FLOAT32_OVERFLOW, value) if math.isinf(value) else value
