"""The one rule, without Ray and without a broker: the stream gives what a batch gives."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, MemoryStores, MemoryTopics, stream
from support.oracle import assert_table, expected

values = st.one_of(
    st.none(),
    st.floats(0.5, 2000.0),
    st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1700.0, 1500.0, 1.0, 0.9]),
)


def _json(record: dict) -> bytes:
    text = json.dumps(record)
    return text.replace("-Infinity", '"-Infinity"').replace(" Infinity", ' "Infinity"').encode()


@st.composite
def records(draw: st.DrawFn, *, placed: bool) -> list[tuple[int, bytes | None]]:
    """(partition, value) in the order of sending."""
    times = st.floats(-1000.0, 1000.0) | st.integers(0, 20).map(float) | st.just(-0.0)
    if not placed:
        times = times | st.sampled_from([None, math.nan, math.inf, -math.inf])
    build = st.sampled_from([None, "", "B1", "B2"])
    layer = st.sampled_from([None, 0, 1, 2, 3])
    record = st.fixed_dictionaries(
        {
            "sensor_id": st.sampled_from(["s1", "s2", None]),
            "timestamp": times,
            "temperature": values,
            "pressure": values,
            "laser_power": values,
            "scan_speed": values,
            "build_id": build,
            "layer": layer,
        }
    ).map(_json)
    broken = st.sampled_from([None, b"", b"{", b'{"layer": 1', b"[1]", b'{"timestamp": 1.0,}'])
    return draw(st.lists(st.tuples(st.integers(0, 3), record | broken), max_size=60))


def check(
    sent: list[tuple[int, bytes | None]],
    path: Path,
    semantics: StreamSemantics,
    *,
    windows: int,
    epoch_max_rows: int,
) -> None:
    topics, stores = MemoryTopics(4), MemoryStores()
    for number, (partition, value) in enumerate(sent):
        topics.send(partition, value, gap=number % 3 // 2)
    pipeline = stream(
        topics, stores, path, semantics=semantics, windows=windows, epoch_max_rows=epoch_max_rows
    )
    assert pipeline.run() == "finished"
    wanted = expected(topics.all, sources=SOURCES, whole_input=semantics.whole_input, clock_s=1.7e9)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])
    progress = pipeline.progress()
    for name, count in wanted.books.items():
        assert getattr(progress, name) == count
    assert progress.pending == 0


@pytest.mark.semantics(59, 60, 61)
@settings(max_examples=70, deadline=None)
@given(
    sent=records(placed=True),
    windows=st.integers(1, 3),
    epoch_max_rows=st.sampled_from([1, 3, 7, 1000]),
)
def test_watermark_mode(
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[tuple[int, bytes | None]],
    windows: int,
    epoch_max_rows: int,
) -> None:
    check(
        sent,
        tmp_path_factory.mktemp("checkpoint"),
        StreamSemantics(bounded=True, allowed_lateness_s=3000.0),
        windows=windows,
        epoch_max_rows=epoch_max_rows,
    )


@pytest.mark.semantics(42, 61)
@settings(max_examples=70, deadline=None)
@given(
    sent=records(placed=False),
    windows=st.integers(1, 3),
    epoch_max_rows=st.sampled_from([1, 3, 7, 1000]),
)
def test_strict_mode_on_bounded_input(
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[tuple[int, bytes | None]],
    windows: int,
    epoch_max_rows: int,
) -> None:
    check(
        sent,
        tmp_path_factory.mktemp("checkpoint"),
        StreamSemantics(mode="strict", bounded=True),
        windows=windows,
        epoch_max_rows=epoch_max_rows,
    )
