"""Schemas that can be decoded, and errors that name the field of those that cannot."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.decode.reference.fields import converters_of


def test_converters_stand_in_schema_order() -> None:
    assert list(converters_of(RECORD_SCHEMA)) == RECORD_SCHEMA.names


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("us"),
        pa.date32(),
        pa.decimal128(10, 2),
        pa.list_(pa.int32()),
        pa.map_(pa.string(), pa.int32()),
        pa.binary(),
        pa.large_string(),
        pa.uint8(),
        pa.float16(),
        pa.null(),
    ],
    ids=str,
)
def test_other_types_are_refused_by_name(kind: pa.DataType) -> None:
    inner = pa.struct([("ok", pa.int8()), ("odd", kind)])
    with pytest.raises(TypeError, match="field 'odd' has type"):
        from_json([], pa.schema([("ok", pa.string()), ("odd", kind)]))
    with pytest.raises(TypeError, match=r"field 'outer\.odd' has type"):
        from_json([], pa.schema([("outer", inner)]))


def test_names_must_be_unique_and_free() -> None:
    twice = [pa.field("a", pa.int8()), pa.field("a", pa.string())]
    with pytest.raises(ValueError, match="field 'a' stands twice"):
        from_json([], pa.schema(twice))
    with pytest.raises(ValueError, match=r"field 's\.a' stands twice"):
        from_json([], pa.schema([("s", pa.struct(twice))]))
    with pytest.raises(ValueError, match="'_corrupt_record'"):
        from_json([], pa.schema([("_corrupt_record", pa.string())]))


def test_there_must_be_fields() -> None:
    with pytest.raises(ValueError, match="the schema has no fields"):
        from_json([], pa.schema([]))
    with pytest.raises(ValueError, match="struct 's' has no fields"):
        from_json([], pa.schema([("s", pa.struct([]))]))
