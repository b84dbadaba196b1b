from __future__ import annotations

import pytest

from pbf_ray.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(5.0, 300.0, draw=lambda: 1.0)
    assert [backoff.pause_s(n) for n in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.pause_s(10**6) == 300.0


@pytest.mark.parametrize(("drawn", "pause_s"), [(0.0, 2.5), (0.5, 3.75)])
def test_they_are_drawn_from_the_upper_half(drawn: float, pause_s: float) -> None:
    assert Backoff(5.0, 300.0, draw=lambda: drawn).pause_s(1) == pause_s


def test_the_chance_is_real() -> None:
    assert len({Backoff(5.0, 300.0).pause_s(1) for _ in range(20)}) > 1
