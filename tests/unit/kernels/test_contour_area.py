import math

import numpy as np
import pytest
from benchmarks.subjects import same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import _contour_area_loop, contour_area_reference
from pbf_ray.kernels.contour_area import contour_area
from pbf_ray.kernels.scan_path_reference import Geometry
from support.build_tables import Points, ring
from support.vectors import columns_of


def area(*contours: Points) -> float:
    columns = columns_of([Geometry(1, True, contour) for contour in contours])
    return float(contour_area(columns, np.arange(len(contours)), np.array([0, len(contours)]))[0])


@st.composite
def nested(draw: st.DrawFn, depth: int = 3) -> list[Points]:
    """Polygons in cells of a grid, each with others inside; none cross."""
    found: list[Points] = []

    def place(x: float, y: float, radius: float, left: int) -> None:
        corners = draw(st.integers(3, 9))
        begin = draw(st.floats(0.0, 6.0))
        polygon = [
            (
                x + radius * math.cos(begin + 2 * math.pi * i / corners),
                y + radius * math.sin(begin + 2 * math.pi * i / corners),
            )
            for i in range(corners)
        ]
        polygon.append(polygon[0])
        found.append(polygon[::-1] if draw(st.booleans()) else polygon)
        if left and draw(st.booleans()):
            inner = 0.35 * radius  # a triangle's inner circle has half the radius
            if draw(st.booleans()):
                place(x, y, inner, left - 1)
            else:
                for side in (-0.5, 0.5):
                    place(x + side * inner, y, 0.4 * inner, left - 1)

    for cell in range(draw(st.integers(0, 4))):
        place(10.0 * (cell % 2), 10.0 * (cell // 2), 4.5, depth)
    return draw(st.permutations(found))


@settings(max_examples=80, deadline=None)
@given(nested())
def test_it_has_the_bits_of_the_reference(contours: list[Points]) -> None:
    columns = columns_of([Geometry(1, True, contour) for contour in contours])
    points = list(zip(columns.x_mm.tolist(), columns.y_mm.tolist(), strict=True))
    single = [
        points[o : o + n]
        for o, n in zip(columns.offset.tolist(), columns.count.tolist(), strict=True)
    ]
    found = contour_area(columns, np.arange(len(contours)), np.array([0, len(contours)]))
    assert same_bits(found.tolist(), [contour_area_reference.contour_area(single)])


def test_outlines_holes_islands_and_offsets() -> None:
    square, hole = ring(10.0), ring(4.0, hole=True)
    assert area(square) == 100.0
    assert area(square[::-1]) == 100.0
    assert area(square, hole) == 84.0
    assert area(hole, square) == 84.0
    assert area(square, hole, ring(2.0)) == 88.0  # an island in the hole
    assert area(square, ring(9.0), ring(8.0)) == 100.0  # offset contours add nothing
    assert area(square, ring(9.0), hole, ring(5.0, hole=True)) == 84.0
    assert area(square, hole, ring(5.0, hole=True), ring(6.0, hole=True)) == 84.0
    assert area(square, ring(9.0), ring(8.0), hole) == 84.0
    assert area(square, ring(6.0, hole=True), hole, ring(2.0)) == 88.0
    two_holes = [ring(1.0, at=(x, 0.0), hole=True) for x in (-1.0, 1.0)]
    assert area(square, ring(5.0, hole=True), *two_holes) == 98.0  # one offset around both
    assert area(square, square, square) == 100.0  # exposed three times
    assert area(square, ring(10.0, at=(10.0, 0.0))) == 200.0  # side by side
    assert area(square, ring(10.0, hole=True)) == 0.0  # taken away whole


def test_what_encloses_nothing_has_no_area() -> None:
    line = [(0.0, 0.0), (1.0, 1.0), (0.0, 0.0)]
    assert area() == 0.0
    assert area(line, line) == 0.0
    opened = columns_of([Geometry(1, False, ring(3.0)), Geometry(0, False, ring(3.0)[:4])])
    assert contour_area(opened, np.arange(2), np.array([0, 1, 2])).tolist() == [0.0, 0.0]


def test_groups_do_not_see_each_other() -> None:
    columns = columns_of([Geometry(1, True, ring(10.0)), Geometry(1, True, ring(4.0, hole=True))])
    found = contour_area(columns, np.array([0, 1]), np.array([0, 1, 1, 2]))
    assert found.tolist() == [100.0, 0.0, 16.0]


def test_a_lattice_of_many_holes() -> None:
    # More bands of height than one, and edges that reach through all of them.
    n = 40
    holes = [ring(0.5, at=(x + 0.5, y + 0.5), hole=True) for x in range(n) for y in range(n)]
    plate = [(0.0, 0.0), (40.0, 0.0), (40.0, 40.0), (0.0, 40.0), (0.0, 0.0)]
    assert area(*holes, plate) == pytest.approx(1600.0 - 0.25 * n * n)
    assert area(plate, *[hole[::-1] for hole in holes]) == 1600.0


def walls(number: int, turn: float, *, length: float = 100.0) -> list[Points]:
    """Thin walls side by side, as high as all of them are wide, turned by ``turn`` (radians)."""
    c, s = math.cos(turn), math.sin(turn)
    found = []
    for i in range(number):
        left, right = length * i / number, length * (i + 0.5) / number
        corners = [(left, 0.0), (right, 0.0), (right, length), (left, length), (left, 0.0)]
        found.append([(c * x - s * y, s * x + c * y) for x, y in corners])
    return found


def looked_at(contours: list[Points]) -> int:
    """How many edges were looked at to say what lies in what."""
    columns = columns_of([Geometry(1, True, contour) for contour in contours])
    visits = np.zeros(1, np.int64)
    rows, start = np.arange(len(contours)), np.array([0, len(contours)])
    _contour_area_loop.contour_area(
        columns.kind, columns.closed, columns.offset, columns.count, columns.x_mm, columns.y_mm,
        rows, start, np.zeros(1), visits,
    )  # fmt: skip
    return int(visits[0])


@pytest.mark.parametrize("degrees", [0, 90, 45, -45, 20])
def test_thin_walls_cost_as_many_looks_as_there_are_walls(degrees: int) -> None:
    few, many = (looked_at(walls(number, math.radians(degrees))) for number in (500, 4_000))
    assert many < 20 * few  # 8 times as many walls; every one against every other were 64 times
    assert area(*walls(4_000, math.radians(degrees))) == pytest.approx(5_000.0, rel=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 60), st.floats(-3.2, 3.2), st.lists(st.integers(0, 59), max_size=8))
def test_walls_with_holes_have_the_bits_of_the_reference(
    number: int, turn: float, hollow: list[int]
) -> None:
    contours = walls(number, turn)
    for i in {i % number for i in hollow}:
        # The same wall again, narrower: every point nearer to the middle.
        x, y = (sum(point[axis] for point in contours[i][:4]) / 4 for axis in (0, 1))
        inner = [(x + 0.6 * (px - x), y + 0.6 * (py - y)) for px, py in contours[i]]
        contours.append(inner[::-1])
    columns = columns_of([Geometry(1, True, contour) for contour in contours])
    points = list(zip(columns.x_mm.tolist(), columns.y_mm.tolist(), strict=True))
    single = [points[5 * i : 5 * i + 5] for i in range(len(contours))]
    assert same_bits([area(*contours)], [contour_area_reference.contour_area(single)])
