"""OVF, written: what comes back, and what Google's protobuf finds in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.contracts import (
    BUILD_COORDINATES,
    BUILD_GEOMETRIES,
    BUILD_LAYERS,
    BUILD_METADATA,
    BUILD_MODELS,
    BUILD_STYLES,
)
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildTables, open_build, write_build
from support.build_rows import as_rows, rows_of
from support.ovf_messages import MESSAGES, OvfFile, Plane, block, read_ovf, write_ovf


def tables(
    layers: list[tuple[float | None, list[dict[str, Any]]]], styles: list[dict[str, Any]] = ()
) -> BuildTables:
    """Tables of layers: (z_mm, geometries with kind, points and ids)."""
    layer_rows, rows, points = [], [], []
    for layer, (z_mm, geometries) in enumerate(layers):
        first_geometry, first_point = len(rows), len(points)
        for place, one in enumerate(geometries):
            own = one["points"]
            rows.append(
                {
                    "layer": layer,
                    "geometry_id": place,
                    "kind": one["kind"],
                    "closed": len(own) > 2 and own[0] == own[-1]
                    if one["kind"] == "contour"
                    else None,
                    "offset": len(points),
                    "count": len(own),
                    **{name: one.get(name) for name in ("model_id", "build_style_id", "laser_id")},
                }
            )
            points += own
        layer_rows.append(
            {
                "layer": layer,
                "z_mm": z_mm,
                "first_geometry": first_geometry,
                "geometry_count": len(geometries),
                "first_point": first_point,
                "point_count": len(points) - first_point,
            }
        )
    empty = {"name": "", "description": "", "parameters": [], "raw_tags": []}
    return BuildTables(
        layers=pa.Table.from_pylist(layer_rows, BUILD_LAYERS),
        geometries=pa.Table.from_pylist(rows, BUILD_GEOMETRIES),
        coordinates=pa.table(
            [pa.array([point[axis] for point in points], pa.float32()) for axis in range(2)],
            schema=BUILD_COORDINATES,
        ),
        build_styles=pa.Table.from_pylist([{**empty, **style} for style in styles], BUILD_STYLES),
        models=BUILD_MODELS.empty_table(),
        metadata=BUILD_METADATA.empty_table(),
    )


def test_a_real_file_comes_back(shared_data: Path) -> None:
    (path,) = (shared_data / "build_files" / "ovf").glob("*bunny*.ovf")
    build = open_build(path)
    report = write_build(build, None)
    assert report.lost == ()
    again = open_build(report.data)
    assert rows_of(again) == rows_of(build)
    assert again.z_mm.tolist() == build.z_mm.tolist()
    for name in ("metadata", "declared_layers"):
        assert again.header[name] == build.header[name]
    # Offsets of raw tags are those of the file they were read from.
    assert without_offsets(again.header) == without_offsets(build.header)
    # Once more it is the same to the byte.
    assert write_build(again, None).data == report.data
    # Google's protobuf finds the same job in it.
    ours, theirs = read_ovf(report.data).job, read_ovf(path.read_bytes()).job
    assert ours == theirs


def without_offsets(header: dict[str, Any]) -> list[Any]:
    return [
        [(path, raw) for path, _, raw in item["raw_tags"]]
        for item in [header, *header["models"], *header["build_styles"]]
    ]


def test_what_protobuf_finds() -> None:
    hatch = {"kind": "hatch", "points": [(0.0, 1.0), (2.0, 3.0)], "build_style_id": 5}
    outline = {"kind": "contour", "points": [(0.0, 0.0), (1.0, 0.0), (0.0, 0.0)], "laser_id": 2}
    dots = {"kind": "points", "points": [(7.0, -8.0)], "laser_id": 0, "model_id": 3}
    report = write_build(
        tables(
            [(0.5, [hatch | {"laser_id": 1}, outline]), (1.0, [dots])],
            [{"build_style_id": 5, "laser_power_w": 0.0, "speed_mm_s": 800.0, "name": "core"}],
        ),
        None,
        format="ovf",
    )
    found = read_ovf(report.data)
    assert found.job.plane_count == 2
    assert [(plane.shell.z, plane.shell.number) for plane in found.planes] == [(0.5, 0), (1, 1)]
    assert [plane.shell.block_count for plane in found.planes] == [2, 1]
    first, second = found.planes[0].blocks
    assert first == block("hatches", [0, 1, 2, 3], params=5, laser=1)
    assert second == block("lines", [0, 0, 1, 0, 0, 0], laser=2)
    assert found.planes[1].blocks[0].meta.part == 3
    bounds = found.job.meta.bounds
    assert (bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max) == (0, -8, 7, 3)
    # A zero that is said is written, so that it comes back as one.
    (style,) = open_build(report.data).build_styles.to_pylist()
    assert (style["laser_power_w"], style["focus_mm"]) == (0.0, None)


@pytest.mark.parametrize(
    ("geometry", "style", "lost"),
    [
        ({"kind": "jump", "points": [(0.0, 0.0), (1.0, 1.0)], "laser_id": 1}, {}, "jumps"),
        (
            {"kind": "points", "points": [], "laser_id": 1},
            {"build_style_id": 0},
            "no build style",
        ),
        (None, {"build_style_id": 1, "spot_size_um": 50.0}, "spot_size_um"),
        (None, {"build_style_id": 1, "parameters": [("LaserMode", "x")]}, "LaserMode"),
        (None, {"build_style_id": 1, "description": "x"}, "description"),
    ],
)
def test_what_ovf_cannot_hold_is_named(
    geometry: dict[str, Any] | None, style: dict[str, Any], lost: str
) -> None:
    build = tables([(0.0, [geometry] if geometry else [])], [style] if style else [])
    with pytest.raises(BuildFileError, match=lost) as caught:
        write_build(build, None, format="ovf")
    assert caught.value.facts["code"] == "not_representable"
    report = write_build(build, None, format="ovf", allow_loss=True)
    assert any(lost in one for one in report.lost)
    assert len(open_build(report.data)) == 1


def test_no_laser_is_laser_0_unless_others_have_one() -> None:
    without: dict[str, Any] = {"kind": "points", "points": [(1.0, 2.0)]}
    report = write_build(tables([(0.0, [without])]), None, format="ovf")
    assert report.lost == ()
    assert open_build(report.data).to_arrow().geometries["laser_id"].to_pylist() == [0]
    for order in ([without, without | {"laser_id": 0}], [without | {"laser_id": 2}, without]):
        with pytest.raises(BuildFileError, match="some geometries have no laser"):
            write_build(tables([(0.0, [order[0]]), (1.0, [order[1]])]), None, format="ovf")


@pytest.mark.parametrize(
    "geometry",
    [
        {"kind": "hatch", "points": [(0.0, 0.0)] * 3, "laser_id": 1},
        {"kind": "points", "points": [(float("nan"), 0.0)], "laser_id": 1},
    ],
)
def test_what_no_reader_would_take_is_not_written(geometry: dict[str, Any]) -> None:
    with pytest.raises(BuildFileError) as caught:
        write_build(tables([(0.0, [geometry])]), None, format="ovf", allow_loss=True)
    assert caught.value.facts["code"] == "not_representable"


def test_styles_of_several_models_get_numbers_of_their_own() -> None:
    """Elsewhere a style's number may mean something in each model; here it is one for the job."""
    one = {"kind": "points", "points": [(0.0, 0.0)], "laser_id": 1, "build_style_id": 1}
    build = tables(
        [(0.0, [one | {"model_id": 1}, one | {"model_id": 2}])],
        [
            {"build_style_id": 1, "model_id": 1, "laser_power_w": 100.0},
            {"build_style_id": 1, "model_id": 2, "laser_power_w": 200.0},
        ],
    )
    report = write_build(build, None, format="ovf", allow_loss=True)
    assert "numbers of build styles that several models share" in report.lost
    again = open_build(report.data)
    power = {
        style["build_style_id"]: style["laser_power_w"] for style in again.build_styles.to_pylist()
    }
    assert [(row.model_id, power[row.build_style_id]) for row in rows_of(again)] == [
        (1, 100.0),
        (2, 200.0),
    ]


def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(BuildFileError, match="OVF has no option 'variant'"):
        write_build(tables([]), None, format="ovf", variant="ascii")


def test_unknown_fields_come_back() -> None:
    """Proprietary marking parameters and what a part says are kept to the byte."""
    params = MESSAGES["Params"](power=200, proprietary="secret of the house")
    params.gradient.min_power = 10
    part = MESSAGES["Part"](name="cone", parent="c")
    part.strategy.hatch_distance = 0.1
    job = MESSAGES["Job"](
        params=[MESSAGES["ParamsEntry"](key=1, value=params)],
        parts=[MESSAGES["PartEntry"](key=1, value=part)],
    )
    job.job_params.preheating = 180
    content = write_ovf(OvfFile(job, [Plane(MESSAGES["WorkPlane"](z=1))]))
    job.plane_count = 1
    written = read_ovf(write_build(open_build(content), None).data).job
    written.ClearField("meta")
    assert written == job


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
ids = st.integers(-(2**31) + 1, 2**31 - 1)


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["hatch", "contour", "points"]))
    points = draw(st.lists(st.tuples(finite, finite), max_size=6))
    if kind == "hatch":
        points = points[: len(points) // 2 * 2]
    return {
        "kind": kind,
        "points": points,
        "model_id": draw(st.none() | ids),
        "build_style_id": draw(st.none() | ids),
        "laser_id": draw(ids),
    }


@given(st.lists(st.tuples(finite, st.lists(geometries(), max_size=4)), max_size=4))
def test_any_build_comes_back(layers: list[tuple[float, list[dict[str, Any]]]]) -> None:
    build = tables(layers)
    report = write_build(build, None, format="ovf")
    again = open_build(report.data)
    assert as_rows(again.to_arrow()) == as_rows(build)
    assert again.z_mm.tolist() == [np.float32(z).item() for z, _ in layers]
    assert (again.warnings, again.damage) == ((), ())
