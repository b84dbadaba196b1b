"""Times and energies of exposures from their lengths and build styles. NaN: cannot be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbf_ray.buildplan.styles import MachineTimes, Styles
from pbf_ray.kernels.scan_path import PathSums
from pbf_ray.kernels.vectors import CONTOUR, HATCH, JUMP, POINTS

__all__ = ["ExposureTimes", "exposure_times"]


@dataclass(frozen=True, eq=False)
class ExposureTimes:
    """Of e exposures; arrays float64[e], NaN where a value that is needed is not known.

    Attributes:
        speed_mm_s: Speed along vectors.
        exposure_time_s: Time of vectors and points.
        jump_time_s: Time of the jumps that stand in the file.
        implied_jump_time_s: Time of the gaps.
        laser_energy_j: Power times the time that the laser is on.
    """

    speed_mm_s: NDArray[np.float64]
    exposure_time_s: NDArray[np.float64]
    jump_time_s: NDArray[np.float64]
    implied_jump_time_s: NDArray[np.float64]
    laser_energy_j: NDArray[np.float64]

    @property
    def scan_time_s(self) -> NDArray[np.float64]:
        """Exposures and all jumps."""
        return self.exposure_time_s + self.jump_time_s + self.implied_jump_time_s


def exposure_times(
    sums: PathSums,
    implied_jumps: NDArray[np.int64],
    implied_jump_mm: NDArray[np.float64],
    styles: Styles,
    machine: MachineTimes,
) -> ExposureTimes:
    """Times and energies.

    A vector of length L takes L / v. Where a style has points, v = d / (t_p + t_d) (distance,
    exposure time and delay of a point), and the laser is on for t_p of that. A single point takes
    t_p. Jumps take length / jump speed of their style, and each its delay; a gap goes by the style
    of what comes after it.

    Args:
        sums: What the exposures hold.
        implied_jumps: int64[e], gaps.
        implied_jump_mm: float64[e], their length.
        styles: Styles of the exposures.
        machine: What stands in for what styles do not state.
    """
    with np.errstate(all="ignore"):  # NaN is what is not known, and stays so
        delay_us = _or_else(styles.point_delay_us, machine.point_delay_us)
        period_us = styles.exposure_time_us + delay_us
        point_speed = 1e3 * styles.point_distance_um / period_us
        point_on = styles.exposure_time_us / period_us
        stated = ~np.isnan(styles.speed_mm_s)
        if machine.speed_from == "points":
            stated &= np.isnan(styles.point_distance_um + styles.exposure_time_us)
        speed = np.where(stated, styles.speed_mm_s, point_speed)
        exposed_mm = sums.length_mm[:, HATCH] + sums.length_mm[:, CONTOUR]
        vectors_s = _zero_or(exposed_mm, exposed_mm / speed)
        points = sums.vectors[:, POINTS]
        points_s = _zero_or(points, points * styles.exposure_time_us * 1e-6)
        on_s = np.where(exposed_mm > 0.0, vectors_s * np.where(stated, 1.0, point_on), 0.0)
        on_s += points_s

        jump_speed = _or_else(styles.jump_speed_mm_s, machine.jump_speed_mm_s)
        jump_delay_s = 1e-6 * _or_else(styles.jump_delay_us, machine.jump_delay_us)
        jumps, jump_mm = sums.geometries[:, JUMP], sums.length_mm[:, JUMP]
        jump_s = _zero_or(jump_mm, jump_mm / jump_speed + jumps * jump_delay_s)
        implied_s = _zero_or(
            implied_jumps, implied_jump_mm / jump_speed + implied_jumps * jump_delay_s
        )
        energy_j = _zero_or(on_s, styles.laser_power_w * on_s)
    return ExposureTimes(speed, vectors_s + points_s, jump_s, implied_s, energy_j)


def _or_else(values: NDArray[np.float64], other: float | None) -> NDArray[np.float64]:
    return values if other is None else np.where(np.isnan(values), other, values)


def _zero_or(amount: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Nothing takes no time, whatever is not known of it.
    return np.where(amount == 0, 0.0, values)
