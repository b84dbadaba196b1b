"""Batches of a build file as rows that stand for themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import BUILD_VECTORS
from pbf_ray.formats import BuildBatch

__all__ = ["vectors_of"]


def vectors_of(batch: BuildBatch) -> pa.Table:
    """A row per geometry with its coordinates.

    The coordinates are not copied where they lie in the order of the geometries, as in every
    batch of the C++ core.

    Args:
        batch: Consecutive layers of a file.

    Returns:
        ``contracts.BUILD_VECTORS``.
    """
    geometries = batch.geometries.combine_chunks()
    count = geometries["count"].to_numpy()
    offset = geometries["offset"].to_numpy()
    ends = np.cumsum(count)
    starts = ends - count
    rows: npt.NDArray[np.int64] | None = None
    if not np.array_equal(offset, starts) or (len(ends) and ends[-1] != len(batch.coordinates)):
        rows = np.repeat(offset - starts, count) + np.arange(ends[-1] if len(ends) else 0)
    bounds = pa.array(np.concatenate(([0], ends)).astype(np.int32))
    if len(geometries):
        z_mm = batch.layers["z_mm"].combine_chunks()
        first = batch.layers["layer"][0].as_py()
        heights = z_mm.take(pa.array(geometries["layer"].to_numpy() - first))
    else:
        heights = pa.array([], pa.float64())
    columns: dict[str, Any] = {
        **{
            name: geometries[name]
            for name in BUILD_VECTORS.names
            if name in geometries.schema.names
        },
        "z_mm": heights,
        "x_mm": _lists(bounds, batch.coordinates["x_mm"], rows, "x_mm"),
        "y_mm": _lists(bounds, batch.coordinates["y_mm"], rows, "y_mm"),
    }
    return pa.table([columns[name] for name in BUILD_VECTORS.names], schema=BUILD_VECTORS)


def _lists(
    bounds: pa.Array, values: pa.ChunkedArray, rows: npt.NDArray[np.int64] | None, name: str
) -> pa.Array:
    flat = values.combine_chunks()
    if rows is not None:
        flat = flat.take(pa.array(rows))
    return pa.ListArray.from_arrays(bounds, flat, type=BUILD_VECTORS.field(name).type)
