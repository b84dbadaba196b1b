from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS
from pbf_ray.simulate.signals import HEALTHY_SIGNALS, autoregressive, quantise, warm_up_share


def test_the_signals_follow_the_order_of_the_channels() -> None:
    assert tuple(signal.channel for signal in HEALTHY_SIGNALS) == CHANNELS


@settings(deadline=None, max_examples=60)
@given(
    samples=st.integers(1, 70),
    factors=st.lists(st.floats(0.0, 0.999), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_autoregressive_is_the_recursion(samples: int, factors: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(factors), samples, 2))
    before = rng.standard_normal((len(factors), 2))
    expected = np.empty_like(noise)
    for channel, factor in enumerate(factors):
        for sensor in range(2):
            value = before[channel, sensor]
            for sample in range(samples):
                value = factor * value + noise[channel, sample, sensor]
                expected[channel, sample, sensor] = value
    result = autoregressive(noise.copy(), np.array(factors), before)
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("resolution", [0.5, 0.0005, 0.1, 0.001, 2.0, 0.3])
def test_quantise_gives_the_nearest_step(resolution: float) -> None:
    values = np.random.default_rng(1).uniform(-50.0, 2000.0, 500)
    shown = quantise(values, resolution)
    steps = shown / resolution
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert np.abs(shown - values).max() <= resolution / 2 * 1.000001


def test_quantised_values_print_with_the_digits_of_the_sensor() -> None:
    values = np.random.default_rng(2).uniform(0.0, 2000.0, 500)
    assert max(len(repr(value).partition(".")[2]) for value in quantise(values, 0.1).tolist()) == 1


def test_warm_up_is_nearly_over_after_its_layers() -> None:
    assert warm_up_share(0, 100) == 1.0
    assert warm_up_share(100, 100) == pytest.approx(0.05, abs=0.001)
    assert warm_up_share(0, 0) == 0.0
