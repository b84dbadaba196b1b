import math

import numpy as np
import pytest
from benchmarks.subjects import same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import contour_area_reference
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
