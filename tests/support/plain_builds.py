"""Build files for tests: the core's writers and readers with plain values at the other end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.formats import BuildBatch, BuildFile, _core
from pbf_ray.formats.reference.build import ReferenceBuild, ReferenceGeometry, ReferenceLayer

NO_ID = -(1 << 31)
STYLE = {
    "build_style_id": None, "model_id": None, "laser_id": None, "name": "", "description": "",
    "laser_power_w": None, "speed_mm_s": None, "exposure_time_us": None,
    "point_distance_um": None, "point_delay_us": None, "jump_speed_mm_s": None,
    "jump_delay_us": None, "focus_mm": None, "spot_size_um": None, "parameters": [],
    "raw_tags": [],
}  # fmt: skip
HEADER = {
    "format": "", "metadata": [], "models": [], "build_styles": [], "unit_mm": None,
    "dimension_mm": None, "declared_layers": None, "raw_tags": [],
}  # fmt: skip
Geometry = ReferenceGeometry
Layer = ReferenceLayer


def points(*pairs: tuple[float, float]) -> npt.NDArray[np.float32]:
    return np.array(pairs, dtype=np.float32).reshape(-1, 2)


def contour(*pairs: tuple[float, float], **ids: int) -> Geometry:
    return Geometry("contour", points(*pairs), len(pairs) > 2 and pairs[0] == pairs[-1], **ids)


def hatch(*pairs: tuple[float, float], **ids: int) -> Geometry:
    return Geometry("hatch", points(*pairs), **ids)


def header(**values: Any) -> dict[str, Any]:
    """A header as the core's, empty but for what is named."""
    styles = [{**STYLE, **style} for style in values.pop("build_styles", [])]
    models = [
        {"name": "", "top_layer": None, "raw_tags": [], **one} for one in values.pop("models", [])
    ]
    return {**HEADER, "models": models, "build_styles": styles, **values}


def written(
    format: str,
    layers: Sequence[Layer],
    head: dict[str, Any] | None = None,
    options: dict[str, str] | None = None,
) -> tuple[bytes, list[str]]:
    """The bytes of a file, and what it could not hold."""
    writer = _core.Writer(format, None, sorted((options or {}).items()))
    writer.begin(head or header())
    for layer in layers:
        found = layer.geometries
        counts = np.array([len(one.points_mm) for one in found], np.int64)
        all_points = np.concatenate([points(), *(one.points_mm for one in found)])
        writer.layer(
            float("nan") if layer.z_mm is None else layer.z_mm,
            np.array([GEOMETRY_KINDS.index(one.kind) for one in found], np.uint8),
            _ids(one.model_id for one in found),
            _ids(one.build_style_id for one in found),
            _ids(one.laser_id for one in found),
            np.array([2 if one.closed is None else int(one.closed) for one in found], np.uint8),
            np.cumsum(counts) - counts,
            counts,
            np.ascontiguousarray(all_points[:, 0]),
            np.ascontiguousarray(all_points[:, 1]),
        )
    data = writer.finish()
    assert data is not None
    return data, writer.lost


def _ids(values: Iterable[int | None]) -> npt.NDArray[np.int32]:
    return np.array([NO_ID if value is None else value for value in values], np.int32)


def plain_layers(layers: Iterable[Layer]) -> list[Any]:
    """Layers as values that can be compared; coordinates as their bits."""
    return [
        (
            layer.z_mm,
            [
                (one.kind, one.closed, one.model_id, one.build_style_id, one.laser_id,
                 one.points_mm.astype("<f4").tobytes())
                for one in layer.geometries
            ],
        )
        for layer in layers
    ]  # fmt: skip


def read_layers(source: BuildFile | BuildBatch) -> list[Layer]:
    """Layers of a file (or of a batch of it) as plain values."""
    tables = source.to_arrow() if isinstance(source, BuildFile) else source
    x_mm, y_mm = (tables.coordinates[name].to_numpy() for name in ("x_mm", "y_mm"))
    rows = tables.geometries.to_pylist()
    layers = []
    for layer in tables.layers.to_pylist():
        first = layer["first_geometry"]
        found = []
        for number, row in enumerate(rows[first : first + layer["geometry_count"]]):
            assert row["geometry_id"] == number
            assert row["layer"] == layer["layer"]
            span = slice(row["offset"], row["offset"] + row["count"])
            found.append(
                Geometry(
                    row["kind"],
                    np.stack([x_mm[span], y_mm[span]], axis=1),
                    row["closed"],
                    row["model_id"],
                    row["build_style_id"],
                    row["laser_id"],
                )
            )
        assert sum(len(one.points_mm) for one in found) == layer["point_count"]
        layers.append(Layer(layer["z_mm"], found))
    return layers


def assert_equal_to_reference(build: BuildFile, reference: ReferenceBuild) -> None:
    """The core and a reference reader give the same, to the bit."""
    assert build.format == reference.format
    assert plain_layers(read_layers(build)) == plain_layers(reference.layers)
    assert _columns(build.models, reference.models) == reference.models
    assert _columns(build.build_styles, reference.build_styles) == reference.build_styles
    assert [
        pair for pair in build.header["metadata"] if pair[0] not in {"checksum", "block_offset"}
    ] == reference.metadata


def _columns(table: pa.Table, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = list(like[0]) if like else []
    return [{name: row[name] for name in names} for row in table.to_pylist()][: table.num_rows]
