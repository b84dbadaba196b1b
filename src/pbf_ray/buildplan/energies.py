"""Hatch distances, hatched areas and energy densities, of exposures and of what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pbf_ray.buildplan.grouping import add
from pbf_ray.kernels.hatch_spacing import HatchSpacing

__all__ = ["LEAST_SHARE", "LEAST_VECTORS", "EnergySums", "energy_sums"]

LEAST_VECTORS: Final = 4
"""Hatch vectors that a hatch distance has to rest on."""

LEAST_SHARE: Final = 0.5
"""Share of the measured distances that has to lie near their median."""


@dataclass(frozen=True, eq=False)
class EnergySums:
    """Of n groups of exposures, or of the exposures themselves; NaN where a part is not known.

    Attributes:
        hatched_mm: float64[n], length of hatch vectors.
        spaced_mm: float64[n], length of those with a hatch distance.
        exposed_mm: float64[n], length of hatch vectors and contours.
        spaced_mm2: float64[n], that length times hatch distance.
        spaced_j: float64[n], P / v times that length.
        exposed_j: float64[n], P / v times exposed length.
        vectors: int64[n], hatch vectors that the distances rest on.
    """

    hatched_mm: NDArray[np.float64]
    spaced_mm: NDArray[np.float64]
    exposed_mm: NDArray[np.float64]
    spaced_mm2: NDArray[np.float64]
    spaced_j: NDArray[np.float64]
    exposed_j: NDArray[np.float64]
    vectors: NDArray[np.int64]

    def by(self, group: NDArray[np.int64], groups: int) -> EnergySums:
        """Sums by group."""
        return EnergySums(
            add(self.hatched_mm, group, groups),
            add(self.spaced_mm, group, groups),
            add(self.exposed_mm, group, groups),
            add(self.spaced_mm2, group, groups),
            add(self.spaced_j, group, groups),
            add(self.exposed_j, group, groups),
            add(self.vectors, group, groups),
        )

    def columns(self, thickness_um: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Columns of the tables; a density of several parts is that of their sums.

        Args:
            thickness_um: float64[n], layer thickness.
        """
        nowhere = (self.spaced_mm == 0.0) & (self.hatched_mm > 0.0)
        with np.errstate(all="ignore"):  # 0 / 0 where no distance is known: null
            areal = self.spaced_j / self.spaced_mm2
            return {
                "spaced_hatch_length_mm": self.spaced_mm,
                "hatch_distance_mm": self.spaced_mm2 / self.spaced_mm,
                "hatched_area_mm2": np.where(nowhere, np.nan, self.spaced_mm2),
                "linear_energy_j_mm": self.exposed_j / self.exposed_mm,
                "areal_energy_j_mm2": areal,
                "volumetric_energy_j_mm3": areal / (1e-3 * thickness_um),
            }


def energy_sums(
    hatched_mm: NDArray[np.float64],
    contour_mm: NDArray[np.float64],
    spacing: HatchSpacing,
    power_w: NDArray[np.float64],
    speed_mm_s: NDArray[np.float64],
) -> EnergySums:
    """Parts of the energy densities of exposures; arrays float64[e].

    Linear energy is P / v, areal P / (v h), volumetric P / (v h t) (Thijs et al., Acta Materialia
    58, 2010), with the hatch distance h that was measured. It is not known where it rests on fewer
    than :data:`LEAST_VECTORS`, or distances are not regular (:data:`LEAST_SHARE`): such vectors, a
    contour that is written as a hatch for one, belong to no area and to no density of it.
    """
    trusted = (spacing.vectors >= LEAST_VECTORS) & (spacing.share >= LEAST_SHARE)
    spaced = np.where(trusted, hatched_mm, 0.0)
    with np.errstate(all="ignore"):
        linear = power_w / speed_mm_s
    return EnergySums(
        hatched_mm,
        spaced,
        hatched_mm + contour_mm,
        _of(spaced, spacing.distance_mm),
        _of(spaced, linear),
        _of(hatched_mm + contour_mm, linear),
        np.where(trusted, spacing.vectors, 0),
    )


def _of(length: NDArray[np.float64], per_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(length == 0.0, 0.0, length * per_mm)
