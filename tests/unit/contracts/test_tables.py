"""The contracts of the output tables keep their own rules."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pbf_ray.contracts import (
    CHANNEL_UNITS,
    CHANNELS,
    METADATA_FIELDS,
    OUTPUT_TABLES,
    RECORD_SCHEMA,
    TableContract,
)

# Whole numbers that count nothing, and flags: they have no unit.
WITHOUT_UNIT = {"partition", "offset", "layer", "epoch", "revision"}

each_table = pytest.mark.parametrize("contract", OUTPUT_TABLES.values(), ids=OUTPUT_TABLES)


def _unit(field: pa.Field) -> str:
    return (field.metadata or {}).get(b"unit", b"").decode()


def _measured(field: pa.Field) -> bool:
    number = pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    return number and field.name not in WITHOUT_UNIT


@pytest.mark.parametrize(
    "schema", [RECORD_SCHEMA, *(contract.schema for contract in OUTPUT_TABLES.values())]
)
def test_every_measured_field_has_a_unit(schema: pa.Schema) -> None:
    lacking = [field.name for field in schema if _measured(field) and not _unit(field)]
    assert not lacking
    idle = [field.name for field in schema if _unit(field) and not _measured(field)]
    assert not idle


@each_table
def test_statistics_have_the_unit_of_their_channel(contract: TableContract) -> None:
    for field in contract.schema:
        channel, _, statistic = field.name.rpartition("_")
        if channel in CHANNELS:
            expected = "records" if statistic == "n" else CHANNEL_UNITS[channel]
            assert _unit(field) == expected, field.name


@each_table
def test_what_identifies_a_row_is_never_null(contract: TableContract) -> None:
    for name in (contract.key, "job_id", "epoch", "processing_timestamp"):
        assert not contract.schema.field(name).nullable, name
    assert contract.schema.field(contract.key).type == pa.string()
    assert contract.name in OUTPUT_TABLES
    assert len(set(contract.schema.names)) == len(contract.schema.names)


@each_table
def test_records_come_whole_and_in_the_order_of_the_record(contract: TableContract) -> None:
    if contract.name in {"dead_letters", "layer_quality"}:
        return
    first = contract.schema.get_field_index(RECORD_SCHEMA.names[0])
    found = [contract.schema.field(first + index) for index in range(len(RECORD_SCHEMA))]
    assert pa.schema(found).equals(RECORD_SCHEMA, check_metadata=True)
    # Whatever a record lacks is null; it is kept all the same.
    assert all(field.nullable for field in found)


@each_table
def test_it_is_small_frozen_data(contract: TableContract) -> None:
    with pytest.raises(AttributeError):
        contract.name = "another"  # type: ignore[misc]
    assert contract.volume in {"record", "result"}
    assert contract.changes == ("upsert" if contract.name == "layer_quality" else "append")


def test_the_record_is_that_of_the_replaced_pipeline() -> None:
    assert RECORD_SCHEMA.names == [
        "sensor_id", "timestamp", "temperature", "pressure", "laser_power", "scan_speed",
        "build_id", "layer", "_metadata",
    ]  # fmt: skip
    assert CHANNELS == ("temperature", "pressure", "laser_power", "scan_speed")
    assert tuple(RECORD_SCHEMA.field("_metadata").type.names) == METADATA_FIELDS
