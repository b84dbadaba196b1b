from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pbf_ray.errors import SettingError
from pbf_ray.simulate.config import TwinConfig
from pbf_ray.simulate.faults import Fault
from pbf_ray.simulate.signals import HEALTHY_SIGNALS
from pbf_ray.simulate.twin import Twin


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"machines": 0}, "machines"),
        ({"layers": 1.5}, "layers"),
        ({"sensors": True}, "sensors"),
        ({"seed": -1}, "seed"),
        ({"records_per_layer": 0}, "records_per_layer"),
        ({"collection_interval_s": 0.0}, "collection_interval_s"),
        ({"collection_interval_s": float("nan")}, "collection_interval_s"),
        ({"start_time_s": float("inf")}, "start_time_s"),
        ({"missing_rate": 1.01}, "missing_rate"),
        ({"repeat_rate": -0.1}, "repeat_rate"),
        ({"max_disorder_s": 4000.0}, "max_disorder_s"),
        ({"malformed_kinds": ("upside_down",)}, "malformed_kinds"),
        ({"malformed_rate": 0.1, "malformed_kinds": ()}, "malformed_kinds"),
        ({"random_faults_per_build": 51}, "random_faults_per_build"),
        ({"faults": (Fault("hot_spot", "M09-B001", 0, 0),)}, "faults"),
        ({"faults": (Fault("hot_spot", "M01-B001", 3, 50),)}, "faults"),
        ({"faults": (Fault("hot_spot", "M01-B001", 4, 3),)}, "faults"),
        ({"faults": (Fault("hot_spot", "M01-B001", 4, 4, float("nan")),)}, "faults"),
        ({"faults": (Fault("fire", "M01-B001", 4, 4),)}, "faults"),
        ({"signals": HEALTHY_SIGNALS[::-1]}, "signals"),
        (
            {"signals": (replace(HEALTHY_SIGNALS[0], resolution=0.0), *HEALTHY_SIGNALS[1:])},
            "signals.temperature.resolution",
        ),
        (
            {"signals": (replace(HEALTHY_SIGNALS[0], autocorrelation=1.0), *HEALTHY_SIGNALS[1:])},
            "signals.temperature.autocorrelation",
        ),
    ],
)
def test_a_bad_value_is_refused_by_name(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingError) as caught:
        TwinConfig(**changes)
    assert caught.value.key == key


def test_records_closer_than_time_stamps_can_tell_are_refused() -> None:
    twin = Twin(TwinConfig(layers=2, records_per_layer=10_000_000))
    with pytest.raises(SettingError, match="apart") as caught:
        next(twin.records())
    assert caught.value.key == "records_per_layer"
