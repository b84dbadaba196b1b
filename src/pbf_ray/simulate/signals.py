"""What a sensor shows while all is well: set point, warm-up, autocorrelated noise, steps.

Real channels are neither white nor fine-grained: lag-1 autocorrelation 0.5 to 1, drift over the
first hundred layers, and a resolution so coarse that many successive values are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEALTHY_SIGNALS", "ChannelSignal", "autoregressive", "quantise", "warm_up_share"]


@dataclass(frozen=True)
class ChannelSignal:
    """How one channel behaves in a healthy build; all in the channel's unit.

    Attributes:
        channel: Channel name.
        setpoint: Value once the machine is warm.
        sigma: Standard deviation of the noise within a layer.
        autocorrelation: Correlation of the noise of successive samples of one sensor, 0 to 1.
        resolution: Step between values that the sensor can show.
        warm_up: Offset of the first layer; it decays over the warm-up layers.
        sensor_spread: Standard deviation of the constant offsets between sensors.
        layer_spread: Standard deviation of the logarithm of each layer's noise; 0 keeps sigma.
    """

    channel: str
    setpoint: float
    sigma: float
    autocorrelation: float
    resolution: float
    warm_up: float = 0.0
    sensor_spread: float = 0.0
    layer_spread: float = 0.0


HEALTHY_SIGNALS: Final[tuple[ChannelSignal, ...]] = (
    ChannelSignal(
        "temperature",
        setpoint=1600.0,
        sigma=9.8,
        autocorrelation=0.6,
        resolution=0.5,
        warm_up=-20.0,
        sensor_spread=1.5,
        layer_spread=0.45,
    ),
    ChannelSignal(
        "pressure",
        setpoint=0.95,
        sigma=0.011,
        autocorrelation=0.8,
        resolution=0.0005,
        warm_up=0.004,
        sensor_spread=0.001,
    ),
    ChannelSignal(
        "laser_power",
        setpoint=200.0,
        sigma=4.0,
        autocorrelation=0.5,
        resolution=0.1,
        warm_up=2.0,
        sensor_spread=0.5,
    ),
    ChannelSignal(
        "scan_speed",
        setpoint=1.2,
        sigma=0.02,
        autocorrelation=0.3,
        resolution=0.001,
        sensor_spread=0.002,
    ),
)
"""Set points of the replaced pipeline's simulator, in the order of ``CHANNELS``.

The noise leaves the limits of the default rule profile a few times in 100,000 records, and most
layers have a temperature deviation below 10 or 20 degC.
"""


def autoregressive(
    innovations: NDArray[np.float64],
    autocorrelation: NDArray[np.float64],
    before: NDArray[np.float64],
) -> NDArray[np.float64]:
    """First-order autoregressive series ``x[t] = a * x[t-1] + e[t]``.

    Args:
        innovations: float64[channels, samples, sensors], ``e``; overwritten with the result.
        autocorrelation: float64[channels], ``a`` of each channel.
        before: float64[channels, sensors], the value before the first sample.

    Returns:
        float64[channels, samples, sensors], ``x``.
    """
    factor = autocorrelation[:, None, None]
    series = innovations
    series[:, 0] += autocorrelation[:, None] * before
    samples = series.shape[1]
    # Recursive doubling: after the pass with step s every value holds its last 2s innovations.
    step = 1
    while step < samples and factor.max() > 1e-17:
        series[:, step:] += factor * series[:, :-step]
        factor = factor * factor
        step *= 2
    return series


def quantise(values: NDArray[np.float64], resolution: float) -> NDArray[np.float64]:
    """The nearest values that a sensor of this resolution can show.

    Dividing by a whole number of steps per unit gives the float that prints shortest
    (``1600.3``, not ``1600.3000000000002``).
    """
    steps_per_unit = 1.0 / resolution
    if abs(steps_per_unit - round(steps_per_unit)) < 1e-9 * steps_per_unit:
        return np.rint(values * round(steps_per_unit)) / round(steps_per_unit)
    return np.rint(values / resolution) * resolution


def warm_up_share(layer: int, warm_up_layers: int) -> float:
    """Share of the warm-up offset that is left in a layer: 1 in the first, 5 % at the end."""
    return float(np.exp(-3.0 * layer / warm_up_layers)) if warm_up_layers else 0.0
