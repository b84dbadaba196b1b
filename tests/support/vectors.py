"""Geometries for tests of kernels: from Hypothesis, from lists, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pbf_ray.kernels.scan_path_reference import Geometry
from pbf_ray.kernels.vectors import VectorColumns

__all__ = ["COORDINATES", "GEOMETRIES", "columns_of", "points_of"]

COORDINATES = st.integers(-8, 8).map(float) | st.floats(-300.0, 300.0, width=32)


@st.composite
def _geometries(draw: st.DrawFn) -> Geometry:
    kind = draw(st.integers(0, 3))
    points = draw(st.lists(st.tuples(COORDINATES, COORDINATES), max_size=8))
    if kind == 0:
        points = points[: len(points) // 2 * 2]
    closed = kind == 1 and len(points) > 2 and draw(st.booleans())
    if closed:
        points.append(points[0])
    return Geometry(kind, closed, points)


GEOMETRIES = _geometries()


def columns_of(geometries: Sequence[Geometry]) -> VectorColumns:
    """Columns of geometries, their points one after the other."""
    count = np.array([len(g.points) for g in geometries], np.int64)
    points = np.array([p for g in geometries for p in g.points], np.float32).reshape(-1, 2)
    return VectorColumns(
        kind=np.array([g.kind for g in geometries], np.int8),
        closed=np.array([g.closed for g in geometries], np.bool_),
        offset=np.cumsum(count) - count,
        count=count,
        x_mm=points[:, 0],
        y_mm=points[:, 1],
    )


def points_of(columns: dict[str, Any]) -> VectorColumns:
    """Columns from lists by name."""
    return VectorColumns(**{name: np.array(values) for name, values in columns.items()})
