"""Scan vectors of a layer as compact binary for pages, and as JSON-ready values.

The binary: ``PBFV``, the length of the header (uint32, little endian), the header as JSON padded
with spaces to a multiple of 8, then the arrays that it names, each from a multiple of 8.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.buildplan.styles import resolve_styles
from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.http.build_files import LayerVectors, style_rows

__all__ = ["MAGIC", "vectors_binary", "vectors_plain"]

MAGIC: Final = b"PBFV"
_ALIGNMENT: Final = 8


def vectors_binary(build_id: str, vectors: LayerVectors) -> bytes:
    """The layer as binary."""
    arrays = _arrays(vectors)
    places: dict[str, dict[str, Any]] = {}
    offset = 0
    for name, values in arrays.items():
        places[name] = {"type": values.dtype.name, "offset": offset, "length": int(values.size)}
        offset += values.nbytes + -values.nbytes % _ALIGNMENT
    header = {**_header(build_id, vectors, arrays), "arrays": places}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    parts = [MAGIC, struct.pack("<I", len(text)), text]
    for values in arrays.values():
        parts += [values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()]
        parts.append(b"\0" * (-values.nbytes % _ALIGNMENT))
    return b"".join(parts)


def vectors_plain(build_id: str, vectors: LayerVectors) -> dict[str, Any]:
    """The layer as JSON-ready values; unknown ids are None, unknown numbers NaN."""
    arrays = _arrays(vectors)
    columns: dict[str, Any] = dict(arrays)
    for name in ("model_id", "build_style_id", "laser_id"):
        columns[name] = [None if value == -1 else value for value in arrays[name].tolist()]
    return {**_header(build_id, vectors, arrays), "columns": columns}


def _header(
    build_id: str, vectors: LayerVectors, arrays: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    x_mm, y_mm = arrays["x_mm"], arrays["y_mm"]
    bounds = None
    if x_mm.size and np.isfinite(x_mm).all() and np.isfinite(y_mm).all():
        bounds = [float(x_mm.min()), float(y_mm.min()), float(x_mm.max()), float(y_mm.max())]
    return {
        "build_id": build_id,
        "layer": vectors.layer,
        "z_mm": vectors.z_mm,
        "bounds_mm": bounds,
        "kinds": list(GEOMETRY_KINDS),
        "geometries": int(arrays["kind"].size),
        "points": int(x_mm.size),
        "styles": style_rows(vectors.styles),
        "damage": [damage.problem for damage in vectors.batch.damage],
    }


def _arrays(vectors: LayerVectors) -> dict[str, npt.NDArray[Any]]:
    geometries = vectors.batch.geometries.combine_chunks()
    coordinates = vectors.batch.coordinates
    ids = {name: _ids(geometries[name]) for name in ("model_id", "build_style_id", "laser_id")}
    power_w, speed_mm_s = _exposures(ids, vectors.styles)
    kinds = pa.array(GEOMETRY_KINDS, pa.string())
    kind = pc.index_in(geometries["kind"].cast(pa.string()), value_set=kinds)
    return {
        "x_mm": coordinates["x_mm"].to_numpy().astype(np.float32),
        "y_mm": coordinates["y_mm"].to_numpy().astype(np.float32),
        "kind": kind.to_numpy().astype(np.int8),
        "closed": geometries["closed"].fill_null(False).to_numpy().astype(np.int8),
        "first": geometries["offset"].to_numpy().astype(np.uint32),
        "count": geometries["count"].to_numpy().astype(np.uint32),
        **ids,
        "laser_power_w": power_w,
        "speed_mm_s": speed_mm_s,
    }


def _ids(column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    ids: npt.NDArray[np.int32] = column.fill_null(-1).to_numpy().astype(np.int32)
    return ids


def _exposures(
    ids: dict[str, npt.NDArray[np.int32]], styles: pa.Table
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Power and speed of each geometry by its style, NaN where they are not known."""
    named = np.stack([ids["model_id"], ids["build_style_id"], ids["laser_id"]], axis=1)
    unique, inverse = np.unique(named, axis=0, return_inverse=True)
    wanted = [
        (_known(model), _known(style), _known(laser)) for model, style, laser in unique.tolist()
    ]
    found = resolve_styles(styles, wanted)
    rows = inverse.reshape(-1)
    return (
        found.laser_power_w.astype(np.float32)[rows],
        found.speed_mm_s.astype(np.float32)[rows],
    )


def _known(number: int) -> int | None:
    return None if number == -1 else number
