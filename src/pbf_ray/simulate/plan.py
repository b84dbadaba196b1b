"""When each layer of a build is recoated and exposed, and when the sensors sample it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pbf_ray.errors import SettingError
from pbf_ray.simulate.config import TwinConfig, build_name
from pbf_ray.simulate.geometry import (
    EXPOSURE_S_PER_MM2,
    RECOATING_S,
    RECOATING_SD_S,
    Frustum,
    draw_parts,
    exposed_area_mm2,
)

__all__ = ["BuildPlan", "build_parts", "chance", "machine_plans"]

_PURPOSES: Final = (
    "start",
    "geometry",
    "timing",
    "sampling",
    "noise",
    "faults",
    "missing",
    "malformed",
    "repeats",
    "disorder",
)
_SENSOR_JITTER: Final = 0.3
"""Share of a sensor's slot in the collection interval by which it samples early or late."""


def chance(seed: int, machine: int, build: int, purpose: str) -> np.random.Generator:
    """The source of chance for one purpose of one build.

    Each has its own, so that a changed rate or an added machine leaves all else as it was.
    """
    key = (machine, build, _PURPOSES.index(purpose))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class BuildPlan:
    """The layers of one build; arrays have one entry a layer.

    A layer starts with recoating; sensors send while the laser exposes.

    Attributes:
        build_id: Id of the build.
        area_mm2: Exposed area.
        start_s: Start of the layer, seconds since 1970-01-01 UTC.
        exposure_start_s: Start of the exposure.
        exposure_s: Duration of the exposure.
        samples: Records of each sensor.
        interval_s: Time between the records of one sensor.
        end_s: End of the last layer.
        time_decimals: Decimals of a second in time stamps.
    """

    build_id: str
    area_mm2: NDArray[np.float64]
    start_s: NDArray[np.float64]
    exposure_start_s: NDArray[np.float64]
    exposure_s: NDArray[np.float64]
    samples: NDArray[np.int64]
    interval_s: NDArray[np.float64]
    end_s: float
    time_decimals: int

    def sample_times_s(
        self, layer: int, sensors: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Sampling times of one layer, strictly increasing.

        Returns:
            float64[samples, sensors]: the sensors take turns within each interval.
        """
        samples = int(self.samples[layer])
        jitter = rng.uniform(-_SENSOR_JITTER, _SENSOR_JITTER, (samples, sensors))
        slot = (np.arange(sensors) + 0.5 + jitter) / sensors
        place = np.arange(samples)[:, None] + slot
        times = self.exposure_start_s[layer] + place * self.interval_s[layer]
        rounded: NDArray[np.float64] = np.round(times, self.time_decimals)
        return rounded


def build_parts(config: TwinConfig, machine: int, build: int) -> tuple[Frustum, ...]:
    """The parts that a machine builds in one build."""
    return draw_parts(
        chance(config.seed, machine, build, "geometry"),
        layers=config.layers,
        parts=config.parts_per_build,
    )


def machine_plans(config: TwinConfig, machine: int) -> Iterator[BuildPlan]:
    """The builds of one machine, one after the other.

    Raises:
        SettingError: Records would follow each other faster than time stamps can tell.
    """
    stagger_s = 0.0 if machine == 0 else chance(config.seed, machine, 0, "start").uniform(0.0, 60.0)
    start_s = config.start_time_s + stagger_s
    for build in range(config.builds):
        plan = _plan(config, machine, build, start_s)
        yield plan
        start_s = plan.end_s + config.build_gap_s


def _plan(config: TwinConfig, machine: int, build: int, start_s: float) -> BuildPlan:
    parts = build_parts(config, machine, build)
    area_mm2 = exposed_area_mm2(parts, config.layers)
    exposure_s = EXPOSURE_S_PER_MM2 * area_mm2
    residual = chance(config.seed, machine, build, "timing").standard_normal(config.layers)
    recoating_s = RECOATING_S + RECOATING_SD_S * np.clip(residual, -4.0, 4.0)
    end_s = start_s + np.cumsum(recoating_s + exposure_s)
    layer_start_s = np.concatenate(([start_s], end_s[:-1]))
    if config.records_per_layer is None:
        samples = np.maximum(1, (exposure_s / config.collection_interval_s).astype(np.int64))
        interval_s = np.minimum(config.collection_interval_s, exposure_s)
        key = "collection_interval_s"
    else:
        samples = np.full(config.layers, config.records_per_layer, dtype=np.int64)
        interval_s = exposure_s / config.records_per_layer
        key = "records_per_layer"
    closest_s = float(interval_s.min()) / config.sensors * (1.0 - 2.0 * _SENSOR_JITTER)
    if closest_s < 2e-6:
        raise SettingError(
            key,
            "TwinConfig",
            f"records of build {build_name(machine, build)} would be {closest_s:.1e} s apart",
            advice="time stamps tell microseconds apart: fewer records a layer, or fewer sensors",
        )
    return BuildPlan(
        build_id=build_name(machine, build),
        area_mm2=area_mm2,
        start_s=layer_start_s,
        exposure_start_s=layer_start_s + recoating_s,
        exposure_s=exposure_s,
        samples=samples,
        interval_s=interval_s,
        end_s=float(end_s[-1]),
        time_decimals=3 if closest_s >= 2e-3 else 6,
    )
