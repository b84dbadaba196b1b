"""Schemas that can be decoded."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from pbf_ray.decode.convert import Converter, scalar_converter, struct_converter

__all__ = ["CORRUPT_RECORD", "converters_of"]

CORRUPT_RECORD: Final = "_corrupt_record"
"""Spark's column for the text of corrupt records; never a field of the schema here."""


def converters_of(schema: pa.Schema) -> dict[str, Converter]:
    """Converter of each field, in schema order.

    Args:
        schema: Fields of type string, float64, float32, int8 to int64, bool, or struct of those.

    Raises:
        TypeError: A field has another type.
        ValueError: There is no field, two have one name, or one has a reserved name.
    """
    if CORRUPT_RECORD in schema.names:
        raise ValueError(f"field {CORRUPT_RECORD!r}: the name is reserved for what from_json adds")
    return _converters(list(schema), "")


def _converters(fields: list[pa.Field], parent: str) -> dict[str, Converter]:
    if not fields:
        raise ValueError(f"{f'struct {parent[:-1]!r}' if parent else 'the schema'} has no fields")
    converters: dict[str, Converter] = {}
    for field in fields:
        if field.name in converters:
            raise ValueError(f"field {parent + field.name!r} stands twice in the schema")
        converters[field.name] = _converter(field, parent)
    return converters


def _converter(field: pa.Field, parent: str) -> Converter:
    path = parent + field.name
    if pa.types.is_struct(field.type):
        return struct_converter(_converters(list(field.type.fields), path + "."))
    try:
        return scalar_converter(str(field.type))
    except KeyError:
        raise TypeError(
            f"field {path!r} has type {field.type}, which cannot be decoded from JSON; "
            "string, float64, float32, int8, int16, int32, int64, bool and struct can"
        ) from None
