from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS
from pbf_ray.errors import SettingError
from pbf_ray.simulate.faults import (
    FAULT_CLASSES,
    FAULT_KINDS,
    Fault,
    FaultKind,
    apply_fault,
    draw_faults,
    parse_fault,
)

HEALTHY = np.array([1600.0, 0.95, 200.0, 1.2])


def _layer(samples: int = 10, sensors: int = 2) -> np.ndarray:
    return np.tile(HEALTHY[:, None, None], (1, samples, sensors))


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_a_fault_shows_in_its_channels_and_only_in_the_samples_it_reports(kind: FaultKind) -> None:
    values = _layer()
    progress = (np.arange(10) + 0.5) / 10
    mask = apply_fault(Fault(kind, "b", 5, 9), values, layer=7, progress=progress)
    changed = values != _layer()
    assert {CHANNELS[row] for row in np.flatnonzero(changed.any(axis=(1, 2)))} == set(
        FAULT_CLASSES[kind].channels
    )
    assert (changed.any(axis=(0, 2)) == mask).all()
    assert mask.any()


def test_default_magnitudes_leave_the_limits_of_the_default_profile() -> None:
    progress = np.array([0.5])
    shown = {}
    for kind in FAULT_KINDS:
        values = _layer(1, 1)
        apply_fault(Fault(kind, "b", 0, 0), values, layer=0, progress=progress)
        shown[kind] = values[:, 0, 0]
    assert shown["hot_spot"][0] > 1750.0
    assert shown["gas_flow_step"][1] < 0.86
    assert shown["laser_power_loss"][2] < 140.0


def test_a_hot_spot_is_hot_only_while_its_part_is_exposed() -> None:
    values = _layer(100, 1)
    progress = (np.arange(100) + 0.5) / 100
    mask = apply_fault(Fault("hot_spot", "b", 0, 0, 99.0), values, layer=0, progress=progress)
    assert mask.sum() == 40
    assert set(values[0, mask, 0]) == {1699.0}
    assert set(values[0, ~mask, 0]) == {1600.0}


def test_heat_of_a_gas_flow_step_grows_with_the_layers() -> None:
    heights = []
    for layer in (3, 8, 13, 50):
        values = _layer()
        apply_fault(
            Fault("gas_flow_step", "b", 3, 50), values, layer=layer, progress=np.full(10, 0.5)
        )
        heights.append(values[0].mean())
    assert heights == sorted(heights)
    assert heights[0] < heights[1] < heights[2]


@settings(deadline=None, max_examples=60)
@given(layers=st.integers(1, 200), share=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_drawn_faults_do_not_share_layers(layers: int, share: float, seed: int) -> None:
    count = round(share * layers)
    faults = draw_faults(np.random.default_rng(seed), build_id="b", layers=layers, count=count)
    assert len(faults) == count
    covered = [layer for f in faults for layer in range(f.first_layer, f.last_layer + 1)]
    assert len(covered) == len(set(covered))
    assert set(covered) <= set(range(layers))
    assert len({fault.kind for fault in faults}) == min(count, len(FAULT_KINDS))


def test_parse_fault_reads_what_users_write() -> None:
    assert parse_fault("hot_spot@M01-B001:20-25") == Fault("hot_spot", "M01-B001", 20, 25)
    assert parse_fault(" gas_flow_step@M02-B001:40=0.12 ") == Fault(
        "gas_flow_step", "M02-B001", 40, 40, 0.12
    )


@pytest.mark.parametrize(
    "text", ["", "hot_spot", "hot_spot@:3", "fire@M01-B001:3", "hot_spot@b:3-=1", "hot_spot@b:3=1e"]
)
def test_parse_fault_refuses_with_an_example(text: str) -> None:
    with pytest.raises(SettingError, match="hot_spot@M01-B001:20-25"):
        parse_fault(text)
