import math

import numpy as np
import pytest
from benchmarks.subjects import same_bits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import _scan_path_loop, scan_path_reference
from pbf_ray.kernels.scan_path import BINS, WINDOW, bin_edges, group_rows, moves_between, path_sums
from pbf_ray.kernels.scan_path_reference import Geometry
from support.vectors import GEOMETRIES, columns_of, points_of

WITH_PLACE = st.lists(
    st.tuples(GEOMETRIES, st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=12
)


def starts(codes: list[int], groups: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=groups))])


@settings(max_examples=60, deadline=None)
@given(WITH_PLACE)
def test_sums_have_the_bits_of_the_reference(
    rows: list[tuple[Geometry, int, int, int]],
) -> None:
    geometries = [row[0] for row in rows]
    places = sorted({row[1:] for row in rows})
    exposure = [places.index(row[1:]) for row in rows]
    models = sorted({place[:2] for place in places})
    order, start = group_rows(np.array(exposure, np.int64), len(places))
    sums = path_sums(
        columns_of(geometries),
        order,
        start,
        starts([models.index(place[:2]) for place in places], len(models)),
        starts([model[0] for model in models], 3),
    )
    expected = [
        scan_path_reference.exposure_sums(
            [g for g, e in zip(geometries, exposure, strict=True) if e == number]
        )
        for number in range(len(places))
    ]
    for name in ("geometries", "vectors", "closed", "length_mm", "inner_moves", "inner_move_mm"):
        assert same_bits(getattr(sums, name).tolist(), [getattr(one, name) for one in expected])
    assert same_bits(sums.bounds_mm.tolist(), [one.bounds_mm for one in expected])
    assert same_bits(
        sums.axis.tolist(), [scan_path_reference.axis_of(one.bins) for one in expected]
    )

    def together(bins: list[scan_path_reference.Bins]) -> scan_path_reference.Bins:
        total = [(0.0, 0.0, 0.0)] * BINS
        for one in bins:
            total = [(a + x, b + y, c + z) for (a, b, c), (x, y, z) in zip(total, one, strict=True)]
        return total

    model_bins = [
        together([e.bins for e, place in zip(expected, places, strict=True) if place[:2] == model])
        for model in models
    ]
    layer_bins = [
        together([b for b, model in zip(model_bins, models, strict=True) if model[0] == layer])
        for layer in range(3)
    ]
    assert same_bits(sums.model_axis.tolist(), list(map(scan_path_reference.axis_of, model_bins)))
    assert same_bits(sums.layer_axis.tolist(), list(map(scan_path_reference.axis_of, layer_bins)))
    assert same_bits(sums.directions_mm.tolist(), [[b[0] for b in bins] for bins in layer_bins])


@settings(max_examples=60, deadline=None)
@given(WITH_PLACE)
def test_moves_have_the_bits_of_the_reference(
    rows: list[tuple[Geometry, int, int, int]],
) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    geometries, layer, laser, exposure = map(list, zip(*rows, strict=True)) if rows else [[]] * 4
    moves, mm = moves_between(
        columns_of(geometries), *(np.array(c, np.int64) for c in (layer, laser, exposure)), 4
    )
    expected = scan_path_reference.moves_between(geometries, layer, laser, exposure, 4)
    assert same_bits([moves.tolist(), mm.tolist()], list(expected))


@settings(max_examples=100, deadline=None)
@given(st.floats(-4, 4), st.floats(1e-3, 1e3))
@example(math.pi, 1.0)
def test_every_direction_is_in_one_bin_and_the_right_one(angle: float, length: float) -> None:
    x, y = np.float32(length * math.cos(angle)), np.float32(length * math.sin(angle))
    b = scan_path_reference.direction_bin(float(x), float(y))
    exact = math.degrees(math.atan2(y, x)) % 360.0
    assert abs((exact - (b + 0.5) + 180.0) % 360.0 - 180.0) <= 0.5 + 1e-9


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_an_axis_of_the_machine_begins_a_bin(degrees: int) -> None:
    dx, dy = bin_edges()[degrees]
    assert {abs(dx), abs(dy)} == {0.0, 1.0}
    assert scan_path_reference.direction_bin(dx, dy) == degrees


def test_the_loop_has_the_constants_of_the_module() -> None:
    assert (_scan_path_loop._BINS, _scan_path_loop._WINDOW) == (BINS, WINDOW)


def test_hatches_contours_points_and_jumps_by_hand() -> None:
    geometries = [
        Geometry(0, False, [(0.0, 0.0), (3.0, 4.0), (3.0, 5.0), (0.0, 1.0)]),
        Geometry(1, True, [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 0.0)]),
        Geometry(1, False, [(7.0, 7.0)]),
        Geometry(2, False, [(0.0, 0.0), (0.0, 1.0), (0.0, 1.0)]),
        Geometry(3, False, [(0.0, 1.0), (0.0, 9.0), (0.0, 99.0)]),
        Geometry(0, False, []),
    ]
    one = np.array([0, 1])
    sums = path_sums(columns_of(geometries), np.arange(6), np.array([0, 6]), one, one)
    assert sums.geometries.tolist() == [[2, 2, 1, 1]]
    assert sums.vectors.tolist() == [[2, 3, 3, 2]]
    assert sums.closed.tolist() == [1]
    np.testing.assert_allclose(sums.length_mm, [[10.0, 4.0 + 8.0**0.5, 0.0, 98.0]])
    assert (sums.inner_moves.tolist(), sums.inner_move_mm.tolist()) == ([2], [2.0])
    assert sums.bounds_mm.tolist() == [[0.0, 0.0, 7.0, 7.0]]
    degrees = int(math.degrees(math.atan2(4.0, 3.0)))
    assert np.flatnonzero(sums.directions_mm[0]).tolist() == [degrees, degrees + 180]


def test_a_laser_starts_each_layer_anew_and_lasers_do_not_meet() -> None:
    line = Geometry(0, False, [(0.0, 0.0), (1.0, 0.0)])
    empty = Geometry(0, False, [])
    geometries = [line, line, empty, line, line]
    moves, mm = moves_between(
        columns_of(geometries),
        np.array([0, 0, 0, 0, 1]),
        np.array([0, 1, 0, 0, 0]),
        np.array([0, 0, 0, 1, 0]),
        2,
    )
    assert (moves.tolist(), mm.tolist()) == ([0, 1], [0.0, 1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": [3, 4]}, "count is odd"),
        ({"offset": [0, 3]}, "reaches beyond the 6 points"),
        ({"offset": [0, 2**63 - 1]}, "reaches beyond"),
        ({"offset": [-1, 2]}, "reaches beyond"),
        ({"count": [2, -2]}, "reaches beyond"),
        ({"kind": [0, 4]}, "kind must be"),
        ({"closed": [False]}, "one length"),
        ({"y_mm": np.zeros(5)}, "one length"),
        ({"x_mm": np.full(6, np.nan)}, "not a finite"),
    ],
)
def test_what_is_not_there_is_refused(change: dict[str, list[int]], message: str) -> None:
    columns = {
        "kind": [0, 1],
        "closed": [False, False],
        "offset": [0, 2],
        "count": [2, 4],
        "x_mm": np.zeros(6),
        "y_mm": np.zeros(6),
    }
    points_of(columns)
    with pytest.raises(ValueError, match=message):
        points_of({**columns, **change})


def test_groups_that_are_none_are_refused() -> None:
    columns = columns_of([Geometry(0, False, [])])
    one = np.array([0, 1])
    for rows, start in (([0], [0, 2]), ([0], [1, 1]), ([1], [0, 1]), ([0], [])):
        with pytest.raises(ValueError, match="must"):
            path_sums(columns, np.array(rows), np.array(start, np.int64), one, one)
    with pytest.raises(ValueError, match="must be from 0 to 0"):
        group_rows(np.array([0, 1]), 1)
    with pytest.raises(ValueError, match="exposures from 0 to 0"):
        moves_between(columns, np.array([0]), np.array([0]), np.array([1]), 1)
    with pytest.raises(ValueError, match="per geometry"):
        moves_between(columns, np.array([0, 0]), np.array([0]), np.array([0]), 1)
