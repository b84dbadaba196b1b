"""The latest state in a cache: what is newest, from any order of rows, and JSON that is JSON."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import ISPM_ANOMALIES, ISPM_MONITORING, LAYER_QUALITY, layer_key
from pbf_ray.errors import FencedError, StoreContentError, StoreError
from pbf_ray.storage.base import EpochCommit, Sink, StagedRows
from pbf_ray.storage.caches.latest import LatestState
from pbf_ray.storage.caches.sqlite import SqliteCache
from support.store_suite import fill, numbered


@pytest.fixture
def latest(tmp_path: Path) -> Iterator[LatestState]:
    state = LatestState(SqliteCache(tmp_path / "cache.sqlite"))
    state.prepare([LAYER_QUALITY, ISPM_ANOMALIES])
    state.claim("job", 1)
    yield state
    state.cache.close()


def write(latest: LatestState, epoch: int, *tables: pa.Table, run: int = 1) -> bool:
    staged = []
    for table in tables:
        names = (LAYER_QUALITY, ISPM_ANOMALIES, ISPM_MONITORING)
        contract = next(one for one in names if one.schema.names == table.schema.names)
        staged.append(StagedRows(contract.name, len(table), table, latest.name))
    return latest.commit(EpochCommit("job", run, epoch, tuple(staged)))


def layers(build: str | None, numbers: list[int | None], **columns: Any) -> pa.Table:
    rows = numbered(LAYER_QUALITY, len(numbers))
    keys = [layer_key("job", build, number) for number in numbers]
    same = {"layer_key": keys, "build_id": build, "layer": numbers}
    return fill(LAYER_QUALITY, rows, **{**same, **columns})


def anomalies(
    rows: list[tuple[str | None, float | None, int]], contract: Any = ISPM_ANOMALIES
) -> Any:
    sensors, stamps, offsets = zip(*rows, strict=True)
    table = numbered(contract, len(rows))
    return fill(
        contract,
        table,
        sensor_id=list(sensors),
        timestamp=list(stamps),
        offset=list(offsets),
        topic="t",
        partition=0,
    )


def test_it_is_a_sink_that_travels(latest: LatestState) -> None:
    assert isinstance(latest, Sink)
    assert latest.tables == ("layer_quality", "ispm_anomalies")
    write(latest, 0, layers("b", [1]))
    sent: LatestState = pickle.loads(pickle.dumps(latest))  # noqa: S301 - our own bytes
    assert sent.name == latest.name
    assert sent.layer("job", "b", 1) == latest.layer("job", "b", 1)
    sent.cache.close()


def test_the_newest_revision_of_a_layer(latest: LatestState) -> None:
    assert write(latest, 0, layers("b", [1, 2], revision=0, quality_score=[0.1, 0.2]))
    # Two revisions in one epoch, in any order; null build and layer are layers of their own.
    assert write(
        latest,
        1,
        layers("b", [2, 2], revision=[2, 1], quality_score=[0.4, 0.3]),
        layers(None, [None], revision=0, quality_score=0.9),
    )
    assert not write(latest, 1, layers("b", [1], revision=9))

    def score(build: str | None, number: int | None) -> Any:
        found = latest.layer("job", build, number)
        return found and found["quality_score"]

    assert [score("b", 1), score("b", 2), score(None, None)] == [0.1, 0.4, 0.9]
    assert score("b", 3) is score("other", 1) is None
    assert latest.layer("other", "b", 1) is None
    assert [row["layer"] for row in latest.layers("job", "b")] == [1, 2]
    assert latest.layers("job", "nothing") == []
    # A build whose name begins like another's is another.
    write(latest, 2, layers("b2", [7]), layers("b", [10]), layers('b","x', [1]))
    assert [row["layer"] for row in latest.layers("job", "b")] == [1, 2, 10]
    assert [row["layer"] for row in latest.layers("job", 'b","x')] == [1]


def test_values_come_back_and_are_json(latest: LatestState) -> None:
    stamp = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    row = layers(
        "é \0",
        [3],
        temperature_avg=math.nan,
        temperature_min=-math.inf,
        temperature_max=math.inf,
        pressure_avg=-0.0,
        pressure_std=None,
        laser_power_avg=0.1 + 0.2,
        n=2**53 + 1,
        processing_timestamp=stamp,
    )
    write(latest, 0, row)
    found = latest.layer("job", "é \0", 3)
    assert found is not None
    (wanted,) = row.to_pylist()
    assert math.isnan(found.pop("temperature_avg"))
    wanted.pop("temperature_avg")
    assert found == wanted
    assert math.copysign(1, found["pressure_avg"]) == -1
    (text,) = latest.cache.get(list(latest.cache.keys())).values()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    seen = json.loads(text, parse_constant=refuse)
    assert [seen[f"temperature_{name}"] for name in ("avg", "min", "max")] == [
        "NaN",
        "-Infinity",
        "Infinity",
    ]
    assert seen["processing_timestamp"] == "2026-02-03T04:05:06.000789+00:00"


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    epochs=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["m1", "m2", None]),
                st.sampled_from([None, 1.0, 2.0, 3.0]),
            ),
            max_size=5,
        ),
        max_size=5,
    )
)
def test_the_newest_record_of_a_machine(
    latest: LatestState, epochs: list[list[tuple[str | None, float | None]]]
) -> None:
    """Whatever the order of rows and epochs: event time decides, then the place in Kafka."""
    latest.cache.delete(list(latest.cache.keys()))
    start = (latest.cache.applied_epoch("job") or 0) + 1
    offset = 0
    newest: dict[str, tuple[float, int]] = {}
    for number, epoch in enumerate(epochs):
        rows = []
        for sensor, stamp in epoch:
            rows.append((sensor, stamp, offset))
            if sensor is not None:
                place = (-math.inf if stamp is None else stamp, offset)
                newest[sensor] = max(newest.get(sensor, place), place)
            offset += 1
        tables = [anomalies(rows)] if rows else []
        assert write(latest, start + number, *tables)
    for sensor in ("m1", "m2"):
        found = latest.machine("job", sensor)
        assert (found and found["offset"]) == (newest[sensor][1] if sensor in newest else None)
    assert [row["sensor_id"] for row in latest.machines("job")] == sorted(newest)


def test_machines_from_all_records(tmp_path: Path) -> None:
    cache = SqliteCache(tmp_path / "cache.sqlite")
    latest = LatestState(cache, machines_from="ispm_monitoring")
    latest.claim("job", 1)
    assert latest.tables == ("layer_quality", "ispm_monitoring")
    day = fill(ISPM_MONITORING, anomalies([("m", 5.0, 1), ("m", 4.0, 2)], ISPM_MONITORING))
    assert write(latest, 0, day)
    found = latest.machine("job", "m")
    assert found is not None
    assert {**found} == day.slice(0, 1).to_pylist()[0]
    cache.close()
    with pytest.raises(StoreError, match="one of ispm_anomalies, ispm_monitoring"):
        LatestState(cache, machines_from="dead_letters")  # type: ignore[arg-type]


def test_the_fence_and_a_cache_that_forgot(latest: LatestState, tmp_path: Path) -> None:
    write(latest, 4, layers("b", [1]))
    latest.cache.close()
    for file in tmp_path.glob("cache.sqlite*"):
        file.unlink()
    assert write(latest, 5, layers("b", [2])), "it is claimed anew"
    assert [row["layer"] for row in latest.layers("job", "b")] == [2]
    latest.claim("job", 2)
    with pytest.raises(FencedError):
        write(latest, 6, layers("b", [3]))
    assert write(latest, 6, layers("b", [3]), run=2)


def test_a_value_of_somebody_else_is_named(latest: LatestState) -> None:
    write(latest, 0, layers("b", [1]))
    (key,) = latest.cache.keys()
    for text in (b"[]", b"{", b'{"quality_score": "high"}'):
        latest.cache.put({key: text})
        with pytest.raises(StoreContentError, match="is not what was written"):
            latest.layer("job", "b", 1)


def test_clearing_forgets_one_job_and_keeps_its_epoch(latest: LatestState) -> None:
    latest.claim("jo", 1)
    write(latest, 0, layers("b", [1]), anomalies([("s", 1.0, 1)]))
    other = fill(LAYER_QUALITY, layers("b", [1]), layer_key=[layer_key("jo", "b", 1)])
    staged = (StagedRows("layer_quality", 1, other, latest.name),)
    latest.commit(EpochCommit("jo", 1, 0, staged))
    latest.clear("job", 1)
    latest.clear("job", 1)
    assert latest.layers("job", "b") == latest.machines("job") == []
    assert latest.layer("jo", "b", 1) is not None
    assert not write(latest, 0, layers("b", [1]))
    latest.claim("job", 2)
    with pytest.raises(FencedError):
        latest.clear("job", 1)
