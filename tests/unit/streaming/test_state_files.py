"""Layer states on disk: a chain of files that holds the same, whoever reads it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from pbf_ray.kernels.grouping import bucket_of
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.layer_states import LayerId, LayerStates
from pbf_ray.streaming.manifest import WindowFiles
from pbf_ray.streaming.state_files import StateFiles


def content(states: LayerStates) -> list[dict]:
    rows = states.everything().to_pylist()
    return sorted(rows, key=lambda row: repr((row["build_id"], row["layer"])))


def change(states: LayerStates, keys: list[LayerId], draw: random.Random) -> None:
    slots = states.slots(keys)
    rolling = states.take_rolling(slots)
    rolling.count += 1
    rolling.total += draw.choice([1.5, -0.0, float("inf"), float("nan")])
    rolling.minimum[:] = -0.0
    states.put_rolling(slots, rolling)
    states.rows[slots] += 1
    states.newest[slots] = draw.random()
    states.revision[slots] += 1
    for slot in slots:
        states.anomalies[slot]["high_pressure"] = int(states.rows[slot])
    states.changed.update(slots.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_restores_what_was_written_whatever_the_number_of_readers(
    seed: int, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    folder = CheckpointFolder(tmp_path)
    states, files = LayerStates(), StateFiles(folder)
    keys: list[LayerId] = [
        (build, layer) for build in ("A", "", None) for layer in (None, *range(60))
    ]
    for epoch in range(60):
        change(
            states, draw.sample(keys, draw.choice([1, 2, 150] if epoch < 2 else [0, 1, 3])), draw
        )
        if epoch % 7 == 3:
            states.drop(draw.choice(sorted(states.slot_of, key=repr)))
        chain = files.write(f"states/{epoch}.arrow", states)
        assert len(chain) <= 21
        window = WindowFiles(states=chain)
        restored = []
        for worker in range(3):
            part = LayerStates()
            StateFiles(folder).restore(
                [window], part, lambda key, worker=worker: bucket_of(*key, 16) % 3 == worker
            )
            restored += content(part)
        wanted = content(states)
        assert len(restored) == len(wanted)
        for found, row in zip(
            sorted(restored, key=lambda row: repr((row["build_id"], row["layer"]))),
            wanted,
            strict=True,
        ):
            np.testing.assert_equal(found, row)


def test_a_small_change_of_a_large_state_writes_little(tmp_path: Path) -> None:
    draw = random.Random(0)
    states, files = LayerStates(), StateFiles(CheckpointFolder(tmp_path))
    keys: list[LayerId] = [("B", layer) for layer in range(5000)]
    change(states, keys, draw)
    (base,) = files.write("states/base.arrow", states)
    written = 0
    for epoch in range(100):
        change(states, [keys[epoch % 3]], draw)
        chain = files.write(f"states/{epoch}.arrow", states)
        assert chain[0] == base
        written += chain[-1].size
    assert written < base.size
