"""libSLM's names for the common reads, for scripts that were written with it or with PySLM.

    from pbf_ray.formats import libslm as mtt

    reader = mtt.Reader()
    reader.setFilePath("build.mtt")
    reader.parse()
    for layer in reader.layers:
        for geometry in layer.getHatchGeometry():
            print(layer.z, geometry.mid, geometry.bid, len(geometry.coords))

Any format that ``open_build`` reads will do. There is an object per geometry here, and so it is
slow: new programs use ``open_build``. What a file does not say is None, where libSLM has a default.
"""

# ruff: noqa: N802, N803, N815 - the names are libSLM's

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.opening import open_build

__all__ = [
    "BuildStyle",
    "ContourGeometry",
    "HatchGeometry",
    "Header",
    "Layer",
    "LayerGeometry",
    "LayerGeometryType",
    "Model",
    "PointsGeometry",
    "Reader",
    "ScanMode",
]


class LayerGeometryType(IntEnum):
    """Kinds of geometry."""

    Invalid = 0
    Pnts = 1
    Polygon = 2
    Hatch = 3


class ScanMode(IntEnum):
    """Orders of the geometries of a layer."""

    Default = 0
    ContourFirst = 1
    HatchFirst = 2


@dataclass
class Header:
    """``zUnit``: units of ``Layer.z`` in a millimetre."""

    filename: str = ""
    version: tuple[int, int] = (0, 0)
    zUnit: int = 1000


@dataclass
class BuildStyle:
    """Laser parameters: W, mm/s, mm (focus), um (distance) and us (times)."""

    bid: int | None = None
    name: str = ""
    description: str = ""
    laserPower: float | None = None
    laserSpeed: float | None = None
    laserFocus: float | None = None
    pointDistance: float | None = None
    pointExposureTime: float | None = None
    pointDelay: float | None = None
    jumpSpeed: float | None = None
    jumpDelay: float | None = None
    laserId: int | None = None
    laserMode: int | None = None


@dataclass
class Model:
    """A part, and the build styles it is exposed with."""

    mid: int | None = None
    name: str = ""
    topLayerId: int | None = None
    buildStyles: list[BuildStyle] = field(default_factory=list)
    buildStyleName: str = ""
    buildStyleDescription: str = ""

    def __len__(self) -> int:
        return len(self.buildStyles)


@dataclass
class LayerGeometry:
    """One block of exposure; ``coords``: shape (points, 2), float32, mm."""

    mid: int | None
    bid: int | None
    coords: npt.NDArray[np.float32]
    type: ClassVar[LayerGeometryType] = LayerGeometryType.Invalid


class HatchGeometry(LayerGeometry):
    """Vectors: two rows of ``coords`` each."""

    type = LayerGeometryType.Hatch


class ContourGeometry(LayerGeometry):
    """A polyline."""

    type = LayerGeometryType.Polygon


class PointsGeometry(LayerGeometry):
    """Single exposures."""

    type = LayerGeometryType.Pnts


_CLASSES: dict[str, type[LayerGeometry]] = {
    "hatch": HatchGeometry,
    "contour": ContourGeometry,
    "points": PointsGeometry,
}


class Layer:
    """A layer, read when its geometry is first asked for.

    Args:
        build: The file; a layer without one has the geometry that is appended to it.
        layer_id: Its number, from 0.
        z: Its height in ``Header.zUnit``; None where the file does not say.
    """

    def __init__(self, build: BuildFile | None = None, layer_id: int = 0, z: int | None = 0):
        self.layerId = layer_id
        self.z = z
        self._build = build
        self._geometry: list[LayerGeometry] | None = None if build is not None else []

    @property
    def geometry(self) -> list[LayerGeometry]:
        """All of it, in the order of the file; jumps, which libSLM does not have, are left out.

        Raises:
            BuildFileError: The layer is damaged.
        """
        if self._geometry is None and self._build is not None:
            batch = self._build.read_layer(self.layerId)
            x_mm, y_mm = (batch.coordinates[name].to_numpy() for name in ("x_mm", "y_mm"))
            points = np.stack([x_mm, y_mm], axis=1)
            self._geometry = [
                _CLASSES[row["kind"]](
                    row["model_id"],
                    row["build_style_id"],
                    points[row["offset"] : row["offset"] + row["count"]],
                )
                for row in batch.geometries.to_pylist()
                if row["kind"] in _CLASSES
            ]
        return self._geometry or []

    def __len__(self) -> int:
        return len(self.geometry)

    def isLoaded(self) -> bool:
        """Whether its geometry has been read."""
        return self._geometry is not None

    def getGeometry(self, scanMode: ScanMode = ScanMode.Default) -> list[LayerGeometry]:
        """All of it: as in the file, contours first, or hatches first."""
        first = {
            ScanMode.ContourFirst: LayerGeometryType.Polygon,
            ScanMode.HatchFirst: LayerGeometryType.Hatch,
        }.get(scanMode)
        if first is None:
            return list(self.geometry)
        return sorted(self.geometry, key=lambda one: one.type != first)

    def getHatchGeometry(self) -> list[HatchGeometry]:
        """The hatches."""
        return [one for one in self.geometry if isinstance(one, HatchGeometry)]

    def getContourGeometry(self) -> list[ContourGeometry]:
        """The contours."""
        return [one for one in self.geometry if isinstance(one, ContourGeometry)]

    def getPointsGeometry(self) -> list[PointsGeometry]:
        """The single exposures."""
        return [one for one in self.geometry if isinstance(one, PointsGeometry)]

    def appendGeometry(self, geometry: LayerGeometry) -> int:
        """Adds a geometry; gives how many there are now."""
        self._geometry = [*self.geometry, geometry]
        return len(self._geometry)


class Reader:
    """A build file; ``parse`` opens it, layers are read when they are used.

    Args:
        file: Its path.
    """

    def __init__(self, file: str | PathLike[str] = "") -> None:
        self._path = fspath(file)
        self._build: BuildFile | None = None
        self.header = Header()
        self.models: list[Model] = []
        self.layers: list[Layer] = []

    def setFilePath(self, path: str | PathLike[str]) -> None:
        """Which file to parse."""
        self._path = fspath(path)

    def getFilePath(self) -> str:
        """Which file it is."""
        return self._path

    def getFileSize(self) -> int:
        """Its size in bytes."""
        return Path(self._path).stat().st_size

    def isReady(self) -> bool:
        """Whether it was parsed."""
        return self._build is not None

    def parse(self) -> int:
        """Opens the file; 0, as everything that is wrong is an error.

        Raises:
            BuildFileError: It cannot be read.
        """
        build = open_build(self._path)
        metadata = build.metadata
        z_unit = int(metadata.get("z_units_per_mm", 1000))
        major, _, minor = metadata.get("version", "").partition(".")
        version = (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
        self.header = Header(Path(self._path).name, version, z_unit)
        self.models = _models(build)
        self.layers = [
            Layer(build, number, None if np.isnan(z_mm) else round(z_mm * z_unit))
            for number, z_mm in enumerate(build.z_mm.tolist())
        ]
        self._build = build
        return 0

    def getZUnit(self) -> int:
        """Units of ``Layer.z`` in a millimetre."""
        return self.header.zUnit

    def getLayerThickness(self) -> float | None:
        """The most frequent distance of neighbouring layers, in mm; None with fewer than two."""
        if self._build is None:
            return None
        steps = np.diff(self._build.z_mm)
        counts = Counter(np.round(steps[np.isfinite(steps)], 6).tolist())
        return counts.most_common(1)[0][0] if counts else None

    def getModels(self) -> list[Model]:
        """As ``models``."""
        return self.models

    def getLayers(self) -> list[Layer]:
        """As ``layers``."""
        return self.layers

    def getModelById(self, mid: int) -> Model | None:
        """The model of an id; None if there is none."""
        return next((model for model in self.models if model.mid == mid), None)

    def getLayerById(self, layerId: int) -> Layer | None:
        """The layer of a number; None if there is none."""
        return self.layers[layerId] if 0 <= layerId < len(self.layers) else None

    def getTopLayerById(self, layers: list[Layer]) -> Layer | None:
        """The layer with the largest number; None of none."""
        return max(layers, key=lambda layer: layer.layerId, default=None)

    def getTopLayerByPosition(self, layers: list[Layer]) -> Layer | None:
        """The highest layer of those whose height is known; None if there is none."""
        known = [layer for layer in layers if layer.z is not None]
        return max(known, key=lambda layer: layer.z or 0, default=None)


def _models(build: BuildFile) -> list[Model]:
    styles = build.build_styles.to_pylist()
    metadata = build.metadata
    models = []
    for row in build.models.to_pylist():
        mid = row["model_id"]
        # Styles of no model are those of a format without models: every model has them.
        own = [_style(one) for one in styles if one["model_id"] in {mid, None}]
        family = f"model_{mid}_build_style_family"
        models.append(
            Model(
                mid,
                row["name"],
                row["top_layer"],
                own,
                metadata.get(family, ""),
                metadata.get(f"{family}_description", ""),
            )
        )
    return models


def _style(row: dict[str, Any]) -> BuildStyle:
    return BuildStyle(
        row["build_style_id"],
        row["name"],
        row["description"],
        row["laser_power_w"],
        row["speed_mm_s"],
        row["focus_mm"],
        row["point_distance_um"],
        row["exposure_time_us"],
        row["point_delay_us"],
        row["jump_speed_mm_s"],
        row["jump_delay_us"],
        row["laser_id"],
    )
