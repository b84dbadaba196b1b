"""What a build file gives: Arrow schemas of vectors and what belongs to them. Lengths are mm.

A *geometry* is one block of exposure: hatch vectors, a contour, single points, or a jump. Its
coordinate rows are ``[offset, offset + count)`` of the coordinates beside it; a hatch has two rows
per vector. Layers are numbered from 0, in the order of the file.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from pbf_ray.contracts.ispm import with_unit

__all__ = [
    "BUILD_COORDINATES",
    "BUILD_GEOMETRIES",
    "BUILD_LAYERS",
    "BUILD_METADATA",
    "BUILD_MODELS",
    "BUILD_STYLES",
    "GEOMETRY_KINDS",
]

GEOMETRY_KINDS: Final = ("hatch", "contour", "points", "jump")
"""Kinds of geometry, in the order of their codes."""

BUILD_LAYERS: Final = pa.schema(
    [
        pa.field("layer", pa.int32(), nullable=False),
        with_unit("z_mm", pa.float64(), "mm"),
        with_unit("first_geometry", pa.int64(), "rows", nullable=False),
        with_unit("geometry_count", pa.int64(), "rows", nullable=False),
        with_unit("first_point", pa.int64(), "rows", nullable=False),
        with_unit("point_count", pa.int64(), "rows", nullable=False),
    ]
)
"""A row per layer; ``z_mm`` is null where the file does not say. Firsts are rows of this batch."""

BUILD_GEOMETRIES: Final = pa.schema(
    [
        pa.field("layer", pa.int32(), nullable=False),
        pa.field("geometry_id", pa.int32(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("model_id", pa.int32()),
        pa.field("build_style_id", pa.int32()),
        pa.field("laser_id", pa.int32()),
        pa.field("closed", pa.bool_()),
        with_unit("offset", pa.int64(), "rows", nullable=False),
        with_unit("count", pa.int64(), "rows", nullable=False),
    ]
)
"""A row per geometry. ``geometry_id`` counts from 0 in each layer; ``closed`` is of contours."""

BUILD_COORDINATES: Final = pa.schema(
    [
        with_unit("x_mm", pa.float32(), "mm", nullable=False),
        with_unit("y_mm", pa.float32(), "mm", nullable=False),
    ]
)

_RAW_TAGS: Final = pa.list_(
    pa.struct([("path", pa.string()), ("byte_offset", pa.int64()), ("bytes", pa.binary())])
)

BUILD_MODELS: Final = pa.schema(
    [
        pa.field("model_id", pa.int32()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("top_layer", pa.int64()),
        pa.field("raw_tags", _RAW_TAGS, nullable=False),
    ]
)

BUILD_STYLES: Final = pa.schema(
    [
        pa.field("build_style_id", pa.int32()),
        pa.field("model_id", pa.int32()),
        pa.field("laser_id", pa.int32()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        with_unit("laser_power_w", pa.float64(), "W"),
        with_unit("speed_mm_s", pa.float64(), "mm/s"),
        with_unit("exposure_time_us", pa.float64(), "us"),
        with_unit("point_distance_um", pa.float64(), "um"),
        with_unit("point_delay_us", pa.float64(), "us"),
        with_unit("jump_speed_mm_s", pa.float64(), "mm/s"),
        with_unit("jump_delay_us", pa.float64(), "us"),
        with_unit("focus_mm", pa.float64(), "mm"),
        with_unit("spot_size_um", pa.float64(), "um"),
        pa.field("parameters", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("raw_tags", _RAW_TAGS, nullable=False),
    ]
)
"""A row per build style; where styles belong to models, both ids identify one. Null: not said.

``parameters`` are further ones under the format's own names and in its own units; ``raw_tags`` are
bytes that are kept though their meaning is not public.
"""

BUILD_METADATA: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
"""What the header says, in its order; a key may come more than once."""
