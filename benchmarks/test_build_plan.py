"""What a layer of a million hatch vectors means, against the same in NumPy.

The peer is what one writes with array operations: the same lengths, gaps, bounds, histogram, axis,
hatch distance (of successive vectors, which is enough for this layer, and not in general) and
times. Results go to ``benchmarks/results/build_plan.json``.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.comparison import compare, recorded, seconds

from pbf_ray.buildplan import BuildPlan, MachineTimes, plan_layers
from pbf_ray.contracts import (
    BUILD_COORDINATES,
    BUILD_GEOMETRIES,
    BUILD_LAYERS,
    BUILD_STYLES,
    GEOMETRY_KINDS,
)

VECTORS = 1_000_000
STRIPE_MM, DISTANCE_MM, ANGLE_DEG, LINES = 5.0, 0.1, 33.0, 2500
ROUNDS = 7
MACHINE = MachineTimes(jump_speed_mm_s=5000.0, jump_delay_us=100.0)


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    with recorded("build_plan", ("numpy", "pyarrow"), vectors=VECTORS) as found:
        yield found


@dataclass(frozen=True)
class Layer:
    """A layer hatched in stripes, as readers give it."""

    layers: pa.Table
    geometries: pa.Table
    coordinates: pa.Table
    styles: pa.Table

    def plan(self) -> BuildPlan:
        return plan_layers(
            self.layers, self.geometries, self.coordinates, self.styles, machine=MACHINE
        )


def make_layer(vectors: int, block: int) -> Layer:
    """Stripes of alternating vectors, ``block`` of them in a geometry."""
    number = np.arange(vectors)
    stripe, line = number // LINES, number % LINES
    ends = np.stack([stripe * STRIPE_MM, (stripe + 1) * STRIPE_MM], axis=1)
    ends[line % 2 == 1] = ends[line % 2 == 1, ::-1]
    x, y = ends.ravel(), np.repeat(line * DISTANCE_MM, 2)
    c, s = math.cos(math.radians(ANGLE_DEG)), math.sin(math.radians(ANGLE_DEG))
    count = vectors // block
    kinds = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(count, np.int8)), pa.array(GEOMETRY_KINDS)
    )
    columns = {
        "layer": np.zeros(count, np.int32),
        "geometry_id": np.arange(count, dtype=np.int32),
        "kind": kinds,
        "model_id": np.ones(count, np.int32),
        "build_style_id": np.ones(count, np.int32),
        "laser_id": pa.nulls(count, pa.int32()),
        "closed": pa.nulls(count, pa.bool_()),
        "offset": np.arange(count) * 2 * block,
        "count": np.full(count, 2 * block),
    }
    style = dict.fromkeys(BUILD_STYLES.names) | {
        "build_style_id": 1, "laser_power_w": 200.0, "speed_mm_s": 800.0,
        "name": "", "description": "", "parameters": [], "raw_tags": [],
    }  # fmt: skip
    row = {
        "layer": 0, "z_mm": 0.03, "first_geometry": 0, "geometry_count": count,
        "first_point": 0, "point_count": 2 * vectors,
    }  # fmt: skip
    return Layer(
        pa.Table.from_pylist([row], BUILD_LAYERS),
        pa.table(columns, schema=BUILD_GEOMETRIES),
        pa.table(
            {
                "x_mm": (c * x - s * y).astype(np.float32),
                "y_mm": (s * x + c * y).astype(np.float32),
            },
            schema=BUILD_COORDINATES,
        ),
        pa.Table.from_pylist([style], BUILD_STYLES),
    )


def with_numpy(layer: Layer) -> dict[str, Any]:
    """The same by array operations."""
    x = layer.coordinates["x_mm"].chunk(0).to_numpy().astype(np.float64)
    y = layer.coordinates["y_mm"].chunk(0).to_numpy().astype(np.float64)
    dx, dy = x[1::2] - x[::2], y[1::2] - y[::2]
    length = np.sqrt(dx * dx + dy * dy)
    gap = np.sqrt((x[2::2] - x[1:-1:2]) ** 2 + (y[2::2] - y[1:-1:2]) ** 2)
    angle = np.degrees(np.arctan2(dy, dx)) % 360.0
    histogram = np.bincount((angle // 5).astype(int) % 72, length, 72)
    doubled = np.radians(2.0 * angle)
    axis = math.degrees(
        0.5 * math.atan2(np.sum(length * np.sin(doubled)), np.sum(length * np.cos(doubled)))
    )
    ux, uy = math.cos(math.radians(axis)), math.sin(math.radians(axis))
    middle = (ux * (y[::2] + y[1::2]) - uy * (x[::2] + x[1::2])) / 2
    distance = float(np.median(np.abs(np.diff(middle))))
    total = float(length.sum())
    moved = float(gap.sum())
    jumps = int(np.count_nonzero(gap))
    return {
        "hatched_length_mm": total,
        "implied_jumps": jumps,
        "implied_jump_length_mm": moved,
        "x_min_mm": float(x.min()),
        "x_max_mm": float(x.max()),
        "y_min_mm": float(y.min()),
        "y_max_mm": float(y.max()),
        "direction_histogram_mm": histogram.tolist(),
        "scan_axis_deg": axis % 180.0,
        "hatch_distance_mm": distance,
        "hatched_area_mm2": total * distance,
        "exposure_time_s": total / 800.0,
        "implied_jump_time_s": moved / 5000.0 + jumps * 1e-4,
        "areal_energy_j_mm2": 200.0 / 800.0 / distance,
    }


@pytest.mark.parametrize(("name", "block"), [("blocks of 2500", 2500), ("blocks of 1", 1)])
def test_a_layer_of_a_million_vectors(name: str, block: int, results: dict[str, Any]) -> None:
    layer = make_layer(VECTORS, block)
    (found,) = layer.plan().layers.to_pylist()
    for column, value in with_numpy(layer).items():
        # The peer's hatch distance is a median of differences of single-precision coordinates.
        assert found[column] == pytest.approx(value, rel=1e-4), column
    compare(
        results, name, VECTORS / 1e6, layer.plan, {"numpy": lambda: with_numpy(layer)},
        unit="m_vectors_per_s",
    )  # fmt: skip


def test_growth(results: dict[str, Any]) -> None:
    """Rate at 1x, 4x and 16x of the vectors; the exponent of the cost (1 is linear)."""
    sizes = [VECTORS // 16, VECTORS // 4, VECTORS]
    medians = []
    for size in sizes:
        layer = make_layer(size - size % LINES, LINES)
        layer.plan()
        medians.append(statistics.median(seconds(layer.plan) for _ in range(ROUNDS)))
    results["growth"] = {
        "m_vectors_per_s": [
            round(size / took / 1e6, 1) for size, took in zip(sizes, medians, strict=True)
        ],
        "exponent": round(math.log(medians[2] / medians[0], 16), 2),
    }
    print(f"\ngrowth: {json.dumps(results['growth'])}")
