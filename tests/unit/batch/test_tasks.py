from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.batch.builds.inputs import InputFile
from pbf_ray.batch.builds.tasks import ReadingOptions, layers_of_part, split


class _Build:
    def __init__(self, sizes: list[int]) -> None:
        self.layers = pa.table({"byte_size": pa.array(sizes, pa.int64())})


@given(st.lists(st.integers(0, 1000), max_size=50), st.integers(1, 60))
def test_every_layer_is_in_exactly_one_part(sizes: list[int], parts: int) -> None:
    build: Any = _Build(sizes)
    ranges = [layers_of_part(build, part, parts) for part in range(parts)]
    assert [layer for first, behind in ranges for layer in range(first, behind)] == list(
        range(len(sizes))
    )


def test_parts_are_about_equal() -> None:
    build: Any = _Build(np.random.default_rng(1).integers(1, 1000, 5000).tolist())
    sizes = np.array(build.layers["byte_size"].to_pylist())
    shares = [sizes[slice(*layers_of_part(build, part, 7))].sum() for part in range(7)]
    assert max(shares) - min(shares) < 2000


def test_the_sizes_of_files_decide_how_many_tasks_there_are() -> None:
    file = InputFile("/x/a.cli", 1000, build="a")
    tasks = split([file, replace(file, size=0), replace(file, size=1001)], ReadingOptions(),
                  split_bytes=500)  # fmt: skip
    assert [(task.part, task.parts) for task in tasks] == [
        (0, 2), (1, 2), (0, 1), (0, 3), (1, 3), (2, 3),
    ]  # fmt: skip
    assert pickle.loads(pickle.dumps(tasks)) == tasks  # noqa: S301 - our own
    with pytest.raises(ValueError, match="split_bytes"):
        split([file], ReadingOptions(), split_bytes=0)
