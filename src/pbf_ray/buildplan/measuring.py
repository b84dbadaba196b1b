"""Everything that is measured of a batch of layers, by exposure; the tables only sum it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.buildplan.columns import BuildColumns
from pbf_ray.buildplan.energies import EnergySums, energy_sums
from pbf_ray.buildplan.exposures import Exposures, find_exposures
from pbf_ray.buildplan.paths import PathTotals, path_totals
from pbf_ray.buildplan.rotation import axis_vectors
from pbf_ray.buildplan.styles import MachineTimes
from pbf_ray.buildplan.times import exposure_times
from pbf_ray.kernels.contour_area import contour_area
from pbf_ray.kernels.hatch_spacing import HatchSpacing, hatch_spacing
from pbf_ray.kernels.scan_path import PathSums, moves_between, path_sums
from pbf_ray.kernels.vectors import CONTOUR, HATCH

__all__ = ["Measured", "measure"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Of e exposures in m (layer, model) in l layers.

    Attributes:
        columns: The batch.
        exposures: Its exposures.
        sums: Sums and axes.
        totals: What adds up, of each exposure.
        energies: Parts of the energy densities, of each exposure.
        spacing: Hatch distances, of each exposure.
        speed_mm_s: float64[e].
        contour_area_mm2: float64[m], 0 where nothing is closed.
    """

    columns: BuildColumns
    exposures: Exposures
    sums: PathSums
    totals: PathTotals
    energies: EnergySums
    spacing: HatchSpacing
    speed_mm_s: NDArray[np.float64]
    contour_area_mm2: NDArray[np.float64]


def measure(
    columns: BuildColumns, build_styles: pa.Table | None, machine: MachineTimes
) -> Measured:
    """Measure a batch.

    Args:
        columns: The batch.
        build_styles: ``BUILD_STYLES``, or None.
        machine: What the file does not say.
    """
    exposures = find_exposures(columns, build_styles)
    vectors, rows = columns.vectors, exposures.rows
    sums = path_sums(vectors, rows, exposures.start, exposures.model_start, exposures.layer_start)
    jumps, jump_mm = _implied_jumps(columns, exposures, sums)
    times = exposure_times(sums, jumps, jump_mm, exposures.styles, machine)
    spacing = hatch_spacing(vectors, rows, exposures.start, axis_vectors(sums.axis))
    totals = path_totals(sums, jumps, jump_mm, times)
    area = contour_area(vectors, rows, exposures.start[exposures.model_start])
    return Measured(
        columns=columns,
        exposures=exposures,
        sums=sums,
        totals=totals,
        energies=energy_sums(
            sums.length_mm[:, HATCH],
            sums.length_mm[:, CONTOUR],
            spacing,
            exposures.styles.laser_power_w,
            times.speed_mm_s,
        ),
        spacing=spacing,
        speed_mm_s=times.speed_mm_s,
        contour_area_mm2=area,
    )


def _implied_jumps(
    columns: BuildColumns, exposures: Exposures, sums: PathSums
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    # Within geometries, and between those of one laser; all geometries without a laser are one's.
    place = {laser: index for index, laser in enumerate(dict.fromkeys(exposures.laser))}
    of_exposure = np.array([place[laser] for laser in exposures.laser] or [0], np.int64)
    moves, mm = moves_between(
        columns.vectors,
        columns.layer_of,
        of_exposure[exposures.of_geometry],
        exposures.of_geometry,
        len(exposures),
    )
    return moves + sums.inner_moves, mm + sums.inner_move_mm
