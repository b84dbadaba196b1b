"""Plans of rectangles that are hatched with known angle, distance, speed and power."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.buildplan import MachineTimes, plan_layers
from support.build_tables import Block, build_styles, build_tables, hatched, ring, turned

STYLE = {
    "build_style_id": 1,
    "laser_power_w": 200.0,
    "speed_mm_s": 800.0,
    "jump_speed_mm_s": 5000.0,
    "jump_delay_us": 100.0,
}
WIDTH, LINES, DISTANCE = 10.0, 80, 0.12


def plan_of(layers: list[list[Block]], *styles: dict[str, Any], **options: Any) -> Any:
    return plan_layers(*build_tables(layers), build_styles(*styles), **options)


def row(plan: Any, number: int = -1) -> dict[str, Any]:
    return plan.layers.to_pylist()[number]


def rectangle(angle: float = 0.0, **options: Any) -> Block:
    points = hatched(WIDTH, LINES * DISTANCE, DISTANCE, angle_deg=angle, **options)
    return Block("hatch", points, style=1)


def test_lengths_times_and_energies_of_a_rectangle() -> None:
    plan = plan_of(
        [[], [rectangle(30.0, at=(50.0, -20.0))]], STYLE, machine=MachineTimes(recoat_time_s=9.0)
    )
    found = row(plan)
    length = WIDTH * LINES
    jumps, jump_mm = LINES - 1, (LINES - 1) * DISTANCE
    exposure_s = length / 800.0
    jump_s = jump_mm / 5000.0 + jumps * 1e-4
    expected = {
        "layer": 1,
        "layer_thickness_um": 30.0,
        "hatch_geometries": 1,
        "hatch_vectors": LINES,
        "hatched_length_mm": length,
        "contour_length_mm": 0.0,
        "jump_length_mm": 0.0,
        "implied_jumps": jumps,
        "implied_jump_length_mm": jump_mm,
        "exposure_time_s": exposure_s,
        "jump_time_s": 0.0,
        "implied_jump_time_s": jump_s,
        "scan_time_s": exposure_s + jump_s,
        "layer_time_s": exposure_s + jump_s + 9.0,
        "laser_energy_j": 200.0 * exposure_s,
        "hatch_distance_mm": DISTANCE,
        "hatch_distance_vectors": LINES,
        "hatched_area_mm2": length * DISTANCE,
        "linear_energy_j_mm": 200.0 / 800.0,
        "areal_energy_j_mm2": 200.0 / (800.0 * DISTANCE),
        "volumetric_energy_j_mm3": 200.0 / (800.0 * DISTANCE * 0.03),
        "scan_axis_deg": 30.0,
        "scan_axis_share": 1.0,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    assert found["contour_area_mm2"] is None, "nothing closed: not known"
    axes, directions = found["axis_histogram_mm"], found["direction_histogram_mm"]
    assert sum(axes) == pytest.approx(length)
    assert sum(directions) == pytest.approx(length)
    # 30 degrees is the edge of two bins, and coordinates are single precision.
    assert axes[5] + axes[6] == pytest.approx(length)
    assert directions[5] + directions[6] == pytest.approx(length / 2)
    assert directions[41] + directions[42] == pytest.approx(length / 2)


def test_corners_of_the_bounding_box_are_those_of_what_is_exposed() -> None:
    blocks = [
        Block("contour", ring(4.0, at=(10.0, 20.0))),
        Block("points", [(7.5, 21.0)]),
        Block("jump", [(-99.0, -99.0), (99.0, 99.0)]),
    ]
    found = row(plan_of([blocks]))
    assert [found[f"{axis}_{end}_mm"] for axis in "xy" for end in ("min", "max")] == [
        7.5, 12.0, 18.0, 22.0,
    ]  # fmt: skip


def test_points_along_vectors_and_single_points() -> None:
    style = {
        "build_style_id": 1,
        "laser_power_w": 150.0,
        "exposure_time_us": 40.0,
        "point_distance_um": 60.0,
        "point_delay_us": 10.0,
    }
    single = Block("points", [(float(i), 0.0) for i in range(25)], style=1)
    plan = plan_of([[rectangle()], [single], [rectangle(), single]], style)
    vectors, points, both = plan.layers.to_pylist()
    # 60 um in 50 us are 1.2 m/s, and for 40 of the 50 us the laser is on.
    assert plan.exposures["speed_mm_s"].to_pylist() == pytest.approx([1200.0] * 3)
    assert vectors["exposure_time_s"] == pytest.approx(800.0 / 1200.0)
    assert vectors["laser_energy_j"] == pytest.approx(150.0 * 800.0 / 1200.0 * 0.8)
    assert vectors["linear_energy_j_mm"] == pytest.approx(150.0 / 1200.0)
    assert points["exposure_time_s"] == pytest.approx(25 * 40e-6)
    assert points["laser_energy_j"] == pytest.approx(150.0 * 25 * 40e-6)
    assert points["points"] == 25
    assert both["exposure_time_s"] == pytest.approx(800.0 / 1200.0 + 25 * 40e-6)


def test_a_style_with_speed_and_points_goes_by_what_is_asked_for() -> None:
    style = {
        **STYLE,
        "exposure_time_us": 400.0,
        "point_distance_um": 200.0,
    }
    machine = MachineTimes(speed_from="points", point_delay_us=100.0)
    for options, speed in (
        ({}, 800.0),
        ({"machine": machine}, 400.0),
    ):
        plan = plan_of([[rectangle()]], style, **options)
        assert plan.exposures["speed_mm_s"].to_pylist() == pytest.approx([speed])
        assert row(plan)["exposure_time_s"] == pytest.approx(800.0 / speed)
    unknown_delay = plan_of([[rectangle()]], style, machine=MachineTimes(speed_from="points"))
    assert row(unknown_delay)["exposure_time_s"] is None


def test_jumps_that_stand_in_the_file_leave_no_gap() -> None:
    hatch = [Block("hatch", [(0.0, float(i)), (8.0, float(i))], style=1) for i in range(3)]
    jumps = [Block("jump", [(8.0, float(i)), (0.0, float(i + 1))], style=2) for i in range(2)]
    blocks = [hatch[0], jumps[0], hatch[1], jumps[1], hatch[2]]
    mm = 2 * math.hypot(8.0, 1.0)
    off = {"build_style_id": 2, "jump_speed_mm_s": 2000.0, "jump_delay_us": 300.0}
    explicit = row(plan_of([blocks], STYLE, off))
    implied = row(plan_of([hatch], STYLE, off))
    assert (explicit["jump_segments"], explicit["implied_jumps"]) == (2, 0)
    assert explicit["jump_length_mm"] == pytest.approx(mm)
    assert explicit["jump_time_s"] == pytest.approx(mm / 2000.0 + 2 * 300e-6)
    assert (implied["jump_segments"], implied["implied_jumps"]) == (0, 2)
    assert implied["implied_jump_length_mm"] == pytest.approx(mm)
    assert implied["implied_jump_time_s"] == pytest.approx(mm / 5000.0 + 2 * 100e-6)


def test_contours_open_and_closed() -> None:
    outline, hole = ring(10.0), ring(4.0, hole=True)
    plan = plan_of(
        [
            [Block("contour", outline, model=1), Block("contour", hole, model=1)],
            [Block("contour", outline[:-1], model=1)],
            [Block("contour", outline, model=1), Block("contour", hole, model=2)],
            [Block("contour", outline, model=1), Block("contour", [(0, 0), (9, 9)], model=2)],
            [],
        ]
    )
    closed, opened, two, support, empty = plan.layers.to_pylist()
    assert (closed["closed_contours"], closed["contour_area_mm2"]) == (2, 84.0)
    assert (closed["contour_length_mm"], closed["contour_segments"]) == (56.0, 8)
    assert (opened["closed_contours"], opened["contour_area_mm2"]) == (0, None)
    assert opened["contour_length_mm"] == 30.0
    assert two["contour_area_mm2"] == 116.0, "models are bodies of their own"
    assert plan.models["contour_area_mm2"].to_pylist() == [
        84.0, None, 100.0, 16.0, 100.0, None,
    ]  # fmt: skip
    assert support["contour_area_mm2"] == 100.0, "an open line encloses nothing"
    assert empty["contour_area_mm2"] == 0.0


def test_lasers_work_at_the_same_time() -> None:
    def lines(laser: int | None, length: float, style: int = 1) -> Block:
        return Block("hatch", [(0.0, 0.0), (length, 0.0)], laser=laser, style=style)

    second = {**STYLE, "build_style_id": 2, "laser_id": 2}
    plan = plan_of(
        [
            [lines(1, 800.0), lines(None, 2400.0, style=2)],  # the style names its laser
            [lines(1, 800.0)],
            [lines(1, 800.0), lines(None, 2400.0)],
            [lines(None, 800.0), lines(None, 2400.0)],
            [],
        ],
        STYLE,
        second,
        machine=MachineTimes(recoat_time_s=0.0),
    )
    two, one, some, none, empty = plan.layers.to_pylist()
    assert (two["lasers"], two["scan_time_s"]) == (2, pytest.approx(3.0))
    assert two["laser_time_imbalance"] == pytest.approx(1.5)
    assert two["laser_length_imbalance"] == pytest.approx(1.5)
    assert two["exposure_time_s"] == pytest.approx(4.0)
    assert (one["lasers"], one["laser_time_imbalance"]) == (1, 1.0)
    assert (some["lasers"], some["scan_time_s"], some["layer_time_s"]) == (None, None, None)
    # Nothing is named: one stream, in the order of the file, with the way back to its start.
    assert (none["lasers"], none["laser_time_imbalance"]) == (None, None)
    assert none["scan_time_s"] == pytest.approx(4.0 + 800.0 / 5000.0 + 1e-4)
    assert (empty["lasers"], empty["scan_time_s"], empty["layer_time_s"]) == (0, 0.0, 0.0)
    shares = plan.lasers.select(["layer", "laser_id", "time_share", "length_share"]).to_pylist()
    assert shares[:2] == [
        {"layer": 0, "laser_id": 1, "time_share": 0.25, "length_share": 0.25},
        {"layer": 0, "laser_id": 2, "time_share": 0.75, "length_share": 0.75},
    ]


def test_densities_of_several_styles_are_those_of_their_sums() -> None:
    fast = {**STYLE, "build_style_id": 2, "speed_mm_s": 1600.0}
    blocks = [
        rectangle(),
        Block("hatch", hatched(10.0, 4.0, 0.08, at=(0.0, 30.0)), style=2),
        Block("contour", ring(5.0), style=2),
    ]
    plan = plan_of([[], blocks], STYLE, fast)
    found, (first, second) = row(plan), plan.exposures.to_pylist()
    assert first["hatch_distance_mm"] == pytest.approx(0.12)
    assert second["hatch_distance_mm"] == pytest.approx(0.08)
    area = 800.0 * 0.12 + 500.0 * 0.08
    energy = 800.0 * 200 / 800 + 500.0 * 200 / 1600
    assert found["hatched_area_mm2"] == pytest.approx(area, rel=1e-5)
    assert found["hatch_distance_mm"] == pytest.approx(area / 1300.0, rel=1e-5)
    assert found["areal_energy_j_mm2"] == pytest.approx(energy / area, rel=1e-5)
    assert found["volumetric_energy_j_mm3"] == pytest.approx(energy / area / 0.03, rel=1e-5)
    assert found["linear_energy_j_mm"] == pytest.approx((energy + 20 * 200 / 1600) / 1320.0)


INVARIANT = (
    "hatch_vectors", "hatched_length_mm", "contour_length_mm", "implied_jumps",
    "implied_jump_length_mm", "exposure_time_s", "implied_jump_time_s", "hatch_distance_mm",
    "hatched_area_mm2", "contour_area_mm2", "volumetric_energy_j_mm3", "scan_axis_share",
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0.0, 360.0),
    st.tuples(st.floats(-200.0, 200.0), st.floats(-200.0, 200.0)),
    st.booleans(),
)
def test_turning_shifting_and_reversing_change_no_amount(
    angle: float, shift: tuple[float, float], backwards: bool
) -> None:
    def plan(turn: float, by: tuple[float, float], back: bool) -> dict[str, Any]:
        blocks = [rectangle(), Block("contour", ring(8.0), style=1)]
        moved = [
            Block(b.kind, turned(b.points, turn, by)[:: -1 if back else 1], style=b.style)
            for b in blocks
        ]
        return row(plan_of([[], moved[:: -1 if back else 1]], STYLE))

    before, after = plan(0.0, (0.0, 0.0), False), plan(angle, shift, backwards)
    for name in INVARIANT:
        assert after[name] == pytest.approx(before[name], rel=1e-3), name
    assert abs((after["scan_axis_deg"] - angle + 90.0) % 180.0 - 90.0) < 1e-2


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 180.0), st.floats(-89.0, 89.0))
def test_rotation_from_layer_to_layer_is_what_it_was_turned_by(start: float, step: float) -> None:
    plan = plan_of([[rectangle(start + step * n, at=(30.0, 40.0))] for n in range(6)])
    rotations = plan.layers["rotation_deg"].to_pylist()
    assert rotations[0] is None
    np.testing.assert_allclose(rotations[1:], step, atol=5e-3)


def test_a_minority_of_another_direction_does_not_bend_the_axis() -> None:
    blocks = [rectangle(67.0), Block("hatch", hatched(5.0, 4.0, 0.1, angle_deg=20.0))]
    found = row(plan_of([blocks]))
    assert found["scan_axis_deg"] == pytest.approx(67.0, abs=1e-3)
    assert found["scan_axis_share"] == pytest.approx(800.0 / 1000.0)


def test_a_chessboard_has_no_axis_to_rotate() -> None:
    board = [rectangle(10.0), rectangle(100.0)]
    plan = plan_of([[rectangle(0.0)], board, [rectangle(0.0)]])
    assert plan.layers["rotation_deg"].to_pylist() == [None, None, None]
    assert plan.layers["scan_axis_share"].to_pylist()[1] == pytest.approx(0.5)
    assert plan.layers["hatch_distance_mm"].to_pylist()[1] == pytest.approx(DISTANCE)


def test_a_contour_that_is_written_as_a_hatch_does_not_hide_the_hatch() -> None:
    corners = ring(WIDTH + 1.0)
    sides = [corner for i in range(4) for corner in corners[i : i + 2]]
    outline = Block("hatch", sides, style=2)
    plan = plan_of([[], [rectangle(), outline]], STYLE, {**STYLE, "build_style_id": 2})
    found, (hatch, contour) = row(plan), plan.exposures.to_pylist()
    assert (contour["hatch_distance_mm"], contour["hatched_area_mm2"]) == (None, None)
    assert found["hatched_length_mm"] == pytest.approx(800.0 + 44.0)
    assert found["spaced_hatch_length_mm"] == pytest.approx(800.0)
    for name in ("hatch_distance_mm", "hatched_area_mm2", "volumetric_energy_j_mm3"):
        assert found[name] == pytest.approx(hatch[name]), name


def test_a_quarter_turn_is_plus_ninety() -> None:
    plan = plan_of([[rectangle(20.0 + 90.0 * n)] for n in range(7)])
    np.testing.assert_allclose(plan.layers["rotation_deg"].to_pylist()[1:], 90.0, atol=0.01)
