import math
from itertools import pairwise

import numpy as np
import pytest
from benchmarks.subjects import same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import hatch_spacing_reference
from pbf_ray.kernels.hatch_spacing import HatchSpacing, hatch_spacing
from pbf_ray.kernels.scan_path_reference import Geometry
from support.build_tables import Points, hatched, turned
from support.vectors import COORDINATES, columns_of


def measured(points: Points, angle_deg: float, blocks: int = 1) -> tuple[float, float, int]:
    cuts = np.linspace(0, len(points) // 2, blocks + 1).astype(int) * 2
    geometries = [Geometry(0, False, points[a:b]) for a, b in pairwise(cuts)]
    return first(columns_of(geometries), angle_deg)


def first(columns: object, angle_deg: float) -> tuple[float, float, int]:
    angle = math.radians(angle_deg)
    rows = np.arange(len(columns))  # type: ignore[arg-type]
    found: HatchSpacing = hatch_spacing(
        columns,  # type: ignore[arg-type]
        rows,
        np.array([0, rows.size]),
        np.array([[math.cos(angle), math.sin(angle)]]),
    )
    return float(found.distance_mm[0]), float(found.share[0]), int(found.vectors[0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[COORDINATES] * 4), max_size=20),
    st.floats(0.0, math.pi),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.floats(0.5, 5.0)), max_size=30),
)
def test_it_has_the_bits_of_the_reference(
    wild: list[tuple[float, ...]], angle: float, lines: list[tuple[int, int, float]]
) -> None:
    axis = (math.cos(angle), math.sin(angle))
    along = [p for y, x, n in lines for p in ((x, 0.1 * y), (x + n, 0.1 * y))]
    points = [(x, y) for row in wild for x, y in (row[:2], row[2:])]
    points += turned(along, math.degrees(angle))
    columns = columns_of([Geometry(0, False, points)])
    single = list(zip(columns.x_mm.tolist(), columns.y_mm.tolist(), strict=True))
    found = hatch_spacing(columns, np.array([0]), np.array([0, 1]), np.array([axis]))
    expected = hatch_spacing_reference.hatch_spacing(
        list(zip(single[::2], single[1::2], strict=True)), axis
    )
    assert same_bits(
        [found.distance_mm[0].item(), found.share[0].item(), found.vectors[0].item()],
        list(expected),
    )


@pytest.mark.parametrize("distance", [0.03, 0.08, 0.1, 0.14, 1.0])
@pytest.mark.parametrize("angle", [0.0, 67.0, 90.0, 134.5, 179.9])
def test_a_rectangle_has_its_distance(distance: float, angle: float) -> None:
    points = hatched(5.0, 40 * distance, distance, angle_deg=angle, at=(120.0, -80.0))
    found, share, vectors = measured(points, angle)
    assert found == pytest.approx(distance, rel=1e-4)
    assert (share, vectors) == (1.0, 40)


def test_blocks_order_and_sense_do_not_matter() -> None:
    points = hatched(5.0, 10.0, 0.1, angle_deg=30.0)
    expected = measured(points, 30.0)[0]
    pairs = [points[i : i + 2] for i in range(0, len(points), 2)]
    rng = np.random.default_rng(5)
    shuffled = [p for i in rng.permutation(len(pairs)) for p in pairs[i]]
    skipping = [p for i in (*range(0, 100, 2), *range(1, 100, 2)) for p in pairs[i]]
    alternately = [p for i, pair in enumerate(pairs) for p in (pair if i % 3 else pair[::-1])]
    for other in (shuffled, skipping, alternately, points[::-1]):
        assert measured(other, 30.0)[0] == pytest.approx(expected, rel=1e-6)
    for blocks in (1, 7, 100):
        assert measured(points, 30.0, blocks) == measured(points, 30.0)


def test_islands_stripes_holes_and_gaps_do_not_spoil_it() -> None:
    stripes = [
        p
        for i in range(6)  # stripes overlap by 0.1 mm, and their lines do not meet
        for p in hatched(5.1, 8.0, 0.08, at=(5.0 * i, 0.013 * i))
    ]
    islands = [
        p
        for i in range(4)
        for j in range(4)  # every other island at right angles
        for p in turned(
            hatched(3.0, 3.0, 0.09, angle_deg=90.0 * ((i + j) % 2), at=(0.0, 0.0)),
            20.0,
            (4.0 * i, 4.0 * j),
        )
    ]
    interrupted = [
        p
        for (x0, y0), (x1, _) in zip(*[iter(hatched(9.0, 6.0, 0.1))] * 2, strict=True)
        for p in ((x0, y0), ((2 * x0 + x1) / 3, y0), ((x0 + 2 * x1) / 3, y0), (x1, y0))
    ]
    gaps = [p for i in range(5) for p in hatched(4.0, 1.0, 0.1, at=(0.0, 7.3 * i))]
    for points, angle, distance in (
        (stripes, 0.0, 0.08),
        (islands, 20.0, 0.09),
        (interrupted, 0.0, 0.1),
        (gaps, 0.0, 0.1),
    ):
        found, share, _ = measured(points, angle)
        assert found == pytest.approx(distance, rel=1e-4)
        assert share > 0.8


def test_what_is_exposed_twice_counts_once() -> None:
    points = hatched(5.0, 2.0, 0.1)
    assert measured(points + points, 0.0)[:2] == pytest.approx(measured(points, 0.0)[:2])


def test_lines_of_no_regular_distance_show_it() -> None:
    y, points = 0.0, []
    for i in range(60):
        y += 0.02 * 1.5 ** (i % 12)
        points += [(0.0, y), (5.0, y)]
    assert measured(points, 0.0)[1] < 0.5


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0.0, 0.0), (1.0, 0.0)],
        [(0.0, 0.0), (1.0, 0.0), (2.0, 1.0), (3.0, 1.0)],  # side by side nowhere
        [(0.0, 0.0), (1.0, 0.0), (0.0, 0.0), (1.0, 0.0)],  # on one line
        [(0.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, 1.0)],  # of no length
        [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)],  # across
    ],
)
def test_no_distance_is_nan(points: Points) -> None:
    found, share, vectors = measured(points, 0.0)
    assert math.isnan(found)
    assert (share, vectors) == (0.0, 0)


def test_more_crossings_than_are_kept_give_the_same_distance() -> None:
    # 32 probes across 20,000 lines would be 640,000 crossings.
    points = hatched(2.0, 1000.0, 0.05)
    found, share, vectors = measured(points, 0.0)
    assert found == pytest.approx(0.05, rel=1e-6)
    assert share > 0.999
    assert vectors == 20_000


def test_an_axis_that_is_not_known_is_not_measured() -> None:
    columns = columns_of([Geometry(0, False, hatched(5.0, 2.0, 0.1))])
    found = hatch_spacing(columns, np.array([0]), np.array([0, 1]), np.full((1, 2), np.nan))
    assert np.isnan(found.distance_mm).all()
    with pytest.raises(ValueError, match="axis must be"):
        hatch_spacing(columns, np.array([0]), np.array([0, 1]), np.zeros((2, 2)))
