from __future__ import annotations

import json
import os
import tracemalloc
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA
from pbf_ray.errors import InputFileError
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, RuleProfile
from pbf_ray.simulate import (
    BadLine,
    ReplayedLog,
    Twin,
    TwinConfig,
    load_mapping,
    parse_mapping,
    replay_records,
)
from pbf_ray.simulate.mapping import ReplayMapping

REPOSITORY = Path(__file__).parents[3]
MAPPINGS = REPOSITORY / "examples" / "mappings"
PROFILE = REPOSITORY / "examples" / "profiles" / "lpbf_layer_log.toml"
EXCERPT = REPOSITORY / "tests" / "data" / "process" / "lpbf_layer_log_excerpt.log"
REAL_LOG = REPOSITORY.parent / "shared" / "data" / "process" / "13.02.2025_burn.log"


def _replay(path: Path, mapping: ReplayMapping) -> tuple[list[dict[str, Any]], list[BadLine]]:
    bad: list[BadLine] = []
    values = []
    for record in replay_records(path, mapping, on_bad_line=bad.append):
        value = json.loads(record.value or b"")
        assert list(value) == RECORD_SCHEMA.names
        assert record.key == value["sensor_id"].encode()
        assert record.event_time_s == value["timestamp"]
        values.append(value)
    return values, bad


def _utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc]


def _anomalies(values: list[dict[str, Any]], profile: RuleProfile) -> list[str]:
    holds = {
        ">": lambda value, limit: value > limit,
        ">=": lambda value, limit: value >= limit,
        "<": lambda value, limit: value < limit,
        "<=": lambda value, limit: value <= limit,
    }
    return [
        rule.anomaly_type
        for value in values
        for rule in profile.rules
        if value[rule.channel] is not None and holds[rule.op](value[rule.channel], rule.threshold)
    ]


def _check_machine_log(values: list[dict[str, Any]]) -> None:
    assert (values[0]["timestamp"], values[0]["layer"]) == (_utc(2025, 2, 13, 14, 37, 11), 0)
    assert (values[-1]["timestamp"], values[-1]["layer"]) == (_utc(2025, 2, 14, 3, 0, 49), 1500)
    for value in values:
        assert value["temperature"] is value["laser_power"] is value["scan_speed"] is None
        assert (value["sensor_id"], value["build_id"]) == ("SP4", "2025-02-13")
    times = [value["timestamp"] for value in values]
    assert times == sorted(times)


def test_the_excerpt_of_a_real_log_passes_midnight() -> None:
    values, bad = _replay(EXCERPT, load_mapping(MAPPINGS / "lpbf_layer_log.toml"))
    assert bad == []
    assert len(values) == 16
    _check_machine_log(values)
    by_layer = {value["layer"]: value for value in values}
    assert by_layer[1045]["timestamp"] == _utc(2025, 2, 13, 23, 59, 52)
    assert by_layer[1046]["timestamp"] == _utc(2025, 2, 14, 0, 0, 21)
    assert by_layer[0]["pressure"] == 1.0036


def test_the_whole_real_log() -> None:
    if not REAL_LOG.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"the real machine log is not at {REAL_LOG}")
    values, bad = _replay(REAL_LOG, load_mapping(MAPPINGS / "lpbf_layer_log.toml"))
    assert bad == []
    assert [value["layer"] for value in values] == list(range(1501))
    _check_machine_log(values)
    pressures = [value["pressure"] for value in values]
    assert (min(pressures), max(pressures)) == (1.0023, 1.0144)

    suited = RuleProfile.from_toml(PROFILE.read_text(), source=str(PROFILE))
    assert _anomalies(values, DEFAULT_PROFILE) == ["high_pressure"] * 1501
    assert _anomalies(values, suited) == []


def test_the_example_profile_still_finds_a_lost_chamber_pressure() -> None:
    suited = RuleProfile.from_toml(PROFILE.read_text(), source=str(PROFILE))
    lost: dict[str, Any] = dict.fromkeys(CHANNELS)
    assert _anomalies([{**lost, "pressure": 0.9}], suited) == ["low_pressure"]
    assert _anomalies([{**lost, "pressure": 1.1}], suited) == ["high_pressure"]


def test_a_table_with_decimal_commas_units_and_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "sensors.csv"
    header = "Zeit;Schicht;Sensor;Temperatur;Kammerdruck;Leistung;Geschwindigkeit"
    lines = [
        header,
        "13.02.2025 14:37:11,250;0;PYRO-1;1598,5;4,1;199,8;1200",
        "13.02.2025 14:37:12,250;0;PYRO-1;1.598,5;4,1;199,8;1200",
        header,
        "gestern;0;PYRO-1;1598,5;4,1;199,8;1200",
        "13.02.2025 14:37:14,250;null;PYRO-1;NA;4,1;;1200",
        "13.02.2025 14:37:15,250;0;;1598,5;4,1;199,8;1200",
        "13.02.2025 14:37:16,250;1,5;PYRO-1;1598,5;4,1;199,8;1200",
        ";0;PYRO-1;1598,5;4,1;199,8;1200",
    ]
    path.write_text("\n".join(lines), encoding="latin-1")
    values, bad = _replay(path, load_mapping(MAPPINGS / "sensor_table_decimal_comma.toml"))
    assert [value["timestamp"] for value in values] == [
        _utc(2025, 2, 13, 13, 37, 11) + 0.25,
        _utc(2025, 2, 13, 13, 37, 14) + 0.25,
    ]
    assert [values[0][channel] for channel in CHANNELS] == pytest.approx(
        [1598.5, 1.0173, 199.8, 1.2]
    )
    assert values[1]["layer"] is values[1]["temperature"] is values[1]["laser_power"] is None
    assert [line.line for line in bad] == [3, 5, 7, 8, 9]
    for line, field in zip(bad, ["temperature", "time", "sensor_id", "layer", "time"], strict=True):
        assert line.reason.startswith(f"{field}: ")


def test_records_kept_as_jsonl_and_parquet_come_back_unchanged(tmp_path: Path) -> None:
    sent = [json.loads(record.value or b"") for record in Twin(TwinConfig(layers=4)).records()]
    jsonl, parquet = tmp_path / "records.jsonl", tmp_path / "records.parquet"
    jsonl.write_text("".join(json.dumps(value) + "\n" for value in sent))
    pq.write_table(pa.Table.from_pylist(sent), parquet)
    for path in (jsonl, parquet):
        mapping = load_mapping(MAPPINGS / f"ispm_records_{path.suffix[1:]}.toml")
        values, bad = _replay(path, mapping)
        assert bad == []
        for value, before in zip(values, sent, strict=True):
            assert {**value, "_metadata": None} == {**before, "_metadata": None}
            assert value["_metadata"]["producer_id"] == f"replay-{mapping.name}"
        ids = [value["_metadata"]["message_id"] for value in values]
        assert ids[:2] == [f"{path.name}:1", f"{path.name}:2"]
        assert len(set(ids)) == len(ids)


def test_a_second_replay_sends_the_same_bytes() -> None:
    mapping = load_mapping(MAPPINGS / "lpbf_layer_log.toml")
    first, second = (list(replay_records(EXCERPT, mapping, on_bad_line=print)) for _ in range(2))
    assert first == second


def _clock_mapping(**file: Any) -> ReplayMapping:
    return parse_mapping(
        {
            "name": "clock",
            "file": {"format": "csv", **file},
            "time": {
                "column": "t",
                "format": "HH:MM:SS",
                "start_date": "2025-02-13",
                "time_zone": "UTC",
            },
            "constants": {"sensor_id": "s"},
            "fields": {"pressure": {"column": "p", "unit": "bar"}},
        },
        source="test",
    )


def test_a_bad_line_does_not_move_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n14:00:00,1\n01:00:00,x\n14:00:01,1\n")
    values, bad = _replay(path, _clock_mapping())
    assert [value["timestamp"] for value in values] == [
        _utc(2025, 2, 13, 14, 0, 0),
        _utc(2025, 2, 13, 14, 0, 1),
    ]
    assert [line.line for line in bad] == [3]


def test_records_out_of_order_are_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n14:00:05,1\n14:00:02,1\n14:00:06,1\n")
    records = replay_records(path, _clock_mapping(), on_bad_line=print)
    assert [record.behind_s for record in records] == [0.0, 3.0, 0.0]


def test_not_a_number_is_kept_where_the_mapping_does_not_call_it_missing(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n14:00:05,nan\n14:00:06,-inf\n14:00:07,\n")
    records = list(replay_records(path, _clock_mapping(missing=[""]), on_bad_line=print))
    texts = [(record.value or b"").decode() for record in records]
    assert '"pressure":NaN' in texts[0]
    assert '"pressure":-Infinity' in texts[1]
    assert '"pressure":null' in texts[2]


def test_a_file_without_one_good_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\nnoon,1\nmidnight,1\n")
    bad: list[BadLine] = []
    with pytest.raises(InputFileError, match="none of its 2 lines") as caught:
        list(replay_records(path, _clock_mapping(), on_bad_line=bad.append))
    assert caught.value.line == 2
    assert len(bad) == 2


def test_a_file_with_a_header_only_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n")
    assert _replay(path, _clock_mapping()) == ([], [])


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=300))
def test_any_bytes_give_records_bad_lines_or_a_clear_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "log.csv"
    path.write_bytes(b"t,p\n14:00:00,1\n" + content)
    bad: list[BadLine] = []
    records = list(replay_records(path, _clock_mapping(), on_bad_line=bad.append))
    assert len(records) >= 1
    # Lines end as Python's text files see it: \n, \r\n and a lone \r.
    assert len(records) + len(bad) <= 2 + content.count(b"\n") + content.count(b"\r")
    assert all(line.reason for line in bad)


def test_a_log_as_a_source_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n14:00:05,1\nnoon,1\n14:00:06,2\n14:00:07,3\nmidnight,1\n14:00:08,4\n")
    bad: list[BadLine] = []
    source = ReplayedLog(path, _clock_mapping(), on_bad_line=bad.append)
    first = list(islice(source.records(), 2))
    rest = list(source.records())
    assert first + rest == list(replay_records(path, _clock_mapping(), on_bad_line=print))
    assert (len(first), len(rest)) == (2, 2)
    assert [line.line for line in bad] == [3, 6]
    assert list(source.records()) == []
    source.close()


def test_a_long_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("t,p\n" + "14:00:00,1\n" * 400_000)
    tracemalloc.start()
    try:
        records = replay_records(path, _clock_mapping(), on_bad_line=print)
        assert sum(1 for _ in islice(records, 5_000)) == 5_000
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < path.stat().st_size / 4
