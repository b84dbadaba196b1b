"""Build files of the twin: what is hatched is the area that the twin exposes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbf_ray.buildplan import plan_layers
from pbf_ray.formats import open_build
from pbf_ray.simulate.config import TwinConfig
from pbf_ray.simulate.plan import machine_plans
from pbf_ray.simulate.slices import write_build_files


def test_a_file_per_build_with_the_area_that_is_exposed(tmp_path: Path) -> None:
    config = TwinConfig(machines=2, layers=9, seed=3)
    first, second = write_build_files(config, tmp_path / "files")
    assert [first.name, second.name] == ["M01-B001.ovf", "M02-B001.ovf"]
    assert first.read_bytes() != second.read_bytes()
    (plan,) = machine_plans(config, 0)
    file = open_build(first)
    assert len(file) == 9
    tables = file.to_arrow()
    planned = plan_layers(
        tables.layers, tables.geometries, tables.coordinates, tables.build_styles
    ).layers
    # A polygon of 72 corners is a little smaller than its disc.
    assert planned["contour_area_mm2"].to_pylist() == pytest.approx(plan.area_mm2, rel=0.002)
    assert planned["hatch_distance_mm"].to_pylist() == pytest.approx([0.1] * 9, rel=0.01)
    turns = np.abs(planned["rotation_deg"].to_numpy()[1:])
    assert turns == pytest.approx([67.0] * 8, abs=0.5)
    assert planned["layer_thickness_um"].to_pylist()[1:] == pytest.approx([40.0] * 8)
    assert file.build_styles["laser_power_w"].to_pylist() == [150.0, 200.0]
    xy = np.stack([tables.coordinates["x_mm"].to_numpy(), tables.coordinates["y_mm"].to_numpy()])
    assert np.isfinite(xy).all()
    assert np.abs(xy).max() < 100.0
