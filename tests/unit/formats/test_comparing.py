from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.formats import open_build, write_build
from pbf_ray.formats.comparing import BuildComparison, compare_builds
from support.small_builds import ascii_cli


def compared(a: bytes, b: bytes, **how: Any) -> BuildComparison:
    return compare_builds(open_build(a), open_build(b), **how)


def kinds(comparison: BuildComparison) -> dict[str, tuple[int, int | None]]:
    return {found.what: (found.count, found.layer) for found in comparison.differences}


@given(st.integers(0, 12), st.integers(1, 5))
def test_a_build_is_the_same_as_itself_in_another_variant(layers: int, per_layer: int) -> None:
    text = ascii_cli(layers, per_layer=per_layer)
    binary = write_build(open_build(text), None, format="cli", allow_loss=True).data
    assert binary is not None
    assert compared(text, text).same
    same = compared(text, binary, tolerance_mm=1e-4)
    assert same.same
    assert same.layers == layers


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (b"$$LAYER/0.15", b"$$LAYER/0.16", {"z": (1, 2)}),
        (b"$$POLYLINE/1,1,5,0,0,13.0,", b"$$POLYLINE/1,1,5,0.5,0,13.0,", {"coordinates": (1, 3)}),
        (b"$$POLYLINE/1,1,5,0,0,13.0,0,", b"$$POLYLINE/1,1,4,0,0,", {"shape": (1, 3)}),
        (b"$$POLYLINE/1,1,5,0,0,13.0,", b"$$POLYLINE/7,1,5,0,0,13.0,", {"ids": (1, 3)}),
        (b'"plate"', b'"disc"', {"models": (1, None)}),
        (b"$$LAYER/0.25", b"", {"layers": (1, None), "geometries": (1, 3)}),
    ],
)
def test_what_differs_is_named_with_its_first_layer(
    before: bytes, after: bytes, found: dict[str, tuple[int, int | None]]
) -> None:
    text = ascii_cli(5)
    assert text.count(before) == 1
    result = compared(text, text.replace(before, after))
    assert {what: kinds(result)[what] for what in found} == found
    assert not result.same


def test_the_tolerance_is_of_coordinates_and_heights() -> None:
    a, b = ascii_cli(4), ascii_cli(4, shift_mm=0.01)
    result = compared(a, b)
    assert kinds(result) == {"coordinates": (3, 0)}
    assert result.largest_difference_mm == pytest.approx(0.01, abs=1e-6)
    assert "um" in result.differences[0].detail
    assert compared(a, b, tolerance_mm=0.0101).same
    assert not compared(a, b, tolerance_mm=0.0099).same
    assert compared(a, a.replace(b"/0.15", b"/0.1505"), tolerance_mm=0.001).same
