"""libSLM's names, and libSLM itself as a source, against a stand-in of its calls."""

# ruff: noqa: N802 - the names are libSLM's

from __future__ import annotations

import enum
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import libslm, open_build
from pbf_ray.formats.libslm_adapter import open_with_libslm
from support.plain_builds import (
    Geometry,
    Layer,
    contour,
    hatch,
    header,
    plain_layers,
    points,
    read_layers,
    written,
)

IDS = {"model_id": 1, "build_style_id": 2}
LAYERS = [
    Layer(0.03, [hatch((0, 0), (1, 1), **IDS), contour((0, 0), (1, 0), (0, 0), **IDS)]),
    Layer(0.06, [Geometry("points", points((5, 6)), **IDS)]),
    Layer(0.09, []),
]
HEAD = header(
    models=[{"model_id": 1, "name": "part", "top_layer": 2}],
    metadata=[("model_1_build_style_family", "family")],
    build_styles=[
        {"model_id": 1, "build_style_id": 2, "laser_power_w": 200.0, "exposure_time_us": 40.0}
    ],
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "build.mtt"
    place.write_bytes(written("mtt", LAYERS, HEAD)[0])
    return place


def test_a_script_of_libslm_reads_a_file(file: Path) -> None:
    reader = libslm.Reader()
    reader.setFilePath(str(file))
    assert not reader.isReady()
    assert reader.parse() == 0
    assert reader.isReady()
    assert (reader.getFilePath(), reader.getFileSize()) == (str(file), file.stat().st_size)
    assert reader.header == libslm.Header("build.mtt", (1, 2), 1000)
    assert reader.getZUnit() == 1000
    assert reader.getLayerThickness() == 0.03
    (model,) = reader.models
    assert reader.getModelById(1) is model
    assert reader.getModelById(2) is None
    assert (model.name, model.topLayerId, model.buildStyleName, len(model)) == (
        "part",
        2,
        "family",
        1,
    )
    style = model.buildStyles[0]
    assert (style.bid, style.laserPower, style.pointExposureTime) == (2, 200.0, 40.0)
    assert style.laserSpeed is None
    assert style.laserId is None
    assert [(layer.layerId, layer.z) for layer in reader.layers] == [(0, 30), (1, 60), (2, 90)]
    layer = reader.getLayerById(0)
    assert layer is not None
    assert not layer.isLoaded()
    (vectors,) = layer.getHatchGeometry()
    assert layer.isLoaded()
    assert (vectors.mid, vectors.bid, vectors.type) == (1, 2, libslm.LayerGeometryType.Hatch)
    assert vectors.coords.tolist() == [[0, 0], [1, 1]]
    assert vectors.coords.dtype == np.float32
    assert layer.getContourGeometry()[0].coords.shape == (3, 2)
    assert reader.layers[1].getPointsGeometry()[0].coords.tolist() == [[5, 6]]
    kinds = [one.type.name for one in layer.getGeometry(libslm.ScanMode.ContourFirst)]
    assert kinds == ["Polygon", "Hatch"]
    assert [one.type.name for one in layer.getGeometry()] == ["Hatch", "Polygon"]
    assert reader.getTopLayerByPosition(reader.layers) is reader.layers[2]
    assert reader.getTopLayerById(reader.layers[:2]) is reader.layers[1]
    assert reader.getLayerById(3) is None


class _Type(enum.Enum):
    Pnts = 1
    Polygon = 2
    Hatch = 3
    Invalid = 0


def _geometry(type_: _Type, coords: list[list[float]]) -> types.SimpleNamespace:
    return types.SimpleNamespace(mid=1, bid=2, coords=np.array(coords, np.float32), type=type_)


class _StandIn:
    """A translator as libSLM's bindings make them: names and types from its public sources."""

    geometry: ClassVar[list[list[types.SimpleNamespace]]] = [
        [
            _geometry(_Type.Hatch, [[0, 0], [1, 1]]),
            _geometry(_Type.Polygon, [[0, 0], [1, 0], [0, 0]]),
        ],
        [_geometry(_Type.Pnts, [[5, 6]])],
        [],
    ]

    def setFilePath(self, path: str) -> None:
        self.path = path

    def getZUnit(self) -> int:
        return 1000

    def parse(self) -> int:
        if not Path(self.path).exists():
            raise RuntimeError("file is missing")
        style = types.SimpleNamespace(
            bid=2, laserPower=200.0, laserSpeed=0.0, laserFocus=0.0, pointDistance=0,
            pointExposureTime=40, jumpDelay=0, jumpSpeed=0, laserId=1, laserMode=1, name="",
            description="",
        )  # fmt: skip
        self.models = [types.SimpleNamespace(mid=1, name="part", topLayerId=2, buildStyles=[style])]
        self.layers = [
            types.SimpleNamespace(z=30 * place + 30, layerId=place, getGeometry=lambda it=it: it)
            for place, it in enumerate(self.geometry)
        ]
        return 0


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[_StandIn]:
    package: Any = types.ModuleType("libSLM")
    package.__path__ = []
    module: Any = types.ModuleType("libSLM.realizer")
    module.Reader = type("Reader", (_StandIn,), {})
    monkeypatch.setitem(sys.modules, "libSLM", package)
    monkeypatch.setitem(sys.modules, "libSLM.realizer", module)
    return module.Reader


@pytest.mark.usefixtures("stand_in")
def test_what_libslm_reads_comes_as_from_any_file(file: Path) -> None:
    build = open_with_libslm(file, "realizer")
    own = open_build(file)
    assert build.format == "realizer"
    assert plain_layers(read_layers(build)) == plain_layers(LAYERS)
    assert build.to_arrow().geometries.schema == own.to_arrow().geometries.schema
    assert build.to_arrow().coordinates.schema == own.to_arrow().coordinates.schema
    assert build.to_arrow().layers.equals(own.to_arrow().layers)
    assert build.models.equals(own.models)
    style = build.build_styles.to_pylist()[0]
    assert (style["laser_power_w"], style["speed_mm_s"], style["laser_id"]) == (200.0, None, 1)
    parts = [layer for batch in build.scan(1, threads=2) for layer in read_layers(batch)]
    assert plain_layers(parts) == plain_layers(LAYERS)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (_geometry(_Type.Hatch, [[0, 0]]), "bad_count"),
        (_geometry(_Type.Polygon, [[0, 0, 0]]), "bad_count"),
        (_geometry(_Type.Polygon, [[0, float("nan")]]), "bad_number"),
        (_geometry(_Type.Invalid, []), "bad_command"),
    ],
)
def test_what_makes_no_sense_is_damage_of_a_layer(
    file: Path, stand_in: type[_StandIn], wrong: types.SimpleNamespace, code: str
) -> None:
    stand_in.geometry = [_StandIn.geometry[0], [wrong], []]
    build = open_with_libslm(file, "realizer")
    assert build.read_layer(0).geometries.num_rows == 2
    with pytest.raises(BuildFileError) as raised:
        build.read_layer(1)
    assert (raised.value.code, raised.value.layer) == (code, 1)
    tables = open_with_libslm(file, "realizer", skip_damaged=True).to_arrow()
    assert [(one.code, one.layer) for one in tables.damage] == [(code, 1)]
    assert tables.geometries.num_rows == 2


@pytest.mark.usefixtures("stand_in")
def test_what_libslm_cannot_read_or_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(BuildFileError, match="cannot read it: file is missing"):
        open_with_libslm(tmp_path / "none.rea", "realizer")
    with pytest.raises(BuildFileError, match="translator 'mtt' is not installed") as raised:
        open_with_libslm(tmp_path / "none.mtt", "mtt")
    assert raised.value.code == "unsupported"
