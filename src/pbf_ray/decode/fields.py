"""Schemas that can be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

__all__ = ["CORRUPT_RECORD", "check_fields"]

CORRUPT_RECORD: Final = "_corrupt_record"
"""Spark's column for the text of corrupt records; never a field of the schema here."""

_SCALARS: Final = ("string", "double", "float", "int8", "int16", "int32", "int64", "bool")
"""Names of the Arrow types of single values."""


def check_fields(schema: pa.Schema) -> None:
    """Check that records can be decoded to a schema.

    Args:
        schema: Fields of type string, float64, float32, int8 to int64, bool, or struct of those.

    Raises:
        TypeError: A field has another type.
        ValueError: There is no field, two have one name, or one has a reserved name.
    """
    if CORRUPT_RECORD in schema.names:
        raise ValueError(f"field {CORRUPT_RECORD!r}: the name is reserved for what from_json adds")
    _check(list(schema), "")


def _check(fields: Sequence[pa.Field], parent: str) -> None:
    if not fields:
        raise ValueError(f"{f'struct {parent[:-1]!r}' if parent else 'the schema'} has no fields")
    names: set[str] = set()
    for field in fields:
        path = parent + field.name
        if field.name in names:
            raise ValueError(f"field {path!r} stands twice in the schema")
        names.add(field.name)
        if pa.types.is_struct(field.type):
            _check(list(field.type.fields), path + ".")
        elif str(field.type) not in _SCALARS:
            raise TypeError(
                f"field {path!r} has type {field.type}, which cannot be decoded from JSON; "
                "string, float64, float32, int8, int16, int32, int64, bool and struct can"
            )
