"""Real build files: values that a few lines over their bytes or their text give as well."""

import math
import re
import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from pbf_ray.buildplan import BuildPlan, MachineTimes, plan_batches, plan_layers
from pbf_ray.formats import BuildFile, open_build
from support.build_tables import build_styles

CLI = "Digital-Production-Aachen__OpenVectorFormatTools__"


@pytest.fixture(scope="module")
def files(shared_data: Path) -> Path:
    return shared_data / "build_files"


def plan_of(build: BuildFile) -> BuildPlan:
    tables = build.to_arrow()
    return plan_layers(tables.layers, tables.geometries, tables.coordinates, build.build_styles)


def member(files: Path, archive: str, name: str) -> bytes:
    with zipfile.ZipFile(files / "ilt" / f"{CLI}{archive}") as opened:
        return opened.read(name)


def long_hatches(cli: bytes) -> list[np.ndarray]:
    """Layers of a binary CLI of long layers and long hatches, as vectors (x0, y0, x1, y1)."""
    place = cli.index(b"$$HEADEREND") + len(b"$$HEADEREND")
    layers: list[np.ndarray] = []
    while place < len(cli):
        (command,) = struct.unpack_from("<H", cli, place)
        if command == 127:
            layers.append(np.empty((0, 4)))
            place += 6
            continue
        assert command == 132
        _, n = struct.unpack_from("<ii", cli, place + 2)
        vectors = np.frombuffer(cli, "<f4", 4 * n, place + 10).reshape(n, 4).astype(float)
        layers[-1] = np.concatenate([layers[-1], vectors])
        place += 10 + 16 * n
    return layers


def lengths(vectors: np.ndarray) -> np.ndarray:
    return np.hypot(vectors[:, 2] - vectors[:, 0], vectors[:, 3] - vectors[:, 1])


@pytest.mark.parametrize(
    ("archive", "name", "distance", "area"),
    [
        # Hatched are 9.9 x 9.9 mm and 9.8 x 9.8 mm, by the header's dimensions.
        ("Box_blocksupport.ilt", "modelsection_001_s1_vs.cli", 0.06, 9.9**2),
        ("testcubeEasy.ilt", "modelsection_001_s1_vs.cli", 0.5, None),
    ],
)
def test_hatched_boxes(
    files: Path, archive: str, name: str, distance: float, area: float | None
) -> None:
    cli = member(files, archive, name)
    plan = plan_of(open_build(cli))
    expected = long_hatches(cli)
    rows = plan.layers.to_pylist()
    assert [row["hatch_vectors"] for row in rows] == [len(vectors) for vectors in expected]
    filled = [row for row in rows if row["hatch_vectors"]]
    assert len(filled) == {"Box_blocksupport.ilt": 198, "testcubeEasy.ilt": 10}[archive]
    for row in filled:
        vectors = expected[row["layer"]]
        assert row["hatched_length_mm"] == pytest.approx(lengths(vectors).sum())
        # All vectors lie along x or along y: the distance is the one between their other values.
        across = int(np.ptp(vectors[0, [1, 3]]) < np.ptp(vectors[0, [0, 2]]))
        lines = np.unique(np.round(vectors[:, across], 2))
        assert row["hatch_distance_mm"] == pytest.approx(np.median(np.diff(lines)), rel=1e-3)
        assert row["hatch_distance_mm"] == pytest.approx(distance, rel=1e-3)
        assert row["scan_axis_deg"] % 90.0 == pytest.approx(0.0, abs=0.01)
        assert row["hatch_distance_vectors"] == len(vectors)
        if area is not None:
            assert row["hatched_area_mm2"] == pytest.approx(area, rel=2e-3)
        gaps = np.concatenate([vectors[:-1, 2:], vectors[1:, :2]], axis=1)
        assert row["implied_jump_length_mm"] == pytest.approx(lengths(gaps).sum())
        box = [row[f"{axis}_{end}_mm"] for end in ("min", "max") for axis in "xy"]
        points = vectors.reshape(-1, 2)
        assert box == pytest.approx([*points.min(axis=0), *points.max(axis=0)])
    turns = {round(row["rotation_deg"]) for row in filled if row["rotation_deg"] is not None}
    assert 90 in turns
    assert turns <= {0, 90}


def test_the_hatch_of_the_frustum_turns_by_45_degrees(files: Path) -> None:
    file = files / "cli" / f"{CLI}frustrum_ASCII.cli"
    rows = plan_of(open_build(file)).layers.to_pylist()
    assert len(rows) == 100
    np.testing.assert_allclose([row["rotation_deg"] for row in rows[1:]], -45.0, atol=0.02)
    np.testing.assert_allclose([row["hatch_distance_mm"] for row in rows], 0.5, rtol=2e-3)
    np.testing.assert_allclose([r["layer_thickness_um"] for r in rows[1:]], 100.0, rtol=1e-6)
    # By hand from the text: shoelace formula of the one contour of each layer.
    text = file.read_text()
    unit = float(re.findall(r"UNITS/([\d.]+)", text)[0])
    for row, line in zip(rows, re.findall(r"\$\$POLYLINE/(\S+)", text), strict=True):
        values = [float(value) * unit for value in line.split(",")[3:]]
        points = list(zip(values[::2], values[1::2], strict=True))
        twice = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(points))
        assert row["contour_area_mm2"] == pytest.approx(abs(twice) / 2, rel=1e-4)
        # The hatch fills the outline, but for what is less than a hatch distance at its border.
        assert 0.8 < row["hatched_area_mm2"] / row["contour_area_mm2"] < 1.01


def even_odd_area(contours: list[np.ndarray], lines: int = 2000) -> float:
    """Area by the widths between crossings, along many lines."""
    start = np.concatenate([contour[:-1] for contour in contours])
    end = np.concatenate([contour[1:] for contour in contours])
    low, high = start[:, 1].min(), start[:, 1].max()
    step = (high - low) / lines
    total = 0.0
    for height in low + (np.arange(lines) + 0.5) * step:
        hit = (start[:, 1] <= height) != (end[:, 1] <= height)
        (x0, y0), (x1, y1) = start[hit].T, end[hit].T
        crossings = np.sort(x0 + (x1 - x0) * (height - y0) / (y1 - y0))
        total += step * np.sum(crossings[1::2] - crossings[::2])
    return float(total)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        (f"{CLI}s_MiniCooper_ex.cli", [0, 9, 20]),
        ("AbFab3D__AbFab3D__gyroplane_binary.cli", [18, 32, 57]),
    ],
)
def test_areas_of_parts_with_holes(files: Path, name: str, layers: list[int]) -> None:
    build = open_build(files / "cli" / name)
    rows = plan_of(build).layers.to_pylist()
    for layer in layers:
        batch = build.read_layer(layer)
        points = np.stack([batch.coordinates[c].to_numpy() for c in ("x_mm", "y_mm")], axis=1)
        contours = [
            points[row["offset"] : row["offset"] + row["count"]].astype(float)
            for row in batch.geometries.to_pylist()
            if row["closed"]
        ]
        assert len(contours) == rows[layer]["closed_contours"] > 1
        assert rows[layer]["contour_area_mm2"] == pytest.approx(even_odd_area(contours), rel=2e-3)


def test_times_and_energies_by_the_state_of_a_cli_plus(files: Path) -> None:
    file = files / "cli" / f"{CLI}Box_support_solid_ascii_with_params.cli"
    seconds, joules, power, speed, layer = {}, {}, math.nan, math.nan, -1
    for line in file.read_text().splitlines():
        name, _, rest = line.strip().removeprefix("$$").partition("/")
        if name == "POWER":
            power = float(rest)
        elif name == "SPEED":
            speed = float(rest)
        elif name == "LAYER":
            layer += 1
        elif name == "POLYLINE":
            values = np.array(rest.split(",")[3:], float).reshape(-1, 2) * 0.001
            time = lengths(np.concatenate([values[:-1], values[1:]], axis=1)).sum() / speed
            seconds[layer] = seconds.get(layer, 0.0) + time
            joules[layer] = joules.get(layer, 0.0) + time * power
    rows = plan_of(open_build(file)).layers.to_pylist()
    assert len(rows) == layer + 1 == 1012
    assert sum(seconds.values()) > 100.0
    for row in rows:
        assert row["exposure_time_s"] == pytest.approx(seconds.get(row["layer"], 0.0), rel=1e-4)
        assert row["laser_energy_j"] == pytest.approx(joules.get(row["layer"], 0.0), rel=1e-4)


def test_a_member_with_its_parameters_has_its_densities(files: Path) -> None:
    build = open_build(member(files, "testcubeEasy.ilt", "modelsection_001_s1_vs.cli"))
    tables = build.to_arrow()
    style = {
        "build_style_id": 1,
        "laser_power_w": 100.0,
        "speed_mm_s": 825.0,
        "point_distance_um": 200.0,
        "exposure_time_us": 400.0,
    }
    styles = pa.array([1] * tables.geometries.num_rows, pa.int32())
    place = tables.geometries.schema.get_field_index("build_style_id")
    geometries = tables.geometries.set_column(place, "build_style_id", styles)
    for machine, speed in (
        (MachineTimes(), 825.0),
        (MachineTimes(speed_from="points", point_delay_us=100.0), 400.0),
    ):
        row = plan_layers(
            tables.layers, geometries, tables.coordinates, build_styles(style), machine=machine
        ).layers.to_pylist()[1]
        density = 100.0 / (speed * 0.5 * 0.1)
        assert row["volumetric_energy_j_mm3"] == pytest.approx(density, rel=1e-4)
        assert row["exposure_time_s"] == pytest.approx(row["hatched_length_mm"] / speed)


def test_an_archive_has_the_styles_of_its_sections(files: Path) -> None:
    build = open_build(files / "ilt" / f"{CLI}testcubeEasy.ilt")
    plan = plan_of(build)
    row = plan.layers.to_pylist()[1]
    # Contours (vk) are written as hatches of four vectors there: 40 mm at 500 mm/s, and the hatch
    # (vs) at 825 mm/s; only that has a hatch distance. Both have 100 W.
    cli = member(files, "testcubeEasy.ilt", "modelsection_001_s1_vs.cli")
    hatched = lengths(long_hatches(cli)[1]).sum()
    assert row["exposure_time_s"] == pytest.approx(40.0 / 500.0 + hatched / 825.0, rel=1e-5)
    assert row["spaced_hatch_length_mm"] == pytest.approx(hatched)
    assert row["hatched_length_mm"] == pytest.approx(hatched + 40.0)
    assert row["volumetric_energy_j_mm3"] == pytest.approx(100 / (825 * 0.5 * 0.1), rel=1e-4)
    assert plan.exposures.num_rows == 20

    box = plan_of(open_build(files / "ilt" / f"{CLI}Box_blocksupport.ilt"))
    core = box.exposures.filter(pa.compute.field("hatch_vectors") == 165).to_pylist()
    assert len(core) > 190
    for exposure in core:
        assert exposure["areal_energy_j_mm2"] == pytest.approx(100 / (250 * 0.06), rel=1e-3)


def test_two_lasers_of_a_scan_file(files: Path) -> None:
    name = "AmericaMakes__OASIS__A_basic_examples_Example_1_ScanFiles_XMLdir_scan_01.xml"
    layer = ET.parse(files / "amsxml" / name).getroot()  # noqa: S314
    velocity = {
        p.findtext("ID"): float(p.findtext("Velocity", "nan"))
        for p in layer.iter("VelocityProfile")
    }
    styles = {style.findtext("ID"): style for style in layer.iter("SegmentStyle")}
    exposed, seconds, jumped = 0.0, 0.0, 0.0
    for path in layer.iter("Path"):
        at = [float(path.findtext(f"Start/{axis}", "nan")) for axis in "XY"]
        for segment in path.iter("Segment"):
            to = [float(segment.findtext(f"End/{axis}", "nan")) for axis in "XY"]
            style = styles[segment.findtext("SegStyle")]
            mm = math.dist(at, to)
            if style.find("Traveler") is None:
                jumped += mm
            else:
                exposed += mm
                seconds += mm / velocity[style.findtext("VelocityProfileID")]
            at = to
    plan = plan_of(open_build(files / "amsxml" / name))
    (row,) = plan.layers.to_pylist()
    assert row["hatched_length_mm"] + row["contour_length_mm"] == pytest.approx(exposed, rel=1e-5)
    assert row["jump_length_mm"] == pytest.approx(jumped, rel=1e-5)
    assert row["exposure_time_s"] == pytest.approx(seconds, rel=1e-5)
    assert row["lasers"] == 2
    assert sum(plan.lasers["time_share"].to_pylist()) == pytest.approx(1.0)
    # Every hatch vector is a geometry of its own there; the hatch fills the contours.
    assert row["hatch_distance_mm"] == pytest.approx(0.1, rel=1e-3)
    assert row["hatched_area_mm2"] == pytest.approx(row["contour_area_mm2"], rel=0.01)


def test_batches_of_a_scan_give_the_plan_of_the_whole(files: Path) -> None:
    build = open_build(files / "cli" / f"{CLI}frustrum_ASCII.cli")
    whole = plan_of(build).layers.to_pylist()
    parts = plan_batches(build.scan(batch_layers=7), build.build_styles)
    assert [row for part in parts for row in part.layers.to_pylist()] == whole
