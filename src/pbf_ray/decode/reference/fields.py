"""The converters of a schema."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from pbf_ray.decode.fields import check_fields
from pbf_ray.decode.reference.convert import Converter, scalar_converter, struct_converter

__all__ = ["converters_of"]


def converters_of(schema: pa.Schema) -> dict[str, Converter]:
    """Converter of each field, in schema order.

    Args:
        schema: Fields that can be decoded.

    Raises:
        TypeError: A field has another type.
        ValueError: There is no field, two have one name, or one has a reserved name.
    """
    check_fields(schema)
    return _converters(schema)


def _converters(fields: Iterable[pa.Field]) -> dict[str, Converter]:
    return {
        field.name: struct_converter(_converters(field.type.fields))
        if pa.types.is_struct(field.type)
        else scalar_converter(str(field.type))
        for field in fields
    }
