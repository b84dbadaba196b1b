"""Converted rows to Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pbf_ray.decode.reference.convert import Row

__all__ = ["built_columns"]


def built_columns(fields: Sequence[pa.Field], rows: Sequence[Row]) -> list[pa.Array]:
    """Arrow column of each field.

    Args:
        fields: Fields of the schema, or of a struct in it.
        rows: Converted values by field name, one dict per row.

    Returns:
        One array per field, ``len(rows)`` long.
    """
    return [_column(field, [row.get(field.name) for row in rows]) for field in fields]


def _column(field: pa.Field, values: list[object]) -> pa.Array:
    if not pa.types.is_struct(field.type):
        return pa.array(values, field.type)
    is_null = [value is None for value in values]
    rows = [value if isinstance(value, dict) else {} for value in values]
    fields = list(field.type.fields)
    return pa.StructArray.from_arrays(
        built_columns(fields, rows), fields=fields, mask=pa.array(is_null, pa.bool_())
    )
