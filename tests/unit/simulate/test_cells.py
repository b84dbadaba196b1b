from __future__ import annotations

import math
from decimal import Decimal

import pytest

from pbf_ray.simulate.cells import CellError, layer_cell, number_cell, text_cell


@pytest.mark.parametrize(
    ("cell", "decimal", "expected"),
    [
        ("1.0023", ".", 1.0023),
        ("-4.13227", ".", -4.13227),
        ("1e3", ".", 1000.0),
        (".5", ".", 0.5),
        ("1,5", ",", 1.5),
        ("12", ",", 12.0),
        ("-inf", ".", -math.inf),
        (7, ".", 7.0),
        (2.5, ",", 2.5),
        (Decimal("2.25"), ".", 2.25),
        (None, ".", None),
    ],
)
def test_numbers(cell: object, decimal: str, expected: float | None) -> None:
    assert number_cell(cell, decimal) == expected


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [
        ("1,5", "."),
        ("1.234,5", ","),
        ("1.234", ","),
        ("1_000", "."),
        ("0x10", "."),
        ("\u0661", "."),
        ("", "."),
        ("12 W", "."),
        (True, "."),
        ([1.0], "."),
        (10**400, "."),
    ],
)
def test_what_is_no_number_is_refused(cell: object, decimal: str) -> None:
    with pytest.raises(CellError):
        number_cell(cell, decimal)


def test_layers_are_whole_numbers_of_32_bits() -> None:
    assert layer_cell("1500") == 1500
    assert layer_cell("12.0") == 12
    assert layer_cell(-(2**31)) == -(2**31)
    assert layer_cell(None) is None
    for cell in ("1.5", "nan", "inf", 2**31, "x", -(2**31) - 1):
        with pytest.raises(CellError):
            layer_cell(cell)


def test_texts() -> None:
    assert text_cell("SP4") == "SP4"
    assert text_cell(17) == "17"
    assert text_cell(None) is None
    for cell in ("a\0b", "\ud800", True, 1.5, {}):
        with pytest.raises(CellError):
            text_cell(cell)
