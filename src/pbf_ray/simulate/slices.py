"""The parts of a simulated build as a build file: contours and hatches of each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.contracts import (
    BUILD_COORDINATES,
    BUILD_GEOMETRIES,
    BUILD_LAYERS,
    BUILD_METADATA,
    BUILD_MODELS,
    BUILD_STYLES,
)
from pbf_ray.formats import BuildTables, write_build
from pbf_ray.simulate.config import TwinConfig, build_name
from pbf_ray.simulate.geometry import Frustum
from pbf_ray.simulate.plan import build_parts

__all__ = ["slice_parts", "write_build_files"]

_THICKNESS_UM: Final = 40.0
_HATCH_MM: Final = 0.1
_ROTATION_DEG: Final = 67.0
_OFFSET_MM: Final = 0.1
"""Between the contour and the ends of the hatches."""
_PITCH_MM: Final = 36.0
_COLUMNS: Final = 3
_CORNERS: Final = 72
"""Of the polygon that stands for a disc."""
_CONTOUR, _HATCH = 1, 2
_STYLES: Final = ((_CONTOUR, "contour", 150.0, 800.0), (_HATCH, "hatch", 200.0, 1200.0))

Points = NDArray[np.float64]


def write_build_files(config: TwinConfig, folder: Path) -> list[Path]:
    """Write what the machines of a twin build, a file per build, named as the build.

    Args:
        config: The twin.
        folder: Where the files go; made if need be.

    Raises:
        BuildFileError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for machine in range(config.machines):
        for build in range(config.builds):
            path = folder / f"{build_name(machine, build)}.ovf"
            tables = slice_parts(build_parts(config, machine, build), layers=config.layers)
            write_build(tables, path, allow_loss=True)
            written.append(path)
    return written


def slice_parts(parts: Sequence[Frustum], *, layers: int) -> BuildTables:
    """The layers of some parts, side by side on the plate, hatched at 67 degrees more each layer.

    Args:
        parts: The parts.
        layers: How many layers the build has.
    """
    geometries: list[dict[str, Any]] = []
    heights: list[dict[str, Any]] = []
    points: list[Points] = []
    rows = 0
    for layer in range(layers):
        first_geometry, first_point = len(geometries), rows
        for number, part in enumerate(parts, start=1):
            size_mm = math.sqrt(part.area_mm2(layers)[layer] / _shape_area(part))
            if size_mm <= 0.0:
                continue
            center = _center(number - 1, len(parts))
            outline, lines = _cross_section(part, size_mm, layer)
            for kind, style, found in (
                ("contour", _CONTOUR, outline),
                ("hatch", _HATCH, lines),
            ):
                geometries.append(
                    {
                        "layer": layer,
                        "geometry_id": len(geometries) - first_geometry,
                        "kind": kind,
                        "model_id": number,
                        "build_style_id": style,
                        "laser_id": 1,
                        "closed": True if kind == "contour" else None,
                        "offset": rows,
                        "count": len(found),
                    }
                )
                points.append(found + center)
                rows += len(found)
        heights.append(
            {
                "layer": layer,
                "z_mm": (layer + 1) * _THICKNESS_UM * 1e-3,
                "first_geometry": first_geometry,
                "geometry_count": len(geometries) - first_geometry,
                "first_point": first_point,
                "point_count": rows - first_point,
            }
        )
    xy = np.concatenate(points).astype(np.float32)
    return BuildTables(
        layers=pa.Table.from_pylist(heights, BUILD_LAYERS),
        geometries=pa.Table.from_pylist(geometries, BUILD_GEOMETRIES),
        coordinates=pa.table([xy[:, 0].copy(), xy[:, 1].copy()], schema=BUILD_COORDINATES),
        build_styles=pa.Table.from_pylist([_style(*style) for style in _STYLES], BUILD_STYLES),
        models=pa.Table.from_pylist(
            [
                {"model_id": n, "name": f"part {n}", "top_layer": part.layers - 1, "raw_tags": []}
                for n, part in enumerate(parts, start=1)
            ],
            BUILD_MODELS,
        ),
        metadata=pa.Table.from_pylist([], BUILD_METADATA),
    )


def _shape_area(part: Frustum) -> float:
    """Area of a cross-section of size 1."""
    return 1.0 if part.section == "square" else math.pi / 4


def _center(number: int, parts: int) -> Points:
    row, column = divmod(number, _COLUMNS)
    rows = math.ceil(parts / _COLUMNS)
    return _PITCH_MM * np.array([column - (_COLUMNS - 1) / 2, row - (rows - 1) / 2])


def _cross_section(part: Frustum, size_mm: float, layer: int) -> tuple[Points, Points]:
    """Contour, closed, and hatch vectors, as pairs of rows, around the origin."""
    half = size_mm / 2
    if part.section == "square":
        corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    else:
        turn = np.linspace(0.0, 2 * math.pi, _CORNERS + 1)
        corners = half * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    angle = math.radians(_ROTATION_DEG * layer % 360.0)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    inner = max(half - _OFFSET_MM, 0.0)
    reach = inner * (math.sqrt(2.0) if part.section == "square" else 1.0)
    offsets = np.arange(-reach + _HATCH_MM / 2, reach, _HATCH_MM)
    if part.section == "square":
        start, stop = _clipped(offsets, along, across, inner)
    else:
        stop = np.sqrt(np.maximum(inner**2 - offsets**2, 0.0))
        start = -stop
    kept = stop - start > _HATCH_MM
    offsets, start, stop = offsets[kept], start[kept], stop[kept]
    # Every second vector goes back.
    back = np.arange(len(offsets)) % 2 == 1
    start, stop = np.where(back, stop, start), np.where(back, start, stop)
    ends = (
        np.stack([start, stop], axis=1)[:, :, None] * along + (offsets[:, None] * across)[:, None]
    )
    return corners, ends.reshape(-1, 2)


def _clipped(
    offsets: NDArray[np.float64], along: Points, across: Points, inner: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where lines enter and leave a square: places along each line."""
    start = np.full(offsets.size, -np.inf)
    stop = np.full(offsets.size, np.inf)
    for axis in range(2):
        if abs(along[axis]) < 1e-12:
            outside = np.abs(offsets * across[axis]) > inner
            stop = np.where(outside, -np.inf, stop)
            continue
        ends = (np.array([[-inner], [inner]]) - offsets * across[axis]) / along[axis]
        start = np.maximum(start, ends.min(axis=0))
        stop = np.minimum(stop, ends.max(axis=0))
    return start, np.maximum(stop, start)


def _style(number: int, name: str, power_w: float, speed_mm_s: float) -> dict[str, Any]:
    empty = dict.fromkeys(BUILD_STYLES.names)
    return {
        **empty,
        "build_style_id": number,
        "laser_id": 1,
        "name": name,
        "description": "",
        "laser_power_w": power_w,
        "speed_mm_s": speed_mm_s,
        "parameters": [],
        "raw_tags": [],
    }
