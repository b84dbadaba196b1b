"""A replayed dead letter is taken as if it had been good from the start."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS, OUTPUT_TABLES, record_key
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import SOURCES, Clock, MemoryStores, MemoryTopics, Steps, stream
from support.oracle import Expected, assert_table, expected

RULES = StreamSemantics(allowed_lateness_s=5.0, layer_gap_s=20.0)


def record(second: float, layer: int = 1, build: str = "B") -> bytes:
    return json.dumps(
        {
            "timestamp": second,
            "temperature": 1600.0 + 7.3 * (second % 11),
            "laser_power": 200.0 + second % 3,
            "build_id": build,
            "layer": layer,
        }
    ).encode()


def key_of(offset: int, partition: int = 0, job: str = "job", source: str = "cluster:ispm") -> str:
    return record_key(job, source, partition, offset)


def assert_layers_nearly(found: Any, wanted: Expected) -> None:
    """Counts, times and extremes exactly; mean and deviation to the last digits."""
    layers = {(row["build_id"], row["layer"]): row for row in found.to_pylist()}
    assert layers.keys() == wanted.tables["layer_quality"].keys()
    for key, row in layers.items():
        for name, value in wanted.tables["layer_quality"][key].items():
            if name.endswith(("_avg", "_std")) and value is not None:
                assert math.isclose(row[name], value, rel_tol=1e-9, abs_tol=1e-9), (key, name)
            else:
                assert row[name] == value, (key, name)


def run_with_a_bad_record(path: Path) -> tuple[MemoryTopics, MemoryStores, Steps, Clock]:
    """60 s of records in two layers; the one of second 10 is cut short, and far behind by now."""
    topics, stores, clock = MemoryTopics(1), MemoryStores(), Clock(1000.0)
    steps = Steps(stream(topics, stores, path, semantics=RULES, clock=clock))
    for second in range(60):
        good = record(float(second), layer=1 + second // 30)
        topics.send(0, good[:-9] if second == 10 else good)
        if second % 7 == 0:
            steps.settle()
    steps.settle()
    assert len(stores.rows["dead_letters"]) == 1
    assert any(row["layer"] == 1 for row in stores.rows["layer_quality"].values()), "it has closed"
    return topics, stores, steps, clock


def test_a_replayed_record_comes_to_its_closed_layer(tmp_path: Path) -> None:
    topics, stores, steps, _ = run_with_a_bad_record(tmp_path)
    topics.send(0, record(10.0), replay_of=key_of(10))
    steps.settle()
    books = steps.pipeline._ledger.books
    assert (books.consumed, books.dead_letters, books.late, books.replayed) == (61, 1, 0, 1)
    closed = next(row for row in stores.rows["layer_quality"].values() if row["layer"] == 1)
    assert (closed["n"], closed["revision"]) == (30, 2)
    stream(topics, stores, tmp_path, semantics=replace(RULES, bounded=True)).run()
    wanted = expected(topics.all, sources=SOURCES)
    assert_layers_nearly(stores.table("layer_quality"), wanted)
    for name in ("ispm_monitoring", "ispm_anomalies", "dead_letters", "late_records"):
        assert_table(name, stores.table(name), wanted.tables[name])
    assert stores.rows["quality_metrics"].keys() == {
        row["record_key"] for row in wanted.tables["quality_metrics"].values()
    }


def test_a_replay_before_the_watermark_is_exact_to_the_bit(tmp_path: Path) -> None:
    topics, stores, clock = MemoryTopics(1), MemoryStores(), Clock(1000.0)
    steps = Steps(stream(topics, stores, tmp_path, semantics=RULES, clock=clock))
    for second in (0, 1, 2, 3):
        topics.send(0, b"{" if second == 2 else record(float(second)))
    steps.settle()
    topics.send(0, record(2.0), replay_of=key_of(2))
    steps.settle()
    stream(topics, stores, tmp_path, semantics=replace(RULES, bounded=True)).run()
    wanted = expected(topics.all, sources=SOURCES)
    for name in OUTPUT_TABLES:
        assert_table(name, stores.table(name), wanted.tables[name])


@pytest.mark.parametrize(
    "origin",
    [
        key_of(10, job="another"),
        key_of(10, source="another:ispm"),
        "not json",
        '["job", 1]',
        '{"a": 1}',
    ],
)
def test_an_origin_that_is_not_of_this_job_admits_nothing(tmp_path: Path, origin: str) -> None:
    topics, stores, steps, _ = run_with_a_bad_record(tmp_path)
    topics.send(0, record(10.0), replay_of=origin)
    steps.settle()
    assert len(stores.rows["late_records"]) == 1
    assert steps.pipeline._ledger.books.replayed == 0


def test_a_replay_into_a_retired_build_is_late(tmp_path: Path) -> None:
    topics, stores, steps, clock = run_with_a_bad_record(tmp_path)
    for _ in range(6):
        clock.now_s += RULES.build_retire_after_s
        steps.settle()
    assert steps.pipeline._ledger.tracker.watermark("B") == math.inf
    before = dict(stores.rows["layer_quality"])
    topics.send(0, record(10.0), replay_of=key_of(10))
    steps.settle()
    assert len(stores.rows["late_records"]) == 1
    assert stores.rows["layer_quality"] == before


@settings(max_examples=12)
@given(data=st.data(), mode=st.sampled_from(["watermark", "strict"]))
def test_replays_at_any_time_and_restarts_give_the_batch(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, mode: Any
) -> None:
    """Layers and all that has a row per record, whenever the replays come, through restarts."""
    path = tmp_path_factory.mktemp("checkpoint")
    rules = replace(RULES, mode=mode)
    topics, stores, clock = MemoryTopics(2), MemoryStores(), Clock(1000.0)
    steps = Steps(stream(topics, stores, path, semantics=rules, clock=clock))
    bad: list[tuple[int, int, bytes]] = []
    for second in range(50):
        good = record(float(second), layer=1 + second // 13, build="AB"[second % 2])
        broken = data.draw(st.integers(0, 6)) == 0
        raw = topics.send(second % 2, b"{" if broken else good)
        if broken:
            bad.append((raw.partition, raw.offset, good))
        action = data.draw(st.sampled_from(["", "", "", "settle", "replay", "restart"]))
        if action == "replay" and bad:
            partition, offset, value = bad.pop(data.draw(st.integers(0, len(bad) - 1)))
            topics.send(partition, value, replay_of=key_of(offset, partition))
        elif action == "settle":
            steps.settle()
        elif action == "restart":
            windows = data.draw(st.integers(1, 3))
            pipeline = stream(topics, stores, path, semantics=rules, clock=clock, windows=windows)
            steps = Steps(pipeline)
    for partition, offset, value in bad:
        topics.send(partition, value, replay_of=key_of(offset, partition))
    final = stream(topics, stores, path, semantics=replace(rules, bounded=True), clock=clock)
    assert final.run() == "finished"
    wanted = expected(topics.all, sources=SOURCES)
    assert_layers_nearly(stores.table("layer_quality"), wanted)
    for name in ("ispm_monitoring", "ispm_anomalies", "dead_letters", "late_records"):
        assert_table(name, stores.table(name), wanted.tables[name])
    rolling = stores.rows["quality_metrics"]
    assert len(rolling) == len(wanted.tables["quality_metrics"])
    assert {name for row in rolling.values() for name in row} >= {f"{c}_avg" for c in CHANNELS}
