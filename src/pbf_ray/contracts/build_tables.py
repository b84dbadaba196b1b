"""What the build-file pipeline writes: its tables, with units. Lengths are mm.

A table lies in a folder of its own. The rows of a build are under ``build=NAME``; ``files`` and
``errors`` are of the whole run, and have the name as a column.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from pbf_ray.contracts.buildplan import (
    LAYER_EXPOSURE_PLAN,
    LAYER_LASER_PLAN,
    LAYER_MODEL_PLAN,
    LAYER_PLAN,
)
from pbf_ray.contracts.builds import BUILD_METADATA, BUILD_MODELS, BUILD_STYLES
from pbf_ray.contracts.ispm import with_unit

__all__ = ["BUILD_ERRORS", "BUILD_FILES", "BUILD_OUTPUTS", "BUILD_VECTORS"]

_POINTS_MM: Final = pa.list_(pa.field("element", pa.float32(), nullable=False))

BUILD_VECTORS: Final = pa.schema(
    [
        pa.field("layer", pa.int32(), nullable=False),
        with_unit("z_mm", pa.float64(), "mm"),
        pa.field("geometry_id", pa.int32(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("model_id", pa.int32()),
        pa.field("build_style_id", pa.int32()),
        pa.field("laser_id", pa.int32()),
        pa.field("closed", pa.bool_()),
        with_unit("x_mm", _POINTS_MM, "mm", nullable=False),
        with_unit("y_mm", _POINTS_MM, "mm", nullable=False),
    ]
)
"""A row per geometry, in the order of the file, with its coordinates as two lists.

A row stands for itself: no offsets into another table, so rows can be filtered, joined and
shuffled. ``kind`` says how the points are to be read (``GEOMETRY_KINDS``); hatch vectors are pairs.
"""

BUILD_FILES: Final = pa.schema(
    [
        pa.field("build", pa.string()),
        pa.field("file", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("format", pa.string()),
        with_unit("file_bytes", pa.int64(), "bytes"),
        with_unit("layers", pa.int64(), "layers"),
        with_unit("layers_left_out", pa.int64(), "layers"),
        with_unit("geometries", pa.int64(), "rows"),
        with_unit("points", pa.int64(), "rows"),
    ]
)
"""A row per file that was found. ``status``: ``read``, ``partial`` (damaged layers were left out),
``failed`` (nothing of it is there; the reason is in ``errors``) or ``skipped`` (no build file).
"""

BUILD_ERRORS: Final = pa.schema(
    [
        pa.field("build", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("effect", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        with_unit("byte_offset", pa.int64(), "bytes"),
        pa.field("member", pa.string()),
        pa.field("layer", pa.int32()),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("advice", pa.string()),
    ]
)
"""A row per thing that is wrong with a file. ``effect``: ``file_left_out``, ``layer_left_out``,
``recovered`` (opening went on after it) or ``warning`` (declared values do not fit the content).
"""

BUILD_OUTPUTS: Final[dict[str, pa.Schema]] = {
    "vectors": BUILD_VECTORS,
    "layers": LAYER_PLAN,
    "layer_models": LAYER_MODEL_PLAN,
    "layer_lasers": LAYER_LASER_PLAN,
    "layer_exposures": LAYER_EXPOSURE_PLAN,
    "build_styles": BUILD_STYLES,
    "models": BUILD_MODELS,
    "metadata": BUILD_METADATA,
    "files": BUILD_FILES,
    "errors": BUILD_ERRORS,
}
"""Every table of the output, by its name."""
