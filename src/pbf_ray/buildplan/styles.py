"""Which build style an exposure has, and what is known of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["MachineTimes", "Styles", "resolve_styles"]


@dataclass(frozen=True)
class MachineTimes:
    """What a machine does that a build file may not say. None: not known, and null follows.

    Attributes:
        recoat_time_s: Time between the exposures of two layers.
        point_delay_us: Pause after each point, for build styles that state none.
        jump_speed_mm_s: Speed with the laser off, for build styles that state none.
        jump_delay_us: Pause after each jump, for build styles that state none.
        speed_from: For styles that state a speed and points with times: ``"speed"`` takes the
            speed, ``"points"`` the distance of the points over their time.

    Raises:
        ValueError: If a time is negative or not finite, or a speed is not positive.
    """

    recoat_time_s: float | None = None
    point_delay_us: float | None = None
    jump_speed_mm_s: float | None = None
    jump_delay_us: float | None = None
    speed_from: Literal["speed", "points"] = "speed"

    def __post_init__(self) -> None:
        for name in ("recoat_time_s", "point_delay_us", "jump_delay_us"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < np.inf:
                raise ValueError(f"{name} is {value}, and must be 0 or more")
        if self.jump_speed_mm_s is not None and not 0.0 < self.jump_speed_mm_s < np.inf:
            raise ValueError(f"jump_speed_mm_s is {self.jump_speed_mm_s}, and must be positive")
        if self.speed_from not in ("speed", "points"):
            raise ValueError(f"speed_from is {self.speed_from!r}, not 'speed' or 'points'")


_POSITIVE: Final = ("speed_mm_s", "point_distance_um", "jump_speed_mm_s", "exposure_time_us")
_NOT_NEGATIVE: Final = ("laser_power_w", "point_delay_us", "jump_delay_us")


@dataclass(frozen=True, eq=False)
class Styles:
    """What is known of c styles; arrays float64[c], NaN where it is not.

    Attributes:
        laser_power_w: Power.
        speed_mm_s: Speed as stated.
        exposure_time_us: Time of a point.
        point_distance_um: Distance of points along a vector.
        point_delay_us: Pause after a point.
        jump_speed_mm_s: Speed with the laser off.
        jump_delay_us: Pause after a jump.
        laser: Laser of each, or None.
    """

    laser_power_w: NDArray[np.float64]
    speed_mm_s: NDArray[np.float64]
    exposure_time_us: NDArray[np.float64]
    point_distance_um: NDArray[np.float64]
    point_delay_us: NDArray[np.float64]
    jump_speed_mm_s: NDArray[np.float64]
    jump_delay_us: NDArray[np.float64]
    laser: tuple[int | None, ...]

    def take(self, index: NDArray[np.int64]) -> Styles:
        """Styles by index, in its order."""
        arrays = {name: getattr(self, name)[index] for name in (*_POSITIVE, *_NOT_NEGATIVE)}
        return replace(self, **arrays, laser=tuple(self.laser[i] for i in index.tolist()))


def resolve_styles(
    build_styles: pa.Table | None, wanted: Sequence[tuple[int | None, int | None, int | None]]
) -> Styles:
    """What is known of the style of each (model, build style, laser).

    A style of the model goes before one that belongs to no model; among several rows, those of the
    laser do. Where rows that are left differ in a value, it is not known. Values that cannot be (a
    speed of 0, a negative power) are not known either.

    Args:
        build_styles: ``BUILD_STYLES``, or None.
        wanted: Ids as they stand at geometries.
    """
    rows: dict[tuple[int | None, int], list[dict[str, Any]]] = defaultdict(list)
    if build_styles is not None:
        names = ["build_style_id", "model_id", "laser_id", *_POSITIVE, *_NOT_NEGATIVE]
        for row in build_styles.select(names).to_pylist():
            if row["build_style_id"] is not None:
                rows[row["model_id"], row["build_style_id"]].append(row)
    known = {name: np.full(len(wanted), np.nan) for name in (*_POSITIVE, *_NOT_NEGATIVE)}
    lasers: list[int | None] = []
    for place, (model, style, laser) in enumerate(wanted):
        found = [] if style is None else rows.get((model, style)) or rows.get((None, style), [])
        found = [row for row in found if laser is not None and row["laser_id"] == laser] or found
        for name, values in known.items():
            values[place] = _agreed(found, name)
        said = {row["laser_id"] for row in found}
        lasers.append(laser if laser is not None or len(said) != 1 else said.pop())
    return Styles(**known, laser=tuple(lasers))


def _agreed(rows: Sequence[dict[str, Any]], name: str) -> float:
    values = {row[name] for row in rows}
    if len(values) != 1:
        return np.nan
    value = values.pop()
    if value is None or not np.isfinite(value) or value < 0.0:
        return np.nan
    return np.nan if value == 0.0 and name in _POSITIVE else float(value)
