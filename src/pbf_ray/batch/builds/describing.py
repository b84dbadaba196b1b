"""What a build file holds, in plain values: what its header and index say, or all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.batch.builds.inputs import InputFile
from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.formats import BuildFile, Damage

__all__ = ["describe_build"]


def describe_build(file: InputFile, build: BuildFile, *, full: bool = False) -> dict[str, Any]:
    """The facts of a build file, ready for JSON.

    Args:
        file: Where it is.
        build: The opened file.
        full: Read all layers, for counts and the bounding box.

    Raises:
        BuildFileError: A layer is damaged, and damage is not skipped.
    """
    header = build.header
    z_mm = build.z_mm[~np.isnan(build.z_mm)]
    steps_um = np.diff(z_mm) * 1000
    facts: dict[str, Any] = {
        "file": file.url,
        "format": build.format,
        "bytes": file.size,
        "layers": len(build),
        "declared_layers": header.get("declared_layers"),
        "z_mm": [float(z_mm.min()), float(z_mm.max())] if len(z_mm) else None,
        "layers_without_z": len(build) - len(z_mm),
        "layer_thickness_um": (
            [float(steps_um.min()), float(np.median(steps_um)), float(steps_um.max())]
            if len(steps_um)
            else None
        ),
        "unit_mm": header.get("unit_mm"),
        "dimension_mm": list(header["dimension_mm"]) if header.get("dimension_mm") else None,
        "models": [_without_raw(row) for row in build.models.to_pylist()],
        "build_styles": [_without_raw(row) for row in build.build_styles.to_pylist()],
        "metadata": [list(pair) for pair in header["metadata"]],
        "warnings": [_plain(warning) for warning in build.warnings],
        "damage": [_plain(damage) for damage in build.damage],
    }
    if full:
        facts |= _content(build, facts["damage"])
    return facts


def _content(build: BuildFile, damage: list[dict[str, Any]]) -> dict[str, Any]:
    geometries = np.zeros(len(GEOMETRY_KINDS), np.int64)
    points = np.zeros(len(GEOMETRY_KINDS), np.int64)
    empty_layers = 0
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for batch in build.scan():
        # What opening has met already is not said twice.
        damage += [plain for found in batch.damage if (plain := _plain(found)) not in damage]
        kinds = pc.index_in(batch.geometries["kind"].cast(pa.string()), pa.array(GEOMETRY_KINDS))
        codes = kinds.to_numpy()
        geometries += np.bincount(codes, minlength=len(geometries))
        counts = np.bincount(codes, batch.geometries["count"].to_numpy(), len(points))
        points += counts.astype(np.int64)
        empty_layers += int((batch.layers["geometry_count"].to_numpy() == 0).sum())
        for axis, name in enumerate(("x_mm", "y_mm")):
            values = batch.coordinates[name].to_numpy()
            if len(values):
                low[axis] = min(low[axis], values.min())
                high[axis] = max(high[axis], values.max())
    return {
        "geometries": dict(zip(GEOMETRY_KINDS, geometries.tolist(), strict=True)),
        "points": dict(zip(GEOMETRY_KINDS, points.tolist(), strict=True)),
        "hatch_vectors": int(points[0]) // 2,
        "empty_layers": empty_layers,
        "bounding_box_mm": [*low.tolist(), *high.tolist()] if np.isfinite(low).all() else None,
    }


def _without_raw(row: dict[str, Any]) -> dict[str, Any]:
    raw = row.pop("raw_tags")
    row["raw_tags"] = [f"{tag['path']}: {len(tag['bytes'])} bytes" for tag in raw]
    if "parameters" in row:
        row["parameters"] = dict(row["parameters"])
    return row


def _plain(damage: Damage) -> dict[str, Any]:
    return dict(vars(damage))
