"""CLI written and read again: nothing changes that the report does not name."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build, write_build
from pbf_ray.formats.reference.cli import read_cli
from support.plain_builds import (
    Geometry,
    Layer,
    assert_equal_to_reference,
    contour,
    hatch,
    header,
    plain_layers,
    points,
    read_layers,
    written,
)

VARIANTS: list[dict[str, str]] = [
    {},
    {"align": "true"},
    {"variant": "ascii"},
    {"variant": "ascii", "unit_mm": "0.005"},
]

coordinates = st.floats(-1e5, 1e5, width=32, allow_nan=False)


@st.composite
def layers(draw: Any) -> list[Layer]:
    out = []
    for z_mm in sorted(draw(st.lists(st.floats(0, 1e3, width=32), max_size=3))):
        found = []
        for kind in draw(st.lists(st.sampled_from(["hatch", "contour"]), max_size=3)):
            count = draw(st.integers(0, 4)) * 2
            values = draw(st.lists(coordinates, min_size=2 * count, max_size=2 * count))
            xy = np.array(values, np.float32).reshape(-1, 2)
            if kind == "contour" and count and draw(st.booleans()):
                xy = np.concatenate([xy, xy[:1]])
            closed = None
            if kind == "contour":
                closed = len(xy) >= 3 and bool((xy[0] == xy[-1]).all())
            model = draw(st.integers(-(2**31) + 1, 2**31 - 1))
            found.append(Geometry(kind, xy, closed, model))
        out.append(Layer(float(z_mm), found))
    return out


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@given(layers=layers())
def test_what_is_written_is_read_again(options: dict[str, str], layers: list[Layer]) -> None:
    data, lost = written("cli", layers, options=options)
    assert not lost or options.get("unit_mm") == "0.005"
    build = open_build(data)
    assert not build.warnings
    assert_equal_to_reference(build, read_cli(data))
    again = read_layers(build)
    if not lost:
        assert plain_layers(again) == plain_layers(layers)


def test_a_unit_that_float32_does_not_survive_is_named() -> None:
    value = float(np.float32(0.1))
    data, lost = written(
        "cli", [Layer(1.0, [hatch((value, 0), (1, 1))])], options={"unit_mm": "0.3"}
    )
    [layer] = read_layers(open_build(data))
    exact = layer.geometries[0].points_mm[0, 0] == np.float32(value)
    assert exact == (not lost)


def test_short_coordinates_are_written_where_they_fit() -> None:
    made = [Layer(0.25, [contour((-0.5, 0), (327.67, -327.68), (-0.5, 0), model_id=9)])]
    data, lost = written("cli", made, options={"variant": "short", "unit_mm": "0.01"})
    assert not lost
    assert plain_layers(read_layers(open_build(data))) == plain_layers(made)
    # Rounding is named, and what does not fit is refused.
    _, lost = written(
        "cli", [Layer(0.25, [hatch((0.004, 0), (1, 1))])],
        options={"variant": "short", "unit_mm": "0.01"},
    )  # fmt: skip
    assert lost == ["precision of coordinates below unit_mm"]


@pytest.mark.parametrize(
    ("layer", "options", "says"),
    [
        (Layer(1.0, [hatch((400, 0), (1, 1))]), {"unit_mm": "0.01"}, "does not fit"),
        (Layer(1.0, [hatch((0, 0), (1, 1), model_id=-1)]), {"unit_mm": "0.01"}, "model id"),
        (Layer(1.0, []), {}, "unit_mm"),
        (Layer(None, []), {"unit_mm": "1"}, "layer 0 has no height"),
        (Layer(1.0, [hatch((0, 0))]), {"unit_mm": "1"}, "whole vectors"),
        (Layer(1.0, [hatch((0, 0), (float("nan"), 0))]), {"unit_mm": "1"}, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(layer: Layer, options: dict[str, str], says: str) -> None:
    with pytest.raises(Exception, match=says) as caught:
        written("cli", [layer], options={"variant": "short", **options})
    assert caught.value.args[0] == "not_representable"


def test_short_files_that_span_more_than_half_the_range_say_their_size() -> None:
    """Long steps cross the sign both ways: the declared size decides, and is written."""
    made = [Layer(1.0, [contour((-300, -300), (300, -300), (300, 300), (-300, -300), model_id=0)])]
    data, _ = written("cli", made, options={"variant": "short", "unit_mm": "0.01"})
    assert b"$$DIMENSION/-0000300.000000,-0000300.000000" in data
    assert plain_layers(read_layers(open_build(data))) == plain_layers(made)


def test_directions_follow_from_the_points() -> None:
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    made = [
        contour(*square, square[0]),
        contour(*square[::-1], square[-1]),
        contour(*square),
    ]
    data, _ = written("cli", [Layer(1.0, made)], options={"variant": "ascii"})
    assert re.findall(rb"POLYLINE/0,(\d)", data) == [b"1", b"0", b"2"]


def test_styles_become_commands_where_they_change() -> None:
    styles = [
        {"build_style_id": 5, "laser_power_w": 100.0, "speed_mm_s": 900.0},
        {
            "build_style_id": 8,
            "laser_power_w": 100.0,
            "speed_mm_s": 450.5,
            "jump_speed_mm_s": 5000.0,
            "parameters": [("mark_delay", "7")],
        },
    ]
    a, b = (hatch((0, 0), (1, 1), model_id=1, build_style_id=number) for number in (5, 8))
    data, lost = written(
        "cli", [Layer(1.0, [a, a, b]), Layer(2.0, [b])],
        header(build_styles=styles), {"variant": "ascii"},
    )  # fmt: skip
    assert not lost
    commands = re.findall(r"\$\$(?:POWER|SPEED|PARAM|HATCHES).*", data.decode())
    assert [line.split(",0,")[0] for line in commands] == [
        "$$POWER/100", "$$SPEED/900", "$$HATCHES/1,1", "$$HATCHES/1,1",
        "$$SPEED/450.5", "$$PARAM/jump_speed, double, 5000", "$$PARAM/mark_delay, double, 7",
        "$$HATCHES/1,1", "$$HATCHES/1,1",
    ]  # fmt: skip
    read = open_build(data).build_styles.to_pylist()
    for style, given_ in zip(read, styles, strict=True):
        for name, value in given_.items():
            assert name == "build_style_id" or style[name] == value
    _, lost = written(
        "cli", [Layer(1.0, [b, a])], header(build_styles=styles), {"variant": "ascii"}
    )
    assert lost == [
        "that a value is not set any more: jump_speed",
        "that a value is not set any more: mark_delay",
    ]


def test_what_cli_cannot_hold_is_named_once() -> None:
    style = {"build_style_id": 1, "spot_size_um": 70.0, "exposure_time_us": 9.0, "laser_id": 2}
    head = header(
        build_styles=[style],
        models=[{"model_id": 1, "name": 'a "quoted"\nname'}],
        raw_tags=[("header/99", 0, b"x")],
    )
    made = [
        Geometry("jump", points((0, 0), (1, 1))),
        Geometry("points", points((3, 4)), None, 1, 1, 2),
    ]
    data, lost = written("cli", [Layer(1.0, made), Layer(2.0, made)], head, {"variant": "ascii"})
    assert sorted(lost) == [
        "characters of a model name",
        "exposure_time_us",
        "jumps",
        "laser_id",
        "laser_id of build styles",
        "raw tags",
        "spot_size_um",
        "the kind points (written as hatch vectors without length)",
    ]
    [layer, _] = read_layers(open_build(data))
    assert [one.kind for one in layer.geometries] == ["hatch"]
    assert layer.geometries[0].points_mm.tolist() == [[3, 4], [3, 4]]


def test_headers_survive() -> None:
    head = header(
        format="cli",
        metadata=[
            ("encoding", "ascii"),
            ("version", "200"),
            ("date", "170921"),
            ("creator", "$$x//"),
        ],
        models=[{"model_id": 1, "name": "part, one"}],
        raw_tags=[("USERDATA/me", 9, b"\n$$HEADEREND//")],
    )
    for options in VARIANTS:
        data, lost = written("cli", [], head, options)
        assert not lost
        build = open_build(data)
        assert build.models.to_pylist()[0]["name"] == "part, one"
        assert build.metadata["date"] == "170921"
        assert build.header["raw_tags"][0][2] == b"\n$$HEADEREND//"
        assert b"// creator: $ $x/ / //" in data
        assert write_build(build, None).data == write_build(build, None).data


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "huge"}, {"unit_mm": "0"}, {"unit_mm": "1 mm"}, {"colour": "red"},
        {"align": "yes"}, {"align": True, "variant": "ascii"},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_there_are_not_are_refused(options: dict[str, object]) -> None:
    build = open_build(written("cli", [])[0])
    with pytest.raises(BuildFileError) as caught:
        write_build(build, None, **options)
    assert caught.value.facts["code"] == "unsupported"
