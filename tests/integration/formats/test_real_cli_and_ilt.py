"""Real CLI and ILT files: what they hold, worked out without the core."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pbf_ray.formats import open_build, write_build
from pbf_ray.formats.reference.cli import read_cli
from support.plain_builds import assert_equal_to_reference, plain_layers, read_layers

# Layers, geometries, points, and the box (x0, y0, x1, y1), as the header declares it.
# Those of ASCII files are counted below by regular expressions too.
CLI_FILES = {
    "AbFab3D__AbFab3D__gyroplane.cli": (95, 136, 4457, None),
    "AbFab3D__AbFab3D__gyroplane_binary.cli": (95, 136, 4457, None),
    "AbFab3D__AbFab3D__gyroplane_hatches.cli": (7, 12, 156, None),
    "AbFab3D__AbFab3D__simple.cli": (2, 2, 18, (0, 0, 10, 12)),
    "Digital-Production-Aachen__OpenVectorFormatTools__Box_support_solid_ascii_with_params.cli": (
        1012, 910, 5216, (-69.945, -95.957, -49.945, -68.654),
    ),
    "Digital-Production-Aachen__OpenVectorFormatTools__frustrum_ASCII.cli": (
        100, 200, 8875, (0, 0, 19.920006, 19.718002),
    ),
    "Digital-Production-Aachen__OpenVectorFormatTools__s_MiniCooper_ex.cli": (
        27, 1593, 11754, (47.004902, 25.101601, 63.657299, 41.754002),
    ),
    "Teslos__EOS-formats__5_5_3mm,1mmhole2.cli": (51, 51, 5610, (0, 0.09, 5, 4.95)),
}  # fmt: skip
VARIANTS = [{}, {"align": "true"}, {"variant": "ascii"}]

each_cli = pytest.mark.parametrize("name", CLI_FILES, ids=lambda name: name.split("__")[-1])


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "build_files"


def test_every_real_file_is_in_the_table(folder: Path) -> None:
    assert {file.name for file in (folder / "cli").iterdir()} == set(CLI_FILES)


@each_cli
def test_counts_and_boxes(folder: Path, name: str) -> None:
    layers, geometries, points, box = CLI_FILES[name]
    file = folder / "cli" / name
    data = file.read_bytes()
    if b"$$ASCII" in data:
        assert len(re.findall(rb"\$\$LAYER/", data)) == layers
        contours = re.findall(rb"\$\$POLYLINE/\d+,\d,(\d+),", data)
        hatches = re.findall(rb"\$\$HATCHES/\d+,(\d+),", data)
        assert len(contours) + len(hatches) == geometries
        assert sum(map(int, contours)) + 2 * sum(map(int, hatches)) == points
    build = open_build(file)
    tables = build.to_arrow()
    assert not build.warnings
    assert len(build) == layers
    assert tables.geometries.num_rows == geometries
    assert tables.coordinates.num_rows == points
    declared = re.search(rb"\$\$LAYERS/(\d+)", data)
    assert declared is None or int(declared[1]) == layers
    if box is not None:
        x, y = tables.coordinates["x_mm"].to_numpy(), tables.coordinates["y_mm"].to_numpy()
        # Short coordinates are rounded to a hundredth of a millimetre.
        np.testing.assert_allclose([x.min(), y.min(), x.max(), y.max()], box, atol=6e-3)
    assert (np.diff(build.z_mm) > 0).all()


@each_cli
def test_the_core_reads_what_the_reference_reads(folder: Path, name: str) -> None:
    file = folder / "cli" / name
    assert_equal_to_reference(open_build(file), read_cli(file.read_bytes()))


@each_cli
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_what_is_written_is_read_again(folder: Path, name: str, options: dict[str, str]) -> None:
    build = open_build(folder / "cli" / name)
    plus = build.build_styles.num_rows > 0
    if plus and options.get("variant") != "ascii":
        options = {**options, "variant": "ascii"}
        options.pop("align", None)
    report = write_build(build, None, **options)
    again = open_build(report.data or b"")
    assert not report.lost
    assert not again.warnings
    before, after = build.to_arrow(), again.to_arrow()
    assert after.geometries == before.geometries
    assert after.coordinates == before.coordinates
    assert after.models == before.models
    assert after.build_styles == before.build_styles
    np.testing.assert_allclose(again.z_mm, build.z_mm, rtol=6e-8)  # float32 in binary files
    # Once ours, always the same bytes.
    assert write_build(again, None, **options).data == report.data


@pytest.mark.parametrize("kind", ["cli", "ilt"])
def test_threads_read_what_one_thread_reads(folder: Path, kind: str) -> None:
    for file in (folder / kind).iterdir():
        build = open_build(file)
        one = list(build.scan(3))
        many = list(build.scan(3, threads=4))
        assert [batch.coordinates for batch in many] == [batch.coordinates for batch in one]
        assert [batch.geometries for batch in many] == [batch.geometries for batch in one]


def test_a_binary_file_with_short_coordinates_keeps_its_geometry_byte_by_byte(folder: Path) -> None:
    data = next((folder / "cli").glob("*MiniCooper*")).read_bytes()
    written = write_build(open_build(data), None, variant="short").data or b""
    geometry, ours = (part.split(b"$$HEADEREND", 1)[1] for part in (data, written))

    def without_directions(commands: bytes) -> bytes:
        """Directions are of the writer's choice: Magics says 0 or 1 for the inside, or 2."""
        out, at = bytearray(commands), 0
        while at < len(out):
            (opcode,) = struct.unpack_from("<H", out, at)
            if opcode == 128:
                at += 4
            else:
                assert opcode == 129
                out[at + 4 : at + 6] = b"--"
                at += 8 + 4 * struct.unpack_from("<H", out, at + 6)[0]
        return bytes(out)

    assert without_directions(ours) == without_directions(geometry)


def test_states_of_the_real_cli_plus_file(folder: Path) -> None:
    tables = open_build(next((folder / "cli").glob("*with_params*"))).to_arrow()
    said = [
        (row["laser_power_w"], row["speed_mm_s"], row["focus_mm"])
        for row in tables.build_styles.to_pylist()
    ]
    assert said == [(100.0, 200.0, 1.0), (150.0, 200.0, 1.0), (100.0, 100.0, 1.0)]
    styles = tables.geometries["build_style_id"].to_pylist()
    assert [styles.count(number) for number in (1, 2, 3)] == [3, 1, 906]


@pytest.mark.parametrize("name", ["Box_blocksupport", "testcubeEasy"])
def test_ilt(folder: Path, name: str) -> None:
    [file] = (folder / "ilt").glob(f"*{name}.ilt")
    build = open_build(file)
    layers = read_layers(build)
    with zipfile.ZipFile(file) as archive:
        names = [member for member in archive.namelist() if member.endswith(".cli")]
        members = [read_cli(archive.read(member)) for member in names]
    # Heights: of all members, where they differ by more than float32 does.
    heights = sorted({round(layer.z_mm or 0.0, 3) for one in members for layer in one.layers})
    assert np.round(build.z_mm, 3).tolist() == heights
    # Geometries: those of each member, in its order.
    for number, (member, one) in enumerate(zip(names, members, strict=True), 1):
        style = build.build_styles.to_pylist()[number - 1]
        assert f"{style['name']}.cli" == member
        mine = [
            found.points_mm.tobytes()
            for layer in layers
            for found in layer.geometries
            if found.build_style_id == number
        ]
        expected = [found.points_mm.tobytes() for layer in one.layers for found in layer.geometries]
        assert mine == expected
    if name == "testcubeEasy":
        assert [row["speed_mm_s"] for row in build.build_styles.to_pylist()] == [500.0, 825.0]
        assert len(build) == 10
    else:
        assert [row["name"] for row in build.models.to_pylist()] == [
            "modelsection_001", "modelsection_002",
        ]  # fmt: skip
    assert {row["exposure_time_us"] for row in build.build_styles.to_pylist()} == {400.0}
    report = write_build(build, None)
    again = open_build(report.data or b"")
    assert not report.lost
    assert plain_layers(read_layers(again)) == plain_layers(layers)
    assert again.build_styles == build.build_styles
    assert again.models == build.models
