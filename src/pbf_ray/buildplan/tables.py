"""The tables of a plan, from what was measured by exposure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.buildplan.columns import from_nan
from pbf_ray.buildplan.grouping import add, dense, largest
from pbf_ray.buildplan.measuring import Measured
from pbf_ray.buildplan.paths import PathTotals
from pbf_ray.buildplan.rotation import axis_degrees
from pbf_ray.contracts import (
    LAYER_EXPOSURE_PLAN,
    LAYER_LASER_PLAN,
    LAYER_MODEL_PLAN,
    LAYER_PLAN,
)
from pbf_ray.kernels.scan_path import BINS

__all__ = ["Columns", "exposure_table", "laser_tables", "layer_table", "model_table"]

Columns: TypeAlias = dict[str, Any]
"""Columns by name: arrays (float64 with NaN for null), or sequences with None."""

_HISTOGRAM_DEG: Final = 5


def layer_table(
    measured: Measured, heights: Columns, rotation_deg: NDArray[np.float64], lasers: Columns
) -> pa.Table:
    """``LAYER_PLAN``.

    Args:
        measured: The batch.
        heights: Columns of layer, z and thickness, of each layer.
        rotation_deg: float64[l].
        lasers: Columns of the lasers of each layer.
    """
    exposures = measured.exposures
    layer, layers = exposures.layer, exposures.layers
    totals = measured.totals.by(layer, layers)
    layer_of_model = np.repeat(np.arange(layers), np.diff(exposures.layer_start))
    degrees = measured.sums.directions_mm
    axes = degrees[:, : BINS // 2] + degrees[:, BINS // 2 :]
    return _table(
        LAYER_PLAN,
        heights,
        totals.columns(),
        _hatch(measured, layer, layers, measured.sums.layer_axis, heights),
        {
            "contour_area_mm2": _area(
                add(measured.contour_area_mm2, layer_of_model, layers), totals
            ),
            "rotation_deg": rotation_deg,
            "axis_histogram_mm": _coarser(axes),
            "direction_histogram_mm": _coarser(degrees),
        },
        lasers,
    )


def model_table(measured: Measured, heights: Columns) -> pa.Table:
    """``LAYER_MODEL_PLAN``; see :func:`layer_table`."""
    exposures = measured.exposures
    group, groups = exposures.model_group, exposures.models
    first = exposures.model_start[:-1]
    totals = measured.totals.by(group, groups)
    heights = _at(heights, exposures.layer[first])
    return _table(
        LAYER_MODEL_PLAN,
        heights,
        {"model_id": [exposures.model[e] for e in first.tolist()]},
        totals.columns(),
        _hatch(measured, group, groups, measured.sums.model_axis, heights),
        {"contour_area_mm2": _area(measured.contour_area_mm2, totals)},
    )


def exposure_table(measured: Measured, heights: Columns) -> pa.Table:
    """``LAYER_EXPOSURE_PLAN``; see :func:`layer_table`."""
    exposures = measured.exposures
    heights = _at(heights, exposures.layer)
    every, number = np.arange(len(exposures)), len(exposures)
    share = np.where(measured.spacing.share > 0.0, measured.spacing.share, np.nan)
    return _table(
        LAYER_EXPOSURE_PLAN,
        heights,
        {
            "model_id": exposures.model,
            "build_style_id": exposures.style,
            "laser_id": exposures.laser,
        },
        measured.totals.columns(),
        _hatch(measured, every, number, measured.sums.axis, heights),
        {
            "hatch_distance_share": share,
            "laser_power_w": exposures.styles.laser_power_w,
            "speed_mm_s": measured.speed_mm_s,
        },
    )


def laser_tables(
    measured: Measured, heights: Columns, recoat_time_s: float | None
) -> tuple[pa.Table, Columns]:
    """``LAYER_LASER_PLAN``, and the columns of lasers of ``LAYER_PLAN``.

    Lasers work at the same time: a layer takes as long as the one that takes longest. Where a
    layer has geometries of named lasers and others of none, that is not known.
    """
    exposures, layers = measured.exposures, measured.exposures.layers
    ids = sorted(set(exposures.laser), key=lambda laser: (laser is not None, laser or 0))
    place = {laser: index for index, laser in enumerate(ids)}
    laser_of = np.array([place[laser] for laser in exposures.laser], np.int64)
    groups, group = dense(exposures.layer * max(len(ids), 1) + laser_of)
    layer, laser = np.divmod(groups, max(len(ids), 1))
    totals = measured.totals.by(group, groups.size)
    named = np.array([ids[k] is not None for k in laser.tolist()], np.bool_)
    busy = add(np.ones(layer.size, np.int64), layer, layers)
    all_named = add(named.astype(np.int64), layer, layers) == busy

    scan = largest(totals.scan_time_s, layer, layers, nothing=0.0)
    scan[~all_named & (busy > 1)] = np.nan
    with np.errstate(all="ignore"):  # nothing exposed: no shares
        time_share = totals.exposure_time_s / add(totals.exposure_time_s, layer, layers)[layer]
        length_share = totals.exposed_mm / add(totals.exposed_mm, layer, layers)[layer]
    known = np.where(all_named & (busy > 0), busy, np.nan)
    table = _table(
        LAYER_LASER_PLAN,
        _at(heights, layer),
        {"laser_id": [ids[k] for k in laser.tolist()]},
        totals.columns(),
        {"time_share": time_share, "length_share": length_share},
    )
    return table, {
        "lasers": [int(n) if ok else None for n, ok in zip(busy, all_named, strict=True)],
        "laser_time_imbalance": largest(time_share, layer, layers) * known,
        "laser_length_imbalance": largest(length_share, layer, layers) * known,
        "scan_time_s": scan,
        "layer_time_s": scan + (np.nan if recoat_time_s is None else recoat_time_s),
    }


def _hatch(
    measured: Measured,
    group: NDArray[np.int64],
    groups: int,
    axis: NDArray[np.float64],
    heights: Columns,
) -> Columns:
    energies = measured.energies.by(group, groups)
    degrees, share = axis_degrees(axis)
    return {
        **energies.columns(heights["layer_thickness_um"]),
        "hatch_distance_vectors": energies.vectors,
        "scan_axis_deg": degrees,
        "scan_axis_share": share,
    }


def _area(enclosed: NDArray[np.float64], totals: PathTotals) -> NDArray[np.float64]:
    # Where something is exposed and nothing closed, contours do not say what its area is.
    unknown = (totals.closed == 0) & np.any(totals.geometries > 0, axis=1)
    return np.where(unknown, np.nan, enclosed)


def _coarser(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    layers, bins = degrees.shape
    split = degrees.reshape(layers, bins // _HISTOGRAM_DEG, _HISTOGRAM_DEG)
    coarser: NDArray[np.float64] = split.sum(axis=2)
    return coarser


def _at(columns: Columns, index: NDArray[np.int64]) -> Columns:
    return {name: values[index] for name, values in columns.items()}


def _table(schema: pa.Schema, *parts: Columns) -> pa.Table:
    columns = {name: values for part in parts for name, values in part.items()}
    return pa.Table.from_arrays(
        [_column(field, columns[field.name]) for field in schema], schema=schema
    )


def _column(field: pa.Field, values: NDArray[Any] | Sequence[int | None]) -> pa.Array:
    if not isinstance(values, np.ndarray):
        return pa.array(values, field.type)
    values = np.ascontiguousarray(values)
    if pa.types.is_fixed_size_list(field.type):
        flat = pa.array(values.reshape(-1), field.type.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, type=field.type)
    if pa.types.is_floating(field.type) and field.nullable:
        return from_nan(values)
    return pa.array(values, field.type)
