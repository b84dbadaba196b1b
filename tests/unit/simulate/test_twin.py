from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.monitoring.rules import DEFAULT_PROFILE
from pbf_ray.simulate import (
    FAULT_KINDS,
    FLAGGED_KINDS,
    MALFORMED_KINDS,
    VOID_KINDS,
    Fault,
    GroundTruth,
    SimulatedRecord,
    Twin,
    TwinConfig,
)

ALL_TROUBLE = TwinConfig(
    machines=3,
    builds=2,
    layers=25,
    sensors=2,
    seed=7,
    missing_rate=0.03,
    malformed_rate=0.06,
    repeat_rate=0.04,
    out_of_order_rate=0.05,
    random_faults_per_build=3,
)


def _readable(record: SimulatedRecord) -> dict[str, Any] | None:
    """The record as a consumer finds it, from the bytes alone."""
    if record.value is None:
        return None
    try:
        value = json.loads(record.value)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "sensor_id" in value else None


def _partial(value: dict[str, Any]) -> bool:
    return any(type(value[channel]) is not float for channel in CHANNELS)


def _healthy(config: TwinConfig) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in Twin(config).records()]


def _by_layer(values: list[dict[str, Any]], channel: str) -> dict[tuple[str, int], list[float]]:
    layers = defaultdict(list)
    for value in values:
        layers[value["build_id"], value["layer"]].append(value[channel])
    return layers


def _is_anomaly(value: dict[str, Any]) -> bool:
    return any(
        value[rule.channel] > rule.threshold
        if rule.op == ">"
        else value[rule.channel] < rule.threshold
        for rule in DEFAULT_PROFILE.rules
    )


def test_records_are_what_the_schema_says_keyed_by_their_sensor() -> None:
    for record in Twin(TwinConfig(layers=3)).records():
        value = json.loads(record.value or b"")
        assert list(value) == RECORD_SCHEMA.names
        assert record.key == value["sensor_id"].encode()
        assert record.event_time_s == value["timestamp"]
        assert all(type(value[channel]) is float for channel in CHANNELS)
        assert list(value["_metadata"]) == ["timestamp", "producer_id", "message_id"]


def test_the_seed_decides_every_byte() -> None:
    first, again = list(Twin(ALL_TROUBLE).records()), Twin(ALL_TROUBLE)
    assert first == list(again.records())
    assert first == list(again.records())
    assert first != list(Twin(replace(ALL_TROUBLE, seed=8)).records())


def test_one_more_machine_changes_nothing_of_the_others() -> None:
    fewer = list(Twin(ALL_TROUBLE).records())
    more = list(Twin(replace(ALL_TROUBLE, machines=4)).records())
    assert fewer == [record for record in more if not record.key.startswith(b"M04")]


def test_losses_repeats_and_malformed_records_leave_the_other_records_as_they_were() -> None:
    calm = replace(
        ALL_TROUBLE, missing_rate=0.0, malformed_rate=0.0, repeat_rate=0.0, out_of_order_rate=0.0
    )
    healthy = {record.value for record in Twin(calm).records()}
    troubled = list(Twin(replace(ALL_TROUBLE, out_of_order_rate=0.0)).records())
    assert {r.value for r in troubled if r.kind in {"whole", "repeat"}} < healthy
    assert len([r for r in troubled if r.kind == "whole"]) > 0.8 * len(healthy)


@settings(deadline=None, max_examples=15)
@given(
    config=st.builds(
        TwinConfig,
        machines=st.integers(1, 3),
        builds=st.integers(1, 2),
        layers=st.integers(3, 8),
        sensors=st.integers(1, 3),
        records_per_layer=st.none() | st.integers(1, 12),
        seed=st.integers(0, 2**40),
        missing_rate=st.floats(0.0, 1.0),
        malformed_rate=st.floats(0.0, 1.0),
        malformed_kinds=st.lists(st.sampled_from(MALFORMED_KINDS), min_size=1, unique=True).map(
            tuple
        ),
        repeat_rate=st.floats(0.0, 1.0),
        out_of_order_rate=st.floats(0.0, 1.0),
        max_disorder_s=st.floats(0.0, 200.0),
        random_faults_per_build=st.integers(0, 3),
    )
)
def test_the_ground_truth_counts_what_a_consumer_finds(config: TwinConfig) -> None:
    twin = Twin(config)
    records = list(twin.records())
    truth = twin.ground_truth
    values = [_readable(record) for record in records]
    found = [value for value in values if value is not None]
    copies = Counter(value["_metadata"]["message_id"] for value in found)

    assert truth.complete
    assert truth.sent == len(records)
    assert truth.readable == len(found)
    assert truth.void_malformed == values.count(None)
    assert truth.flagged_partial == sum(map(_partial, found))
    assert truth.repeated == copies.total() - len(copies)
    assert truth.missing == twin.measured_records() - (len(records) - truth.repeated)
    assert truth.layers == len({(value["build_id"], value["layer"]) for value in found})

    newest: dict[str, float] = {}
    behind = []
    for value in found:
        build, event_s = value["build_id"], value["timestamp"]
        behind.append(max(0.0, newest.get(build, event_s) - event_s))
        newest[build] = max(newest.get(build, event_s), event_s)
    assert truth.out_of_order == sum(lag > 0.0 for lag in behind)
    assert truth.largest_disorder_s == max(behind, default=0.0)
    assert [r.behind_s for r, v in zip(records, values, strict=True) if v is not None] == behind

    for build in truth.builds:
        of_build = [value for value in found if value["build_id"] == build.build_id]
        times = [value["timestamp"] for value in of_build]
        assert build.readable == len(of_build)
        assert build.layers == len({value["layer"] for value in of_build})
        assert build.first_event_time_s == min(times, default=None)
        assert build.last_event_time_s == max(times, default=None)
    assert sum(build.sent for build in truth.builds) == truth.sent
    assert sum(build.missing for build in truth.builds) == truth.missing


@pytest.mark.parametrize(
    ("rate", "count"),
    [
        ("missing_rate", lambda truth: truth.missing),
        ("malformed_rate", lambda truth: sum(truth.kinds[kind] for kind in MALFORMED_KINDS)),
        ("repeat_rate", lambda truth: truth.repeated),
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_rates_are_kept(rate: str, count: Any, share: float) -> None:
    twin = Twin(TwinConfig(layers=200, seed=11, **{rate: share}))  # type: ignore[arg-type]
    assert sum(1 for _ in twin.records()) > 3_000
    drawn = twin.measured_records()
    spread = (share * (1 - share) / drawn) ** 0.5
    assert count(twin.ground_truth) / drawn == pytest.approx(share, abs=5 * spread)


def test_every_kind_of_malformed_record_comes_as_often_as_the_others() -> None:
    twin = Twin(TwinConfig(layers=100, malformed_rate=0.5, seed=3))
    records = list(twin.records())
    counts = [twin.ground_truth.kinds[kind] for kind in MALFORMED_KINDS]
    assert min(counts) > 0.7 * max(counts)
    samples = {record.kind: record.value for record in records}
    assert samples["tombstone"] is None
    assert (samples["blank"] or b"").strip() == b""
    assert b"NaN" in (samples["nan_literal"] or b"")
    assert set(json.loads(samples["extra_field"] or b"")) > set(RECORD_SCHEMA.names)


def test_the_decoder_of_the_stream_rejects_and_flags_what_the_ground_truth_says() -> None:
    twin = Twin(TwinConfig(layers=60, malformed_rate=0.4, repeat_rate=0.05, seed=21))
    records = list(twin.records())
    decoded = from_json([record.value for record in records], RECORD_SCHEMA, "dead_letter")
    truth = twin.ground_truth
    assert decoded.rejects.num_rows == truth.void_malformed > 100
    assert decoded.table.num_rows == truth.readable
    assert sum(decoded.flagged.to_pylist()) == truth.flagged_partial > 20
    rejected = {records[index].kind for index in decoded.rejects["index"].to_pylist()}
    assert rejected == VOID_KINDS
    kept = zip(decoded.indices.to_pylist(), decoded.flagged.to_pylist(), strict=True)
    assert {records[index].kind for index, flagged in kept if flagged} == FLAGGED_KINDS
    for channel in CHANNELS:
        unreadable = decoded.table[channel].null_count
        assert 0 < unreadable < truth.flagged_partial


def test_held_back_records_stay_within_the_disorder_and_come_at_the_rate() -> None:
    twin = Twin(TwinConfig(layers=200, out_of_order_rate=0.1, max_disorder_s=30.0, seed=5))
    records = list(twin.records())
    truth = twin.ground_truth
    assert 20.0 < truth.largest_disorder_s <= 30.0
    # A record that is held back less than the next one needs to come is in order all the same.
    assert 0.08 < truth.out_of_order / len(records) <= 0.11


def test_without_disorder_every_machine_sends_in_the_order_of_measuring() -> None:
    records = list(Twin(TwinConfig(machines=4, builds=2, layers=10)).records())
    assert all(a.event_time_s <= b.event_time_s for a, b in pairwise(records))
    per_build = defaultdict(list)
    for record in records:
        per_build[json.loads(record.value or b"")["build_id"]].append(record.event_time_s)
    assert len(per_build) == 8
    assert all(len(set(times)) == len(times) for times in per_build.values())


def test_sensors_of_a_machine_take_turns_so_that_a_layer_spreads_over_keys() -> None:
    records = list(Twin(TwinConfig(machines=1, layers=5, sensors=3)).records())
    keys = [record.key for record in records]
    assert set(keys) == {b"M01-S1", b"M01-S2", b"M01-S3"}
    assert all(a != b for a, b in pairwise(keys))


def test_layer_time_follows_the_exposed_area() -> None:
    twin = Twin(TwinConfig(machines=1, layers=400, collection_interval_s=0.5, seed=2))
    first: dict[int, float] = {}
    for record in twin.records():
        value = json.loads(record.value or b"")
        first.setdefault(value["layer"], value["timestamp"])
    times = np.diff([first[layer] for layer in range(400)])
    # From exposure to exposure: the exposure of one layer and the recoating of the next.
    area = next(twin.plans()).area_mm2[:-1]
    slope, intercept = np.polyfit(area, times, 1)
    assert slope == pytest.approx(0.0108, rel=0.1)
    assert intercept == pytest.approx(15.8, abs=0.6)
    assert np.corrcoef(area, times)[0, 1] > 0.85
    assert np.std(times - slope * area - intercept) == pytest.approx(1.55, rel=0.15)


def test_noise_is_autocorrelated_as_configured() -> None:
    config = TwinConfig(
        machines=1, layers=20, sensors=2, records_per_layer=1500, warm_up_layers=0, seed=4
    )
    values = _healthy(config)
    for signal in config.signals:
        estimates = []
        for layer in range(config.layers):
            series = np.array(
                [
                    value[signal.channel]
                    for value in values
                    if value["layer"] == layer and value["sensor_id"] == "M01-S1"
                ]
            )
            series -= series.mean()
            estimates.append((series[1:] @ series[:-1]) / (series @ series))
        assert np.mean(estimates) == pytest.approx(signal.autocorrelation, abs=0.03)


def test_values_are_quantised_and_centred_on_the_set_points() -> None:
    config = TwinConfig(machines=4, layers=150, warm_up_layers=0, seed=6)
    values = _healthy(config)
    for signal in config.signals:
        series = np.array([value[signal.channel] for value in values])
        steps = series / signal.resolution
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        assert len(set(series)) < len(series) / 5
        assert series.mean() == pytest.approx(
            signal.setpoint, abs=0.2 * signal.sigma + 3 * signal.sensor_spread
        )


def test_the_first_layers_are_colder_until_the_machine_is_warm() -> None:
    temperatures = _by_layer(_healthy(TwinConfig(machines=4, layers=160, seed=1)), "temperature")

    def mean(layers: range) -> float:
        return float(
            np.mean([np.mean(v) for (_, layer), v in temperatures.items() if layer in layers])
        )

    assert mean(range(130, 160)) - mean(range(5)) == pytest.approx(19.0, abs=4.0)
    assert mean(range(130, 160)) == pytest.approx(mean(range(100, 130)), abs=3.0)


def test_a_healthy_fleet_is_mostly_inside_the_default_limits_and_mostly_of_good_quality() -> None:
    values = _healthy(TwinConfig(machines=6, layers=150, seed=9))
    anomalies = sum(map(_is_anomaly, values))
    assert anomalies < 0.001 * len(values)
    deviations = [np.std(v, ddof=1) for v in _by_layer(values, "temperature").values()]
    share = np.histogram(deviations, [0, 10, 20, 30, np.inf])[0] / len(deviations)
    assert share[0] + share[1] > 0.9
    assert min(share[:3]) > 0.005


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_an_injected_fault_stands_out_where_the_ground_truth_says(kind: Any) -> None:
    fault = Fault(kind, "M02-B001", 10, 14)
    twin = Twin(TwinConfig(layers=30, seed=12, faults=(fault,)))
    values = [json.loads(record.value or b"") for record in twin.records()]
    (told,) = twin.ground_truth.faults
    flagged = [value for value in values if _is_anomaly(value)]
    inside = [
        value for value in flagged if value["build_id"] == "M02-B001" and 10 <= value["layer"] <= 14
    ]
    assert len(flagged) - len(inside) <= 2
    assert len(inside) == pytest.approx(told.records, rel=0.05)
    assert told.machine == "M02"
    assert told.start_time_s is not None
    assert told.end_time_s is not None
    times = [value["timestamp"] for value in inside]
    assert told.start_time_s <= min(times) <= max(times) <= told.end_time_s
    healthy = Twin(TwinConfig(layers=30, seed=12))
    changed = [
        value
        for value, without in zip(values, _healthy(healthy.config), strict=True)
        if any(value[channel] != without[channel] for channel in CHANNELS)
    ]
    assert len(changed) == told.records
    assert {
        c
        for v, w in zip(values, _healthy(healthy.config), strict=True)
        for c in CHANNELS
        if v[c] != w[c]
    } == set(told.channels)


def test_the_ground_truth_of_an_interrupted_stream_counts_what_was_handed_out() -> None:
    twin = Twin(ALL_TROUBLE)
    records = list(islice(twin.records(), 500))
    truth = twin.ground_truth
    assert not truth.complete
    assert truth.sent == len(records) == 500
    assert truth.void_malformed == sum(_readable(record) is None for record in records)
    assert 0 < truth.missing < 50


def test_the_plan_foretells_span_and_number_of_records() -> None:
    twin = Twin(TwinConfig(machines=3, builds=2, layers=8, start_time_s=1000.0))
    times = [record.event_time_s for record in twin.records()]
    first, last = twin.span_s()
    assert first == 1000.0
    assert first < min(times) <= max(times) <= last
    assert len(times) == twin.measured_records()


def test_a_fixed_number_of_records_a_layer() -> None:
    config = TwinConfig(machines=1, layers=4, sensors=2, records_per_layer=500)
    counts = {k: len(v) for k, v in _by_layer(_healthy(config), "pressure").items()}
    assert set(counts.values()) == {1000}
    times = [record.event_time_s for record in Twin(config).records()]
    assert len(set(times)) == len(times)


def test_ground_truth_is_written_whole_as_json(tmp_path: Any) -> None:
    from pbf_ray.simulate import write_ground_truth

    twin = Twin(ALL_TROUBLE)
    for _ in twin.records():
        pass
    path = tmp_path / "truth.json"
    path.write_text("old")
    write_ground_truth(twin.ground_truth, path)
    read = json.loads(path.read_text())
    assert [entry.name for entry in tmp_path.iterdir()] == ["truth.json"]
    assert read["sent"] == twin.ground_truth.sent == sum(read["kinds"].values())
    assert read["sent"] == read["readable"] + read["void_malformed"]
    assert len(read["faults"]) == 18
    assert {fault["kind"] for fault in read["faults"]} == set(FAULT_KINDS)
    assert read["config"]["seed"] == 7
    assert all("_layers_seen" not in build for build in read["builds"])
    assert isinstance(twin.ground_truth, GroundTruth)
    assert asdict(twin.ground_truth.faults[0])["channels"]
