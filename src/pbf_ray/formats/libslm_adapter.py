"""Reads through an installed libSLM what nothing here reads, such as ``.rea``.

libSLM's translators are not public: its author gives them on request. This module was tested
against a stand-in of the calls that its bindings and documentation show; it never met the real one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import BUILD_COORDINATES, BUILD_GEOMETRIES, BUILD_LAYERS, GEOMETRY_KINDS
from pbf_ray.errors import BuildFileError
from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.layer_source import BuildBatch, Damage

__all__ = ["LibSlmSource", "open_with_libslm"]

# By the names of libSLM's enumeration; and, where that is not to be had, of its classes.
_KINDS: Final = {
    "Hatch": "hatch",
    "Polygon": "contour",
    "Pnts": "points",
    "HatchGeometry": "hatch",
    "ContourGeometry": "contour",
    "PointsGeometry": "points",
}
_STYLE_NUMBERS: Final = {
    "laserPower": "laser_power_w",
    "laserSpeed": "speed_mm_s",
    "laserFocus": "focus_mm",
    "pointDistance": "point_distance_um",
    "pointExposureTime": "exposure_time_us",
    "pointDelay": "point_delay_us",
    "jumpSpeed": "jump_speed_mm_s",
    "jumpDelay": "jump_delay_us",
}


def open_with_libslm(
    file: str | os.PathLike[str],
    translator: str,
    *,
    z_units_per_mm: float | None = None,
    skip_damaged: bool = False,
) -> BuildFile:
    """Open a build file with a translator of libSLM; all of it is in memory then.

    Args:
        file: Its path.
        translator: Name of the translator's module within libSLM: ``"realizer"``, ``"mtt"``, ...
        z_units_per_mm: Units of libSLM's heights in a mm, where its reader does not tell; heights
            are null where neither does.
        skip_damaged: Leave out layers that make no sense, and name them in ``damage``.

    Raises:
        BuildFileError: libSLM or the translator is not installed, or it cannot read the file.
    """
    path = os.fspath(file)
    try:
        module = importlib.import_module(f"libSLM.{translator}")
    except ImportError as error:
        raise BuildFileError(
            path,
            f"libSLM with its translator {translator!r} is not installed",
            code="unsupported",
            advice="libSLM's author gives translators on request; or export CLI instead",
        ) from error
    reader = module.Reader()
    reader.setFilePath(path)
    try:
        reader.parse()
    except Exception as error:
        raise BuildFileError(path, f"libSLM cannot read it: {error}", code="unsupported") from error
    source = LibSlmSource(path, reader, translator, z_units_per_mm=z_units_per_mm)
    return BuildFile(path, source, on_damage="skip" if skip_damaged else "raise")


class LibSlmSource:
    """What a reader of libSLM has parsed, as a ``LayerSource``.

    Args:
        file: Name of the file, for errors.
        reader: A reader of libSLM that has parsed it.
        format: What the format is called.
        z_units_per_mm: As of ``open_with_libslm``.
    """

    def __init__(
        self, file: str, reader: Any, format: str, *, z_units_per_mm: float | None = None
    ) -> None:
        self._file = file
        self._layers = list(_list_of(reader, "layers", "getLayers"))
        if z_units_per_mm is None and hasattr(reader, "getZUnit"):
            z_units_per_mm = float(reader.getZUnit())
        models = list(_list_of(reader, "models", "getModels"))
        self.header: dict[str, Any] = {
            "format": format,
            "metadata": [("read_through", "libSLM")],
            "models": [_model(one) for one in models],
            "build_styles": [_style(one, style) for one in models for style in one.buildStyles],
            "unit_mm": 1.0,
            "dimension_mm": None,
            "declared_layers": None,
            "raw_tags": [],
        }
        self.damage: tuple[Damage, ...] = ()
        self.warnings: tuple[Damage, ...] = ()
        heights = [float(layer.z) / (z_units_per_mm or np.nan) for layer in self._layers]
        self.z_mm = np.array(heights, np.float64)
        # It does not say where in the file they are.
        self.byte_offset = np.zeros(len(heights), np.uint64)
        self.byte_size = np.zeros(len(heights), np.uint64)

    def read(self, start: int, stop: int, *, skip_damaged: bool) -> BuildBatch:
        """Layers ``[start, stop)``; see ``LayerSource.read``."""
        rows: list[dict[str, Any]] = []
        layers: list[dict[str, Any]] = []
        blocks: list[npt.NDArray[np.float32]] = [np.empty((0, 2), np.float32)]
        damage: list[Damage] = []
        points = 0
        for number in range(start, stop):
            first = {"first_geometry": len(rows), "first_point": points}
            try:
                found = self._layer(number)
            except BuildFileError as error:
                if not skip_damaged:
                    raise
                damage.append(Damage(error.code, 0, number, error.problem))
                found = []
            for place, (row, coordinates) in enumerate(found):
                rows.append({**row, "layer": number, "geometry_id": place, "offset": points})
                blocks.append(coordinates)
                points += len(coordinates)
            z_mm = float(self.z_mm[number])
            layers.append(
                {
                    **first,
                    "layer": number,
                    "z_mm": None if np.isnan(z_mm) else z_mm,
                    "geometry_count": len(rows) - first["first_geometry"],
                    "point_count": points - first["first_point"],
                }
            )
        whole = np.concatenate(blocks)
        return BuildBatch(
            layers=pa.Table.from_pylist(layers, BUILD_LAYERS),
            geometries=_geometries(rows),
            coordinates=pa.table(
                [pa.array(np.ascontiguousarray(whole[:, axis])) for axis in (0, 1)],
                schema=BUILD_COORDINATES,
            ),
            damage=tuple(damage),
        )

    def _layer(self, number: int) -> list[tuple[dict[str, Any], npt.NDArray[np.float32]]]:
        found = []
        for geometry in self._layers[number].getGeometry():
            name = getattr(geometry.type, "name", type(geometry).__name__)
            kind = _KINDS.get(name)
            if kind is None:
                raise self._error("bad_command", number, f"libSLM has a geometry of type {name}")
            coordinates = np.asarray(geometry.coords, np.float32)
            if coordinates.size == 0:
                coordinates = coordinates.reshape(0, 2)
            if coordinates.ndim != 2 or coordinates.shape[1] != 2:
                shape = coordinates.shape
                raise self._error("bad_count", number, f"libSLM has coordinates of shape {shape}")
            if kind == "hatch" and len(coordinates) % 2:
                raise self._error("bad_count", number, "libSLM has half a hatch vector")
            if not np.isfinite(coordinates).all():
                raise self._error("bad_number", number, "a coordinate is not a finite number")
            closed = None
            if kind == "contour":
                closed = len(coordinates) >= _POLYGON and bool(
                    (coordinates[0] == coordinates[-1]).all()
                )
            row = {
                "kind": kind,
                "model_id": int(geometry.mid),
                "build_style_id": int(geometry.bid),
                "laser_id": None,
                "closed": closed,
                "count": len(coordinates),
            }
            found.append((row, coordinates))
        return found

    def _error(self, code: str, layer: int, problem: str) -> BuildFileError:
        return BuildFileError(self._file, problem, code=code, layer=layer)


_POLYGON: Final = 3
"""Points that a closed contour has at least."""


def _list_of(reader: Any, attribute: str, method: str) -> Sequence[Any]:
    found = getattr(reader, attribute, None)
    return getattr(reader, method)() if found is None else found  # type: ignore[no-any-return]


def _geometries(rows: list[dict[str, Any]]) -> pa.Table:
    codes = pa.array([GEOMETRY_KINDS.index(row["kind"]) for row in rows], pa.int8())
    kinds = pa.DictionaryArray.from_arrays(codes, pa.array(GEOMETRY_KINDS, pa.string()))
    return pa.table(
        [
            kinds
            if field.name == "kind"
            else pa.array([row[field.name] for row in rows], field.type)
            for field in BUILD_GEOMETRIES
        ],
        schema=BUILD_GEOMETRIES,
    )


def _model(model: Any) -> dict[str, Any]:
    return {
        "model_id": int(model.mid),
        "name": str(model.name),
        "top_layer": int(model.topLayerId),
        "raw_tags": [],
    }


def _style(model: Any, style: Any) -> dict[str, Any]:
    # libSLM has no word for "not said": its numbers are 0 then.
    numbers = {
        ours: float(value) if (value := getattr(style, theirs, 0)) else None
        for theirs, ours in _STYLE_NUMBERS.items()
    }
    return {
        "build_style_id": int(style.bid),
        "model_id": int(model.mid),
        "laser_id": int(style.laserId),
        "name": str(style.name),
        "description": str(style.description),
        "spot_size_um": None,
        "parameters": [],
        "raw_tags": [],
        **numbers,
    }
