"""Axes of hatches, and how they turn from layer to layer.

An axis has no sense: 10 and 190 degrees are one. Its mean is half the angle of the mean of the
doubled angles (Fisher, *Statistical Analysis of Circular Data*, 1993; Mardia and Jupp, *Directional
Statistics*, 2000), here over the fullest window of a histogram, so that vectors of another
direction do not bend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["DOMINANT_SHARE", "LayerBefore", "axis_degrees", "axis_vectors", "dominant", "turn"]

DOMINANT_SHARE: Final = 0.6
"""Share of the hatched length that an axis needs in order to be the one of a layer.

Two axes at right angles, as in a chessboard of islands, have half each: then there is none.
"""


_QUARTER_TURN_DEG: Final = 0.05


@dataclass(frozen=True)
class LayerBefore:
    """What a layer takes over from the one before it.

    Attributes:
        layer: Its number.
        z_mm: Its height, or None.
        scan_axis_deg: Its dominant axis, or None.
    """

    layer: int
    z_mm: float | None = None
    scan_axis_deg: float | None = None


def axis_degrees(axis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angle and share of axes.

    Args:
        axis: float64[n, 4], as in ``kernels.scan_path.PathSums``.

    Returns:
        float64[n], degrees from 0 to 180 (excluded), and float64[n], the share of the length
        that lies along it; both NaN where there is no hatch.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(axis[:, 0] > 0.0, axis[:, 1] / axis[:, 0], np.nan)
    degrees = np.rad2deg(0.5 * np.arctan2(axis[:, 3], axis[:, 2])) % 180.0
    degrees[degrees >= 180.0] = 0.0  # the remainder of a tiny negative angle rounds up to 180
    return np.where(np.isnan(share), np.nan, degrees), share


def axis_vectors(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors along axes, float64[n, 2], NaN where there is no hatch."""
    angle = np.where(axis[:, 1] > 0.0, 0.5 * np.arctan2(axis[:, 3], axis[:, 2]), np.nan)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def dominant(degrees: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees where the share is :data:`DOMINANT_SHARE` or more, else NaN."""
    return np.where(share >= DOMINANT_SHARE, degrees, np.nan)


def turn(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn from one axis to another, -90 to 90 degrees: 170 to 57 is 67.

    A quarter turn has no sense; it is 90, also where rounding makes it a little more.
    """
    angle = (after - before) % 180.0
    return np.where(angle > 90.0 + _QUARTER_TURN_DEG, angle - 180.0, angle)
