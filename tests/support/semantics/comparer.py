"""Compares Arrow tables as results: what kind of value it is first, how large it is second.

``pyspark.testing.assertDataFrameEqual`` will not do: NaN equals every number there, and infinities
of both signs each other (semantics.md, item 57).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["CLASSES", "assert_same", "classes", "differing_rows"]

CLASSES: Final = ("null", "NaN", "+Infinity", "-Infinity", "-0.0", "0.0", "number")
"""Kinds of a nullable double. Values of different kinds are never equal."""

_SHOWN: Final = 5


def classes(column: pa.Array) -> NDArray[np.int8]:
    """Kind of each double: an index into ``CLASSES``."""
    values = np.asarray(column.fill_null(0.0), np.float64)
    kinds = np.full(len(column), CLASSES.index("number"), np.int8)
    kinds[(values == 0) & ~np.signbit(values)] = CLASSES.index("0.0")
    kinds[(values == 0) & np.signbit(values)] = CLASSES.index("-0.0")
    kinds[values == np.inf] = CLASSES.index("+Infinity")
    kinds[values == -np.inf] = CLASSES.index("-Infinity")
    kinds[np.isnan(values)] = CLASSES.index("NaN")
    kinds[np.asarray(column.is_null())] = CLASSES.index("null")
    return kinds


def differing_rows(
    left: pa.Array | pa.ChunkedArray,
    right: pa.Array | pa.ChunkedArray,
    *,
    rel: float = 0.0,
    abs_: float = 0.0,
) -> NDArray[np.int64]:
    """Rows in which two columns of one type differ.

    Args:
        left: A column.
        right: The other, of the same type and length.
        rel: Relative tolerance of doubles; 0 with ``abs_`` 0: the same bits. With a tolerance both
            zeros are numbers like others.
        abs_: Absolute tolerance of doubles.

    Raises:
        AssertionError: The types or lengths differ.
    """
    left, right = _one_array(left), _one_array(right)
    assert left.type == right.type, f"{left.type} is not {right.type}"
    assert len(left) == len(right), f"{len(left)} rows are not {len(right)}"
    if pa.types.is_struct(left.type):
        return _differing_structs(left, right, rel, abs_)
    if pa.types.is_floating(left.type):
        differs = _differing_doubles(
            left.cast(pa.float64()), right.cast(pa.float64()), rel=rel, abs_=abs_
        )
    else:
        equal = pc.fill_null(pc.equal(left, right), fill_value=False)
        both_null = pc.and_(left.is_null(), right.is_null())
        differs = ~np.asarray(pc.or_(equal, both_null))
    return np.flatnonzero(differs)


def assert_same(
    found: pa.Table, wanted: pa.Table, *, rel: float = 0.0, abs_: float = 0.0, what: str = ""
) -> None:
    """The tables have the same columns with the same values, row by row.

    Args:
        found: A table.
        wanted: What it has to be.
        rel: As for `differing_rows`.
        abs_: As for `differing_rows`.
        what: What is compared, for the message.

    Raises:
        AssertionError: They differ; it shows the first rows that do.
    """
    assert found.column_names == wanted.column_names
    problems = []
    for name in wanted.column_names:
        left, right = found.column(name), wanted.column(name)
        rows = differing_rows(left, right, rel=rel, abs_=abs_)
        if rows.size:
            shown = "; ".join(
                f"row {row}: {left[row].as_py()!r}, wanted {right[row].as_py()!r}"
                for row in rows[:_SHOWN].tolist()
            )
            problems.append(f"{name} in {rows.size} rows: {shown}")
    assert not problems, "\n".join([f"{what} differs", *problems])


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _differing_structs(
    left: pa.StructArray, right: pa.StructArray, rel: float, abs_: float
) -> NDArray[np.int64]:
    one_is_null = np.asarray(left.is_null()) != np.asarray(right.is_null())
    rows = [np.flatnonzero(one_is_null)]
    # flatten() takes the nulls of the struct into its fields
    for a, b in zip(left.flatten(), right.flatten(), strict=True):
        rows.append(differing_rows(a, b, rel=rel, abs_=abs_))
    return np.unique(np.concatenate(rows))


def _differing_doubles(
    left: pa.Array, right: pa.Array, *, rel: float, abs_: float
) -> NDArray[np.bool_]:
    kinds, other_kinds = classes(left), classes(right)
    a = np.asarray(left.fill_null(0.0))
    b = np.asarray(right.fill_null(0.0))
    number = CLASSES.index("number")
    if rel == abs_ == 0.0:
        unequal = a.view(np.int64) != b.view(np.int64)
    else:
        for kind in ("0.0", "-0.0"):
            kinds[kinds == CLASSES.index(kind)] = number
            other_kinds[other_kinds == CLASSES.index(kind)] = number
        with np.errstate(all="ignore"):
            unequal = ~(np.abs(a - b) <= np.maximum(rel * np.maximum(np.abs(a), np.abs(b)), abs_))
    return (kinds != other_kinds) | ((kinds == number) & unequal)
