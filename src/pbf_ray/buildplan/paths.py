"""What adds up over exposures: counts, lengths, bounds, times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbf_ray.buildplan.grouping import add, largest, smallest
from pbf_ray.buildplan.times import ExposureTimes
from pbf_ray.kernels.scan_path import PathSums
from pbf_ray.kernels.vectors import CONTOUR, HATCH, JUMP, POINTS

__all__ = ["PathTotals", "path_totals"]


@dataclass(frozen=True, eq=False)
class PathTotals:
    """What adds up over exposures, of n groups of them; NaN where a part is not known.

    Attributes:
        geometries: int64[n, 4], by kind.
        vectors: int64[n, 4], by kind.
        closed: int64[n], closed contours.
        length_mm: float64[n, 4], by kind.
        implied_jumps: int64[n].
        implied_jump_mm: float64[n].
        lower_mm: float64[n, 2], lower corner of the bounding box, +inf where nothing is exposed.
        upper_mm: float64[n, 2], upper corner, -inf where nothing is exposed.
        times: float64[n, 5]: exposures, jumps, implied jumps, all three; energy in J.
    """

    geometries: NDArray[np.int64]
    vectors: NDArray[np.int64]
    closed: NDArray[np.int64]
    length_mm: NDArray[np.float64]
    implied_jumps: NDArray[np.int64]
    implied_jump_mm: NDArray[np.float64]
    lower_mm: NDArray[np.float64]
    upper_mm: NDArray[np.float64]
    times: NDArray[np.float64]

    @property
    def exposure_time_s(self) -> NDArray[np.float64]:
        """Time of vectors and points."""
        return self.times[:, 0]

    @property
    def scan_time_s(self) -> NDArray[np.float64]:
        """Time of exposures and all jumps."""
        return self.times[:, 3]

    @property
    def exposed_mm(self) -> NDArray[np.float64]:
        """Length of hatch vectors and contours."""
        return self.length_mm[:, HATCH] + self.length_mm[:, CONTOUR]

    def by(self, group: NDArray[np.int64], groups: int) -> PathTotals:
        """Totals by group."""
        return PathTotals(
            add(self.geometries, group, groups),
            add(self.vectors, group, groups),
            add(self.closed, group, groups),
            add(self.length_mm, group, groups),
            add(self.implied_jumps, group, groups),
            add(self.implied_jump_mm, group, groups),
            smallest(self.lower_mm, group, groups),
            largest(self.upper_mm, group, groups),
            add(self.times, group, groups),
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns of the tables."""
        return {
            "hatch_geometries": self.geometries[:, HATCH],
            "contour_geometries": self.geometries[:, CONTOUR],
            "point_geometries": self.geometries[:, POINTS],
            "jump_geometries": self.geometries[:, JUMP],
            "hatch_vectors": self.vectors[:, HATCH],
            "contour_segments": self.vectors[:, CONTOUR],
            "points": self.vectors[:, POINTS],
            "jump_segments": self.vectors[:, JUMP],
            "closed_contours": self.closed,
            "hatched_length_mm": self.length_mm[:, HATCH],
            "contour_length_mm": self.length_mm[:, CONTOUR],
            "jump_length_mm": self.length_mm[:, JUMP],
            "implied_jumps": self.implied_jumps,
            "implied_jump_length_mm": self.implied_jump_mm,
            "x_min_mm": self.lower_mm[:, 0],
            "y_min_mm": self.lower_mm[:, 1],
            "x_max_mm": self.upper_mm[:, 0],
            "y_max_mm": self.upper_mm[:, 1],
            "exposure_time_s": self.times[:, 0],
            "jump_time_s": self.times[:, 1],
            "implied_jump_time_s": self.times[:, 2],
            "scan_time_s": self.times[:, 3],
            "laser_energy_j": self.times[:, 4],
        }


def path_totals(
    sums: PathSums,
    implied_jumps: NDArray[np.int64],
    implied_jump_mm: NDArray[np.float64],
    times: ExposureTimes,
) -> PathTotals:
    """Totals of the exposures themselves."""
    return PathTotals(
        sums.geometries,
        sums.vectors,
        sums.closed,
        sums.length_mm,
        implied_jumps,
        implied_jump_mm,
        sums.bounds_mm[:, :2],
        sums.bounds_mm[:, 2:],
        np.stack(
            [
                times.exposure_time_s,
                times.jump_time_s,
                times.implied_jump_time_s,
                times.scan_time_s,
                times.laser_energy_j,
            ],
            axis=1,
        ),
    )
