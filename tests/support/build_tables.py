"""Builds made of lists: geometries with their points, as the tables that readers give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pbf_ray.contracts import (
    BUILD_COORDINATES,
    BUILD_GEOMETRIES,
    BUILD_LAYERS,
    BUILD_STYLES,
    GEOMETRY_KINDS,
)

__all__ = ["Block", "Points", "build_styles", "build_tables", "hatched", "ring", "turned"]

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Block:
    """One geometry."""

    kind: str
    points: Points
    model: int | None = None
    style: int | None = None
    laser: int | None = None

    @property
    def closed(self) -> bool | None:
        if self.kind != "contour":
            return None
        return len(self.points) > 2 and self.points[0] == self.points[-1]


def build_tables(
    layers: Sequence[Sequence[Block]], z_mm: Sequence[float | None] | None = None, first: int = 0
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """BUILD_LAYERS, BUILD_GEOMETRIES and BUILD_COORDINATES; z rises by 0.03 mm unless given."""
    heights = [0.03 * (first + i + 1) for i in range(len(layers))] if z_mm is None else z_mm
    rows: list[dict[str, Any]] = []
    geometries: list[dict[str, Any]] = []
    points: Points = []
    for number, (blocks, height) in enumerate(zip(layers, heights, strict=True), first):
        rows.append(
            {
                "layer": number,
                "z_mm": height,
                "first_geometry": len(geometries),
                "geometry_count": len(blocks),
                "first_point": len(points),
                "point_count": sum(len(block.points) for block in blocks),
            }
        )
        for index, block in enumerate(blocks):
            geometries.append(
                {
                    "layer": number,
                    "geometry_id": index,
                    "kind": block.kind,
                    "model_id": block.model,
                    "build_style_id": block.style,
                    "laser_id": block.laser,
                    "closed": block.closed,
                    "offset": len(points),
                    "count": len(block.points),
                }
            )
            points.extend(block.points)
    codes = pa.array([GEOMETRY_KINDS.index(row["kind"]) for row in geometries], pa.int8())
    kinds = pa.DictionaryArray.from_arrays(codes, pa.array(GEOMETRY_KINDS))
    xy = np.array(points, np.float64).reshape(-1, 2).astype(np.float32)
    return (
        pa.Table.from_pylist(rows, BUILD_LAYERS),
        pa.table(
            [
                kinds
                if field.name == "kind"
                else pa.array([row[field.name] for row in geometries], field.type)
                for field in BUILD_GEOMETRIES
            ],
            schema=BUILD_GEOMETRIES,
        ),
        pa.table([pa.array(xy[:, 0]), pa.array(xy[:, 1])], schema=BUILD_COORDINATES),
    )


def build_styles(*styles: dict[str, Any]) -> pa.Table:
    """BUILD_STYLES from what is known of each style."""
    empty = {"name": "", "description": "", "parameters": [], "raw_tags": []}
    names = BUILD_STYLES.names
    return pa.Table.from_pylist(
        [{**dict.fromkeys(names), **empty, **style} for style in styles], BUILD_STYLES
    )


def hatched(
    width: float,
    height: float,
    distance: float,
    *,
    angle_deg: float = 0.0,
    at: tuple[float, float] = (0.0, 0.0),
    alternating: bool = True,
) -> Points:
    """Hatch of a rectangle: lines of ``width`` along the angle, ``height / distance`` of them."""
    points: Points = []
    for i in range(round(height / distance)):
        ends = [(0.0, (i + 0.5) * distance), (width, (i + 0.5) * distance)]
        points += ends[::-1] if alternating and i % 2 else ends
    return turned(points, angle_deg, at)


def ring(side: float, *, at: tuple[float, float] = (0.0, 0.0), hole: bool = False) -> Points:
    """Closed square around a place; clockwise if it is a hole."""
    half = side / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    return [(x + at[0], y + at[1]) for x, y in (corners[::-1] if hole else corners)]


def turned(points: Points, angle_deg: float, shift: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Points turned about the origin and then shifted."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return [(c * x - s * y + shift[0], s * x + c * y + shift[1]) for x, y in points]
