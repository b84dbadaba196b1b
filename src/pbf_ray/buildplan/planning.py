"""From the tables of a build to the tables of its plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pbf_ray.buildplan.columns import BuildColumns, build_columns
from pbf_ray.buildplan.measuring import measure
from pbf_ray.buildplan.rotation import LayerBefore, axis_degrees, dominant, turn
from pbf_ray.buildplan.styles import MachineTimes
from pbf_ray.buildplan.tables import exposure_table, laser_tables, layer_table, model_table

if TYPE_CHECKING:
    from pbf_ray.formats import BuildBatch

__all__ = ["BuildPlan", "plan_batches", "plan_layers"]


@dataclass(frozen=True)
class BuildPlan:
    """What some layers of a build mean; schemas are in ``pbf_ray.contracts``.

    Attributes:
        layers: ``LAYER_PLAN``.
        models: ``LAYER_MODEL_PLAN``.
        lasers: ``LAYER_LASER_PLAN``.
        exposures: ``LAYER_EXPOSURE_PLAN``.
        after: What the layer behind the last one takes as ``before``; None: nothing is known.
    """

    layers: pa.Table
    models: pa.Table
    lasers: pa.Table
    exposures: pa.Table
    after: LayerBefore | None


def plan_layers(
    layers: pa.Table,
    geometries: pa.Table,
    coordinates: pa.Table,
    build_styles: pa.Table | None = None,
    *,
    machine: MachineTimes | None = None,
    before: LayerBefore | None = None,
    damaged: Collection[int] = (),
) -> BuildPlan:
    """Counts, lengths, areas, times and energies of layers; docs/buildplan.md has the definitions.

    The plan of a range of layers has the bits of that part of the plan of the whole, if ``before``
    is what the layer before the range gives: ``after`` of ``plan_layers`` of that one layer.

    Args:
        layers: ``contracts.BUILD_LAYERS``, with rising numbers.
        geometries: ``contracts.BUILD_GEOMETRIES`` of these layers.
        coordinates: ``contracts.BUILD_COORDINATES`` of these geometries, in mm.
        build_styles: ``contracts.BUILD_STYLES``; None: nothing is known of speeds and powers.
        machine: What the file does not say; None: nothing more is known.
        before: The layer before the first one; None: there is none, or it is not known.
        damaged: Layers that could not be read. They get no rows, and only their height is carried
            to the layer behind.

    Raises:
        KeyError: If a table lacks a column.
        ValueError: If the tables do not fit together, or ``before`` is not the layer before.
    """
    machine = machine or MachineTimes()
    columns = build_columns(layers, geometries, coordinates)
    if before is not None and columns.layer.size and before.layer != columns.layer[0] - 1:
        raise ValueError(f"layer {before.layer} does not stand before layer {columns.layer[0]}")
    measured = measure(columns, build_styles, machine)
    axis_deg = dominant(*axis_degrees(measured.sums.layer_axis))
    axis_deg[np.isin(columns.layer, list(damaged))] = np.nan
    z_before, axis_before = _before(columns, axis_deg, before)
    thickness_um = 1e3 * (columns.z_mm - z_before)
    heights = {
        "layer": columns.layer,
        "z_mm": columns.z_mm,
        "layer_thickness_um": np.where(thickness_um > 0.0, thickness_um, np.nan),
    }
    lasers, of_layers = laser_tables(measured, heights, machine.recoat_time_s)
    layer_rows = layer_table(measured, heights, turn(axis_before, axis_deg), of_layers)
    return BuildPlan(
        layers=_without(layer_rows, damaged),
        models=_without(model_table(measured, heights), damaged),
        lasers=_without(lasers, damaged),
        exposures=_without(exposure_table(measured, heights), damaged),
        after=_after(columns, axis_deg) if columns.layer.size else before,
    )


def plan_batches(
    batches: Iterable[BuildBatch],
    build_styles: pa.Table | None = None,
    *,
    machine: MachineTimes | None = None,
    before: LayerBefore | None = None,
) -> Iterator[BuildPlan]:
    """Plans of batches that follow each other, as ``BuildFile.scan`` gives them, in their order.

    Damaged layers that a batch has left out get no rows.

    Args:
        batches: Batches of layers.
        build_styles: As for :func:`plan_layers`.
        machine: As for :func:`plan_layers`.
        before: The layer before the first batch.

    Raises:
        ValueError: If the tables do not fit together, or a batch does not follow the one before.
    """
    for batch in batches:
        plan = plan_layers(
            batch.layers,
            batch.geometries,
            batch.coordinates,
            build_styles,
            machine=machine,
            before=before,
            damaged=_left_out(batch),
        )
        before = plan.after
        yield plan


def _left_out(batch: BuildBatch) -> list[int]:
    # A damaged layer that has rows all the same was mended, and counts.
    empty = batch.layers.filter(pc.field("geometry_count") == 0)["layer"].to_pylist()
    return sorted({damage.layer for damage in batch.damage if damage.layer is not None} & {*empty})


def _without(table: pa.Table, damaged: Collection[int]) -> pa.Table:
    if not damaged:
        return table
    return table.filter(pa.array(~np.isin(table["layer"].to_numpy(), list(damaged))))


def _before(
    columns: BuildColumns, axis_deg: NDArray[np.float64], before: LayerBefore | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Height and axis of the layer before each; NaN where it is not there, or not known.
    z_mm, axis = np.full((2, columns.layer.size), np.nan)
    follows = np.diff(columns.layer) == 1
    z_mm[1:] = np.where(follows, columns.z_mm[:-1], np.nan)
    axis[1:] = np.where(follows, axis_deg[:-1], np.nan)
    if before is not None and columns.layer.size:
        z_mm[0] = np.nan if before.z_mm is None else before.z_mm
        axis[0] = np.nan if before.scan_axis_deg is None else before.scan_axis_deg
    return z_mm, axis


def _after(columns: BuildColumns, axis_deg: NDArray[np.float64]) -> LayerBefore:
    z_mm, axis = float(columns.z_mm[-1]), float(axis_deg[-1])
    return LayerBefore(
        int(columns.layer[-1]),
        None if np.isnan(z_mm) else z_mm,
        None if np.isnan(axis) else axis,
    )
