"""Rows to Arrow columns.

Rows of the exact reader hold converted values. Rows of the common reader hold what the JSON scanner
made of them; here each is held against its column. A value that would need conversion makes its row
*doubtful*: the caller reads that row exactly and builds again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from pbf_ray.decode.convert import Row

__all__ = ["DoubtfulRowsError", "built_columns"]

_NONE: Final = type(None)
_INTEGER_BITS: Final = {f"int{bits}": bits for bits in (8, 16, 32, 64)}
_UNCONVERTED: Final[dict[str, frozenset[type]]] = {
    "string": frozenset({str, _NONE}),
    "bool": frozenset({bool, _NONE}),
    "double": frozenset({float, int, _NONE}),
    # decimal to 64 to 32 bits rounds twice, which may differ from rounding once
    "float": frozenset({_NONE}),
    "struct": frozenset({dict, _NONE}),
    **dict.fromkeys(_INTEGER_BITS, frozenset({int, _NONE})),
}
"""What the JSON scanner gives where no conversion is needed, by Arrow type."""


class DoubtfulRowsError(Exception):
    """Some rows of the common reader need conversion; ``rows`` are their indices."""

    def __init__(self, rows: list[int]) -> None:
        super().__init__(rows)
        self.rows = rows


def built_columns(
    fields: Sequence[pa.Field], rows: Sequence[Row], is_exact: Sequence[int]
) -> list[pa.Array]:
    """Arrow column of each field.

    Args:
        fields: Fields of the schema, or of a struct in it.
        rows: Values by field name, one dict per row.
        is_exact: Per row, whether its values are converted.

    Returns:
        One array per field, ``len(rows)`` long.

    Raises:
        DoubtfulRowsError: Rows that are not exact need conversion.
    """
    return [_column(field, [row.get(field.name) for row in rows], is_exact) for field in fields]


def _column(field: pa.Field, values: list[Any], is_exact: Sequence[int]) -> pa.Array:
    is_struct = pa.types.is_struct(field.type)
    kind = "struct" if is_struct else str(field.type)
    unconverted = _UNCONVERTED[kind]
    types = set(map(type, values))
    if not types <= unconverted:
        _doubt(
            index
            for index, value in enumerate(values)
            if type(value) not in unconverted and not is_exact[index]
        )
    if is_struct:
        return _struct_column(field, values, is_exact)
    if kind == "double" and int in types:
        values = _as_doubles(values)
    elif kind in _INTEGER_BITS:
        return _integer_column(field, values, is_exact)
    return pa.array(values, field.type)


def _struct_column(field: pa.Field, values: list[Any], is_exact: Sequence[int]) -> pa.Array:
    is_null = [value is None for value in values]
    rows = [{} if value is None else value for value in values]
    fields = list(field.type.fields)
    children = built_columns(fields, rows, is_exact)
    return pa.StructArray.from_arrays(children, fields=fields, mask=pa.array(is_null, pa.bool_()))


def _as_doubles(values: list[Any]) -> list[float | None]:
    try:
        return [float(value) if type(value) is int else value for value in values]
    except OverflowError:
        _doubt(index for index, value in enumerate(values) if type(value) is int)
        raise


def _integer_column(field: pa.Field, values: list[Any], is_exact: Sequence[int]) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except (OverflowError, pa.ArrowInvalid):
        bound = 1 << (_INTEGER_BITS[str(field.type)] - 1)
        _doubt(
            index
            for index, value in enumerate(values)
            if value is not None and not -bound <= value < bound and not is_exact[index]
        )
        raise


def _doubt(rows: Any) -> None:
    """Report doubtful rows, if there are any."""
    doubtful = list(rows)
    if doubtful:
        raise DoubtfulRowsError(doubtful)
