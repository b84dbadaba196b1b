"""The comparer of the semantics tests tells apart what has to be told apart."""

from __future__ import annotations

import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.semantics.comparer import CLASSES, assert_same, classes, differing_rows

ONE_OF_EACH = [None, math.nan, math.inf, -math.inf, -0.0, 0.0, 1.5]
doubles = st.none() | st.floats() | st.sampled_from(ONE_OF_EACH)


def column(*values: float | None) -> pa.Array:
    return pa.array(values, pa.float64())


def differ(a: float | None, b: float | None, **tolerance: float) -> bool:
    return bool(differing_rows(column(a), column(b), **tolerance).size)


def test_every_kind_is_known() -> None:
    assert [CLASSES[kind] for kind in classes(column(*ONE_OF_EACH))] == list(CLASSES)


@pytest.mark.semantics(57)
@pytest.mark.parametrize("tolerance", [{}, {"rel": 1e-9, "abs_": 1e-12}], ids=["bits", "near"])
def test_values_of_different_kinds_are_never_equal(tolerance: dict[str, float]) -> None:
    for i, a in enumerate(ONE_OF_EACH):
        for j, b in enumerate(ONE_OF_EACH):
            zeros = bool(tolerance) and a == b == 0.0
            assert differ(a, b, **tolerance) == (i != j and not zeros), (a, b)


@given(doubles, doubles)
def test_without_tolerance_numbers_are_equal_by_their_bits(
    a: float | None, b: float | None
) -> None:
    def bits(value: float | None) -> object:
        nan_or_null = value is None or math.isnan(value)
        return str(value) if nan_or_null else struct.pack("<d", value)

    assert differ(a, b) == (bits(a) != bits(b))


def test_all_nans_are_one_kind() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    assert not differing_rows(pa.array(odd), column(math.nan, math.nan)).size


def test_tolerance_is_relative_or_absolute_whichever_allows_more() -> None:
    near = {"rel": 1e-9, "abs_": 1e-12}
    assert not differ(1600.0, 1600.0 * (1 + 9e-10), **near)
    assert differ(1600.0, 1600.0 * (1 + 2e-9), **near)
    assert not differ(0.0, 9e-13, **near)
    assert differ(0.0, 2e-12, **near)
    assert differ(1.7e308, -1.7e308, **near), "their difference overflows"
    assert differ(1600.0, math.nextafter(1600.0, 0.0))


def test_structs_texts_and_integers() -> None:
    kind = pa.struct([("x", pa.float64()), ("t", pa.string())])
    rows = [None, {"x": None, "t": None}, {"x": 0.0, "t": "a"}, {"x": 1.0, "t": None}]
    other = [None, None, {"x": -0.0, "t": "a"}, {"x": 1.0, "t": ""}]
    left, right = pa.array(rows, kind), pa.array(other, kind)
    assert differing_rows(left, left).tolist() == []
    assert differing_rows(left, right).tolist() == [1, 2, 3]
    assert differing_rows(pa.array([1, None, 3]), pa.array([1, 0, None])).tolist() == [1, 2]
    sliced = pa.chunked_array([left.slice(0, 1), left.slice(1)])
    assert differing_rows(sliced, left).tolist() == []


def test_tables_that_differ_are_shown() -> None:
    wanted = pa.table({"a": column(1.0, None), "b": ["x", "y"]})
    assert_same(wanted, wanted)
    found = pa.table({"a": column(1.0, math.nan), "b": ["x", "z"]})
    with pytest.raises(
        AssertionError, match=r"(?s)it differs.a in 1 rows: row 1: nan, wanted None"
    ):
        assert_same(found, wanted, what="it")
    with pytest.raises(AssertionError):
        assert_same(wanted.select(["b", "a"]), wanted)
    with pytest.raises(AssertionError, match="rows are not"):
        assert_same(wanted.slice(1), wanted)
    with pytest.raises(AssertionError, match="double is not float"):
        differing_rows(column(1.0), pa.array([1.0], pa.float32()))
