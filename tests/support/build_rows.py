"""Geometries of a build file as plain rows: what readers, oracles and tests compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbf_ray.formats import BuildBatch, BuildFile, BuildTables

__all__ = ["Row", "as_row", "as_rows", "polyline_closed", "rows_of"]


@dataclass(frozen=True)
class Row:
    """One geometry; ``points`` is float32 (points, 2) in mm, compared to the bit."""

    layer: int
    kind: str
    model_id: int | None
    build_style_id: int | None
    laser_id: int | None
    closed: bool | None
    points: bytes
    count: int


def as_row(
    layer: int,
    kind: str,
    points: Any,
    *,
    model_id: int | None = None,
    build_style_id: int | None = None,
    laser_id: int | None = None,
) -> Row:
    """A row from points of any shape that makes (points, 2)."""
    array: npt.NDArray[np.float32] = np.asarray(points, np.float32).reshape(-1, 2)
    closed = polyline_closed(array) if kind == "contour" else None
    return Row(layer, kind, model_id, build_style_id, laser_id, closed, array.tobytes(), len(array))


def polyline_closed(points: npt.NDArray[np.float32]) -> bool:
    """Whether a polyline ends where it begins."""
    return len(points) >= 3 and bool((points[0] == points[-1]).all())


def as_rows(tables: BuildTables | BuildBatch) -> list[Row]:
    """The geometries of tables, in their order; ids within layers have to count from 0."""
    coordinates = np.column_stack(
        [tables.coordinates["x_mm"].to_numpy(), tables.coordinates["y_mm"].to_numpy()]
    ).astype(np.float32)
    out = []
    seen: dict[int, int] = {}
    for row in tables.geometries.to_pylist():
        assert row["geometry_id"] == seen.setdefault(row["layer"], 0)
        seen[row["layer"]] += 1
        points = coordinates[row["offset"] : row["offset"] + row["count"]]
        out.append(
            Row(
                row["layer"],
                row["kind"],
                row["model_id"],
                row["build_style_id"],
                row["laser_id"],
                row["closed"],
                points.tobytes(),
                row["count"],
            )
        )
    return out


def rows_of(build: BuildFile) -> list[Row]:
    """All geometries of an opened file."""
    return as_rows(build.to_arrow())
