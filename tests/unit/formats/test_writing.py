"""write_build: whole files or none, from files and from tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, open_build, write_build
from support.plain_builds import Layer, contour, hatch, header, plain_layers, read_layers, written

LAYERS = [
    Layer(0.5, [contour((0, 0), (1, 0), (0, 0.25), (0, 0), model_id=1)]),
    Layer(1.0, []),
    Layer(
        1.5, [hatch((0, 0), (1, 1), model_id=2), hatch((5, 5), (6, 6), (7, 7), (8, 8), model_id=2)]
    ),
]


@pytest.fixture
def build() -> BuildFile:
    return open_build(written("cli", LAYERS)[0])


def test_a_file_is_written_under_its_name_only(build: BuildFile, tmp_path: Path) -> None:
    target = tmp_path / "part.CLI"
    report = write_build(build, target)
    assert (report.format, report.layers, report.geometries) == ("cli", 3, 3)
    assert report.byte_count == target.stat().st_size
    assert report.data is None
    assert [file.name for file in tmp_path.iterdir()] == ["part.CLI"]
    assert plain_layers(read_layers(open_build(target))) == plain_layers(LAYERS)


def test_bytes_are_given_where_no_target_is_named(build: BuildFile, tmp_path: Path) -> None:
    report = write_build(build, None)
    write_build(build, tmp_path / "x.cli")
    assert report.data == (tmp_path / "x.cli").read_bytes()
    assert report.byte_count == len(report.data or b"")


def test_tables_are_written_as_the_file_that_they_are_of(build: BuildFile) -> None:
    tables = build.to_arrow()
    assert write_build(tables, None, format="cli").data == write_build(build, None).data
    # In chunks too, and cut out of larger tables.
    for layer in range(3):
        batch = build.read_layer(layer)
        assert batch.layers["first_point"].to_pylist() == [0]


def test_batches_and_the_whole_give_the_same(
    build: BuildFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_build(build, None).data
    monkeypatch.setattr("pbf_ray.formats.build_file._BATCH_BYTES", 1)
    assert len(build.batches()) == 3
    assert write_build(build, None).data == whole


def test_loss_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    styles = [{"build_style_id": 1, "laser_power_w": 100.0}]
    layers = [Layer(1.0, [hatch((0, 0), (1, 1), model_id=1, build_style_id=1)])]
    build = open_build(written("cli", layers, header(build_styles=styles), {"variant": "ascii"})[0])
    target = tmp_path / "part.cli"
    target.write_bytes(b"before")
    with pytest.raises(BuildFileError, match="build styles") as caught:
        write_build(build, target)
    assert caught.value.facts["code"] == "not_representable"
    assert target.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["part.cli"]
    report = write_build(build, target, allow_loss=True)
    assert len(report.lost) == 1
    assert not write_build(build, target, variant="ascii").lost


def test_damaged_layers_are_a_loss_too(tmp_path: Path) -> None:
    data = written("cli", LAYERS)[0]
    broken = open_build(data[:-3], on_damage="skip")
    with pytest.raises(BuildFileError, match="damaged in 1 layers"):
        write_build(broken, None)
    report = write_build(broken, None, allow_loss=True)
    assert report.layers == 3
    assert open_build(report.data or b"").to_arrow().geometries.num_rows == 1
    with pytest.raises(BuildFileError) as caught:
        write_build(open_build(data[:-3], on_damage="skip"), tmp_path / "x.cli")
    assert caught.value.facts["code"] == "not_representable"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["part.xyz", "part"])
def test_a_name_that_says_no_format_is_refused(build: BuildFile, tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildFileError, match="which format") as caught:
        write_build(build, tmp_path / name)
    assert caught.value.facts["code"] == "unsupported"
    assert write_build(build, tmp_path / name, format="cli").layers == 3


def test_a_place_that_cannot_be_written_is_named(build: BuildFile, tmp_path: Path) -> None:
    with pytest.raises(BuildFileError, match=r"x\.cli") as caught:
        write_build(build, tmp_path / "missing" / "x.cli")
    assert caught.value.facts["code"] == "io"
    with pytest.raises(BuildFileError):
        write_build(build, tmp_path / "x.cli", format="nothing")
    assert not list(tmp_path.iterdir())


def test_coordinates_keep_their_bits() -> None:
    values = np.array([[np.float32(1e-45), -0.0], [3.4028235e38, 1.1754944e-38]], np.float32)
    layers = [Layer(1.0, [hatch(*map(tuple, values.tolist()), model_id=0)])]
    for options in ({}, {"variant": "ascii"}):
        data, lost = written("cli", layers, options=options)
        assert not lost
        assert plain_layers(read_layers(open_build(data))) == plain_layers(layers)
