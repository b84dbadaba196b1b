"""The values expected here were recorded from PySpark 4.3.0 (Java 17, UTC, default options).

Each is held against the C++, and the C++ against the reference.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import CORRUPT_RECORD, from_json
from pbf_ray.decode.reference import converters_of, read_record
from pbf_ray.decode.reference.java_text import decoded
from support.decoding import assert_as_the_reference

Outcome = tuple[str, dict[str, Any]]


def comparable(value: Any) -> Any:
    """NaN is one class, every other double its bits; so -0.0 differs from 0.0."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<d", value)
    if isinstance(value, dict):
        return {name: comparable(inner) for name, inner in value.items()}
    return value


def observed(value: bytes | None, schema: pa.Schema) -> Outcome:
    """What from_json makes of one value: its kind, and the fields that are not null."""
    assert_as_the_reference([value], schema, ["PERMISSIVE", "dead_letter"])
    result = from_json([value], schema)
    (row,) = result.table.to_pylist()
    corrupt_text = row.pop(CORRUPT_RECORD)
    row = {name: inner for name, inner in row.items() if inner is not None}
    kind = "row"
    if corrupt_text is not None:
        assert value is not None
        kind = "flagged" if result.flagged[0].as_py() else "void"
        assert corrupt_text == decoded(value)
    else:
        exact = read_record(value, converters_of(schema))
        if exact.is_null:
            kind = "null struct"
    return kind, row


@pytest.fixture
def check() -> Callable[..., None]:
    """Check one value: ``check(value, expected kind, expected fields, schema)``."""

    def check_one(
        value: bytes | None,
        kind: str,
        row: dict[str, Any],
        schema: pa.Schema = RECORD_SCHEMA,
    ) -> None:
        seen_kind, seen_row = observed(value, schema)
        assert (seen_kind, comparable(seen_row)) == (kind, comparable(row))

    return check_one
