"""What adds up along scan vectors: counts, lengths, bounds, directions; and moves between them.

Sums run in the order of the rows, in float64 from the float32 of the coordinates, so they have
the same bits wherever a file is cut between layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pbf_ray.kernels.vectors import KINDS, VectorColumns, check_groups

__all__ = ["BINS", "WINDOW", "PathSums", "bin_edges", "group_rows", "moves_between", "path_sums"]

BINS: Final = 360
"""Bins of directions, a degree each; bin b holds directions from b (included) to b + 1 degrees."""

WINDOW: Final = 2
"""Bins on each side of the fullest that belong to a dominant axis."""


@dataclass(frozen=True, eq=False)
class PathSums:
    """Sums of e exposures, m models and l layers, nested: exposures of models of layers.

    An axis is four sums over its hatch vectors (float64[., 4]): the length of all of them; and of
    those in the fullest window of ``2 * WINDOW + 1`` bins modulo 180 degrees the length, and the
    sums of length * cos(2 a) and length * sin(2 a), where a is the direction of a vector.

    Attributes:
        geometries: int64[e, 4], geometries by kind.
        vectors: int64[e, 4], hatch vectors, contour segments, single points, jump segments.
        closed: int64[e], closed contours.
        length_mm: float64[e, 4], by kind; 0 for points.
        inner_moves: int64[e], gaps between the vectors or points of one geometry.
        inner_move_mm: float64[e], their length.
        bounds_mm: float64[e, 4], x_min, y_min, x_max, y_max of all but jumps; +inf and -inf where
            nothing is exposed.
        axis: float64[e, 4], axis of each exposure.
        model_axis: float64[m, 4].
        layer_axis: float64[l, 4].
        directions_mm: float64[l, BINS], length of hatch vectors by direction.
    """

    geometries: NDArray[np.int64]
    vectors: NDArray[np.int64]
    closed: NDArray[np.int64]
    length_mm: NDArray[np.float64]
    inner_moves: NDArray[np.int64]
    inner_move_mm: NDArray[np.float64]
    bounds_mm: NDArray[np.float64]
    axis: NDArray[np.float64]
    model_axis: NDArray[np.float64]
    layer_axis: NDArray[np.float64]
    directions_mm: NDArray[np.float64]


def bin_edges() -> NDArray[np.float64]:
    """Unit vectors at whole degrees, float64[BINS + 1, 2]; the last is the first."""
    angle = np.deg2rad(np.arange(BINS + 1) % BINS)
    edges = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    edges[::90] = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]  # without the noise of cos and sin
    return edges


def group_rows(
    codes: NDArray[np.int64], groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows by their group, in input order within each.

    Args:
        codes: int64[g], the group of each row, 0 <= code < groups.
        groups: Number of groups.

    Returns:
        ``rows`` int64[g] and ``start`` int64[groups + 1]: the rows of group ``i`` are
        ``rows[start[i]:start[i + 1]]``.

    Raises:
        ValueError: If a code is out of range.
    """
    from pbf_ray.kernels import _scan_path_loop

    codes = np.ascontiguousarray(codes, dtype=np.int64)
    if codes.size and (codes.min() < 0 or codes.max() >= groups):
        raise ValueError(f"codes must be from 0 to {groups - 1}")
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=groups), out=start[1:])
    rows = np.empty(codes.size, np.int64)
    _scan_path_loop.group_rows(codes, start, rows)
    return rows, start


def path_sums(
    vectors: VectorColumns,
    rows: NDArray[np.int64],
    exposure_start: NDArray[np.int64],
    model_start: NDArray[np.int64],
    layer_start: NDArray[np.int64],
) -> PathSums:
    """Counts, lengths, bounds and directions of exposures.

    Args:
        vectors: The geometries.
        rows: int64[r], rows of geometries, those of an exposure together.
        exposure_start: int64[e + 1]: rows ``[start[i], start[i + 1])`` are exposure ``i``.
        model_start: int64[m + 1]: exposures ``[start[i], start[i + 1])`` are model ``i``.
        layer_start: int64[l + 1]: models ``[start[i], start[i + 1])`` are layer ``i``.

    Raises:
        ValueError: If starts do not rise from 0 to what they divide, or a row does not exist.
    """
    from pbf_ray.kernels import _scan_path_loop

    rows, exposure_start = check_groups(rows, exposure_start, len(vectors))
    exposures = exposure_start.size - 1
    _, model_start = check_groups(np.arange(exposures), model_start, exposures)
    models = model_start.size - 1
    _, layer_start = check_groups(np.arange(models), layer_start, models)
    layers = layer_start.size - 1
    sums = PathSums(
        geometries=np.zeros((exposures, KINDS), np.int64),
        vectors=np.zeros((exposures, KINDS), np.int64),
        closed=np.zeros(exposures, np.int64),
        length_mm=np.zeros((exposures, KINDS)),
        inner_moves=np.zeros(exposures, np.int64),
        inner_move_mm=np.zeros(exposures),
        bounds_mm=np.empty((exposures, 4)),
        axis=np.zeros((exposures, 4)),
        model_axis=np.zeros((models, 4)),
        layer_axis=np.zeros((layers, 4)),
        directions_mm=np.zeros((layers, BINS)),
    )
    _scan_path_loop.path_sums(
        vectors.kind,
        vectors.closed,
        vectors.offset,
        vectors.count,
        vectors.x_mm,
        vectors.y_mm,
        rows,
        exposure_start,
        model_start,
        layer_start,
        bin_edges(),
        sums.geometries,
        sums.vectors,
        sums.closed,
        sums.length_mm,
        sums.inner_moves,
        sums.inner_move_mm,
        sums.bounds_mm,
        sums.axis,
        sums.model_axis,
        sums.layer_axis,
        sums.directions_mm,
    )
    return sums


def moves_between(
    vectors: VectorColumns,
    layer: NDArray[np.int64],
    laser: NDArray[np.int64],
    exposure: NDArray[np.int64],
    exposures: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Gaps between the end of a geometry and the start of the next of its laser in its layer.

    Args:
        vectors: The geometries, in the order of the file.
        layer: int64[g], of each geometry, not decreasing.
        laser: int64[g], of each geometry, from 0.
        exposure: int64[g], the exposure that a gap before the geometry counts for.
        exposures: Number of exposures.

    Returns:
        Gaps of positive length of each exposure, int64[exposures], and their length in mm,
        float64[exposures].

    Raises:
        ValueError: If lengths differ or codes are out of range.
    """
    from pbf_ray.kernels import _scan_path_loop

    layer, laser, exposure = (
        np.ascontiguousarray(codes, dtype=np.int64) for codes in (layer, laser, exposure)
    )
    if any(codes.shape != (len(vectors),) for codes in (layer, laser, exposure)):
        raise ValueError("layer, laser and exposure must have an entry per geometry")
    moves, length_mm = np.zeros(exposures, np.int64), np.zeros(exposures)
    if not len(vectors):
        return moves, length_mm
    if laser.min() < 0 or exposure.min() < 0 or exposure.max() >= exposures:
        raise ValueError(f"lasers must be from 0, exposures from 0 to {exposures - 1}")
    _scan_path_loop.moves_between(
        vectors.offset,
        vectors.count,
        vectors.x_mm,
        vectors.y_mm,
        layer,
        laser,
        exposure,
        np.full(int(laser.max()) + 1, -1, np.int64),
        moves,
        length_mm,
    )
    return moves, length_mm
