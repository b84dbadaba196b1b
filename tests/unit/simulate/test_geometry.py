from __future__ import annotations

import math

import numpy as np
import pytest

from pbf_ray.simulate.geometry import Frustum, draw_parts, exposed_area_mm2


def test_a_cuboid_has_the_same_area_up_to_its_top_and_none_above() -> None:
    area = Frustum("square", 10.0, 10.0, 3).area_mm2(5)
    assert area.tolist() == [100.0, 100.0, 100.0, 0.0, 0.0]


def test_a_cone_shrinks_and_an_overhang_grows_from_base_to_top() -> None:
    cone = Frustum("disc", 20.0, 4.0, 9).area_mm2(9)
    overhang = Frustum("square", 6.0, 24.0, 9).area_mm2(9)
    assert cone[0] == pytest.approx(math.pi * 100.0)
    assert cone[-1] == pytest.approx(math.pi * 4.0)
    assert (np.diff(cone) < 0).all()
    assert (overhang[0], overhang[-1]) == pytest.approx((36.0, 576.0))
    assert (np.diff(overhang) > 0).all()


@pytest.mark.parametrize("layers", [1, 2, 7, 400])
def test_every_layer_of_a_drawn_build_exposes_something(layers: int) -> None:
    for seed in range(20):
        parts = draw_parts(np.random.default_rng(seed), layers=layers, parts=6)
        area = exposed_area_mm2(parts, layers)
        assert area.min() >= 12.0**2
        assert area.max() < 6 * 28.0**2


def test_parts_end_at_different_heights_so_that_the_area_jumps() -> None:
    parts = draw_parts(np.random.default_rng(3), layers=400, parts=6)
    assert len({part.layers for part in parts}) > 3
    assert {part.section for part in parts} == {"square", "disc"}
