"""Decimal text to 32-bit floats; the halfway cases were recorded from PySpark 4.3.0."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.decode.reference.float32 import nearest_float32

LARGEST = 3.4028234663852886e38
SMALLEST = 1.401298464324817e-45
HALF_SMALLEST = (
    "7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094"
    "181060791015625"
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.10000000149011612),
        ("16777217", 16777216.0),
        ("16777219", 16777220.0),
        ("16777217.0000000001", 16777218.0),
        ("9007199791611905", 9007200328482816.0),
        ("-0.0", -0.0),
        ("-1e-50", -0.0),
        ("1e-46", 0.0),
        ("7.006492321624085e-46", 0.0),
        (HALF_SMALLEST + "e-46", 0.0),
        (HALF_SMALLEST + "00001e-46", SMALLEST),
        ("-" + HALF_SMALLEST + "00001e-46", -SMALLEST),
        ("3.4028235677973366e38", LARGEST),
        ("3.40282356779733661637539395458142568447e38", LARGEST),
        ("3.40282356779733661637539395458142568448e38", math.inf),
        ("-3.40282356779733661637539395458142568448e38", -math.inf),
        ("1e39", math.inf),
        ("1.7976931348623157e308", math.inf),
        ("-1e400", -math.inf),
    ],
)
def test_text_is_rounded_once(text: str, value: float) -> None:
    assert struct.pack("<d", nearest_float32(text)) == struct.pack("<d", value)


def bits_of(value: float) -> int:
    return int.from_bytes(struct.pack("<f", value), "little")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(min_value=0, max_value=bits_of(LARGEST) - 1),
    st.sampled_from([-1, 0, 1]),
    st.integers(min_value=1, max_value=200),
)
def test_text_beside_a_halfway_point_goes_to_the_nearer_float(
    bits: int, side: int, digits: int
) -> None:
    (low,) = struct.unpack("<f", struct.pack("<I", bits))
    (high,) = struct.unpack("<f", struct.pack("<I", bits + 1))
    halfway = (Fraction(low) + Fraction(high)) / 2
    exact = halfway + side * (Fraction(high) - Fraction(low)) / 10**digits
    scaled = exact * 10**500
    if scaled.denominator != 1:
        return
    even = low if bits % 2 == 0 else high
    wanted = {-1: low, 0: even, 1: high}[side]
    assert nearest_float32(f"{scaled.numerator}e-500") == wanted
    assert nearest_float32(f"-{scaled.numerator}e-500") == -wanted


@settings(max_examples=300, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_float_reads_back(value: float) -> None:
    assert struct.pack("<f", nearest_float32(repr(value))) == struct.pack("<f", value)
