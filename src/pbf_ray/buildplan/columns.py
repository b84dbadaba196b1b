"""Tables of a build as checked arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.kernels.vectors import VectorColumns

__all__ = ["BuildColumns", "Ids", "build_columns", "from_nan", "to_nan"]

Ids: TypeAlias = tuple[int | None, ...]
"""Different ids in ascending order, null first."""


@dataclass(frozen=True, eq=False)
class BuildColumns:
    """l layers of a build, with their g geometries.

    Attributes:
        layer: int64[l], numbers of the layers.
        z_mm: float64[l], NaN where null.
        layer_of: int64[g], index into ``layer`` of each geometry, not decreasing.
        models: Ids of models.
        model_of: int64[g], index into ``models``.
        styles: Ids of build styles.
        style_of: int64[g], index into ``styles``.
        lasers: Ids of lasers.
        laser_of: int64[g], index into ``lasers``.
        vectors: The geometries and their points.
    """

    layer: NDArray[np.int64]
    z_mm: NDArray[np.float64]
    layer_of: NDArray[np.int64]
    models: Ids
    model_of: NDArray[np.int64]
    styles: Ids
    style_of: NDArray[np.int64]
    lasers: Ids
    laser_of: NDArray[np.int64]
    vectors: VectorColumns


def build_columns(layers: pa.Table, geometries: pa.Table, coordinates: pa.Table) -> BuildColumns:
    """Arrays of the tables of a batch.

    Args:
        layers: ``BUILD_LAYERS``; firsts are rows of ``geometries``.
        geometries: ``BUILD_GEOMETRIES``; offsets are rows of ``coordinates``.
        coordinates: ``BUILD_COORDINATES``.

    Raises:
        KeyError: If a table lacks a column.
        ValueError: If the tables do not fit together.
    """
    count = _array(layers, "geometry_count").to_numpy()
    first = _array(layers, "first_geometry").to_numpy()
    if (
        np.any(count < 0)
        or count.sum() != geometries.num_rows
        or not np.array_equal(first, np.cumsum(count) - count)
    ):
        raise ValueError("layers do not divide the geometries among them, in their order")
    layer = _array(layers, "layer").to_numpy().astype(np.int64)
    if np.any(np.diff(layer) <= 0):
        raise ValueError("numbers of layers must rise")
    layer_of = np.repeat(np.arange(layer.size), count)
    if not np.array_equal(_array(geometries, "layer").to_numpy(), layer[layer_of]):
        raise ValueError("a geometry stands among those of another layer")
    models, model_of = _ids(geometries, "model_id")
    styles, style_of = _ids(geometries, "build_style_id")
    lasers, laser_of = _ids(geometries, "laser_id")
    return BuildColumns(
        layer=layer,
        z_mm=to_nan(_array(layers, "z_mm")),
        layer_of=layer_of,
        models=models,
        model_of=model_of,
        styles=styles,
        style_of=style_of,
        lasers=lasers,
        laser_of=laser_of,
        vectors=VectorColumns(
            kind=_kinds(_array(geometries, "kind")),
            closed=_array(geometries, "closed").fill_null(False).to_numpy(zero_copy_only=False),
            offset=_array(geometries, "offset").to_numpy(),
            count=_array(geometries, "count").to_numpy(),
            x_mm=_array(coordinates, "x_mm").to_numpy(),
            y_mm=_array(coordinates, "y_mm").to_numpy(),
        ),
    )


def to_nan(column: pa.Array) -> NDArray[np.float64]:
    """float64[n] of a numeric column, NaN where null."""
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def from_nan(values: NDArray[np.float64]) -> pa.Array:
    """A float64 column, null where NaN or infinite."""
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _array(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    return column.unify_dictionaries().combine_chunks()


def _kinds(column: pa.Array) -> NDArray[Any]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names = column.dictionary.to_pylist()
    unknown = sorted({str(name) for name in names} - set(GEOMETRY_KINDS))
    if unknown or column.null_count:
        raise ValueError(f"kinds are {', '.join(GEOMETRY_KINDS)}, not {', '.join(unknown) or None}")
    indices: NDArray[Any] = column.indices.to_numpy()
    if names == list(GEOMETRY_KINDS):
        return indices  # as the readers give them: no copy
    # A file keeps the kinds that it has, in the order in which it met them.
    codes: NDArray[Any] = np.array([GEOMETRY_KINDS.index(name) for name in names] or [0])
    named: NDArray[Any] = codes[indices]
    return named


def _ids(table: pa.Table, name: str) -> tuple[Ids, NDArray[np.int64]]:
    encoded = _array(table, name).dictionary_encode(null_encoding="encode")
    found = encoded.dictionary.to_pylist()
    ids = sorted(found, key=lambda value: (value is not None, value or 0))
    place = {value: index for index, value in enumerate(ids)}
    rank = np.array([place[value] for value in found] or [0], np.int64)
    return tuple(ids), rank[encoded.indices.to_numpy()]
