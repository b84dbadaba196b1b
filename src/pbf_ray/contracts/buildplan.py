"""What a build means, as tables: counts, lengths, areas, times and energies of its layers.

Four tables of one layer's vectors, each a sum over a finer one: by layer, by layer and model, by
layer and laser, and by *exposure*: the vectors of one model, build style and laser in a layer.
Null is what cannot be known from the file; docs/buildplan.md has the definitions.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = [
    "BUILD_PLAN_TABLES",
    "LAYER_EXPOSURE_PLAN",
    "LAYER_LASER_PLAN",
    "LAYER_MODEL_PLAN",
    "LAYER_PLAN",
]


def _column(
    name: str, kind: pa.DataType, unit: str, what: str, *, nullable: bool = True
) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit, "description": what})


def _count(name: str, what: str) -> pa.Field:
    return _column(name, pa.int64(), "1", what, nullable=False)


def _length(name: str, what: str) -> pa.Field:
    return _column(name, pa.float64(), "mm", what, nullable=False)


def _value(name: str, unit: str, what: str) -> pa.Field:
    return _column(name, pa.float64(), unit, what)


def _id(name: str, what: str) -> pa.Field:
    return _column(name, pa.int32(), "", what)


_LAYER: Final = [
    _column("layer", pa.int32(), "", "number of the layer, from 0", nullable=False),
    _value("z_mm", "mm", "height of the layer"),
    _value("layer_thickness_um", "um", "z minus z of the layer before; null unless positive"),
]

_MODEL: Final = _id("model_id", "model; null: the file does not say")
_STYLE: Final = _id("build_style_id", "build style; null: the file does not say")
_LASER: Final = _id("laser_id", "laser, of the geometry or else of its style; null: not said")

_PATH: Final = [
    _count("hatch_geometries", "hatch blocks"),
    _count("contour_geometries", "contours, open and closed"),
    _count("point_geometries", "blocks of single points"),
    _count("jump_geometries", "moves with the laser off that stand in the file"),
    _count("hatch_vectors", "hatch vectors"),
    _count("contour_segments", "segments of contours"),
    _count("points", "single points"),
    _count("jump_segments", "segments of jumps"),
    _count("closed_contours", "contours that end where they begin"),
    _length("hatched_length_mm", "length of hatch vectors"),
    _length("contour_length_mm", "length of contours"),
    _length("jump_length_mm", "length of jumps that stand in the file"),
    _count("implied_jumps", "gaps between what one laser exposes, in the order of the file"),
    _length("implied_jump_length_mm", "length of those gaps"),
    _value("x_min_mm", "mm", "bounding box of what is exposed"),
    _value("y_min_mm", "mm", "bounding box"),
    _value("x_max_mm", "mm", "bounding box"),
    _value("y_max_mm", "mm", "bounding box"),
    _value("exposure_time_s", "s", "time of vectors and points"),
    _value("jump_time_s", "s", "time of the jumps that stand in the file"),
    _value("implied_jump_time_s", "s", "time of the implied jumps"),
    _value("laser_energy_j", "J", "laser power times the time that the laser is on"),
]

_HATCH: Final = [
    _length("spaced_hatch_length_mm", "length of hatch vectors whose hatch distance is known"),
    _value("hatch_distance_mm", "mm", "distance of neighbouring hatch vectors, measured"),
    _count("hatch_distance_vectors", "hatch vectors that the distance rests on"),
    _value("hatched_area_mm2", "mm2", "that length times hatch distance"),
    _value("scan_axis_deg", "deg", "dominant axis of the hatch from x, 0 to 180"),
    _value("scan_axis_share", "1", "share of the hatched length along the fullest 5 degrees"),
    _value("linear_energy_j_mm", "J/mm", "P / v of hatches and contours"),
    _value("areal_energy_j_mm2", "J/mm2", "P / (v h) of hatch vectors with a hatch distance"),
    _value("volumetric_energy_j_mm3", "J/mm3", "P / (v h t) of these"),
]

_CONTOUR_AREA: Final = _value(
    "contour_area_mm2", "mm2", "area inside closed contours; null: something, but nothing closed"
)

LAYER_PLAN: Final = pa.schema(
    [
        *_LAYER,
        *_PATH,
        *_HATCH,
        _CONTOUR_AREA,
        _value("rotation_deg", "deg", "scan axis minus that of the layer before, -90 to 90"),
        _column(
            "axis_histogram_mm",
            pa.list_(pa.float64(), 36),
            "mm",
            "hatched length by axis, in bins of 5 degrees from 0",
            nullable=False,
        ),
        _column(
            "direction_histogram_mm",
            pa.list_(pa.float64(), 72),
            "mm",
            "hatched length by direction, in bins of 5 degrees from 0",
            nullable=False,
        ),
        _column("lasers", pa.int32(), "1", "lasers at work; null where one is not named"),
        _value("laser_time_imbalance", "1", "exposure time of the busiest laser over the mean"),
        _value("laser_length_imbalance", "1", "exposed length of the busiest laser over the mean"),
        _value("scan_time_s", "s", "exposures and all jumps of the laser that takes longest"),
        _value("layer_time_s", "s", "scan time plus recoating"),
    ]
)
"""A row per layer, also where it is empty."""

LAYER_MODEL_PLAN: Final = pa.schema([*_LAYER, _MODEL, *_PATH, *_HATCH, _CONTOUR_AREA])
"""A row per layer and model that has geometries in it."""

LAYER_LASER_PLAN: Final = pa.schema(
    [
        *_LAYER,
        _LASER,
        *_PATH,
        _value("scan_time_s", "s", "exposures and all jumps of the laser"),
        _value("time_share", "1", "share of the layer's exposure time"),
        _value("length_share", "1", "share of the layer's hatched and contour length"),
    ]
)
"""A row per layer and laser that has geometries in it."""

LAYER_EXPOSURE_PLAN: Final = pa.schema(
    [
        *_LAYER,
        _MODEL,
        _STYLE,
        _LASER,
        *_PATH,
        *_HATCH,
        _value(
            "hatch_distance_share", "1", "share of measured distances within 25 % of the median"
        ),
        _value("laser_power_w", "W", "of the build style"),
        _value("speed_mm_s", "mm/s", "stated, or of the points and their times"),
    ]
)
"""A row per layer, model, build style and laser that has geometries in it."""

BUILD_PLAN_TABLES: Final[dict[str, pa.Schema]] = {
    "layer_plan": LAYER_PLAN,
    "layer_model_plan": LAYER_MODEL_PLAN,
    "layer_laser_plan": LAYER_LASER_PLAN,
    "layer_exposure_plan": LAYER_EXPOSURE_PLAN,
}
"""The tables by name."""
