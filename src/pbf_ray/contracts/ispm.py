"""The ISPM record: what a machine's in-situ process monitoring sends.

Field names are those of the pipeline that pbf_ray replaces; units stand in the field metadata.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["CHANNELS", "CHANNEL_UNITS", "METADATA_FIELDS", "RECORD_SCHEMA", "with_unit"]


def with_unit(name: str, kind: pa.DataType, unit: str, *, nullable: bool = True) -> pa.Field:
    """An Arrow field that carries its unit in the metadata."""
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit})


CHANNEL_UNITS: Final[dict[str, str]] = {
    "temperature": "degC",
    "pressure": "bar absolute",
    "laser_power": "W",
    "scan_speed": "m/s",
}

CHANNELS: Final[tuple[str, ...]] = tuple(CHANNEL_UNITS)
"""The measured channels, in the order of every kernel array."""

METADATA_FIELDS: Final[tuple[str, ...]] = ("producer_id", "message_id")

RECORD_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("sensor_id", pa.string()),
        with_unit("timestamp", pa.float64(), "s since 1970-01-01 UTC"),
        *[with_unit(name, pa.float64(), unit) for name, unit in CHANNEL_UNITS.items()],
        pa.field("build_id", pa.string()),
        pa.field("layer", pa.int32()),
        pa.field("_metadata", pa.struct([pa.field(name, pa.string()) for name in METADATA_FIELDS])),
    ]
)
"""Schema given to ``from_json``; the order of ``design`` and of every output table."""
