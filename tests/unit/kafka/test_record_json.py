from __future__ import annotations

import json
import math
from collections import ChainMap
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.errors import RecordRefusedError
from pbf_ray.kafka.record_json import RecordEncoder, default_producer_id, message_of
from pbf_ray.kafka.sensor_source import SensorRecord

ENCODER = RecordEncoder("gauge-7", clock=lambda: 1_700_000_000.25)

doubles = st.none() | st.floats(allow_nan=True, allow_infinity=True)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
records = st.fixed_dictionaries(
    {},
    optional={
        "sensor_id": texts,
        "timestamp": doubles,
        "temperature": doubles,
        "pressure": doubles,
        "laser_power": doubles,
        "scan_speed": doubles,
        "build_id": texts,
        "layer": st.none() | st.integers(-(2**31), 2**31 - 1),
    },
)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        same_sign = math.copysign(1, one) == math.copysign(1, other)
        return (math.isnan(one) and math.isnan(other)) or (one == other and same_sign)
    return bool(one == other)


@given(records)
def test_the_stream_decodes_what_was_sent(record: dict[str, Any]) -> None:
    before = repr(record)
    key, value = ENCODER.encode(record, "t")
    assert repr(record) == before
    assert "_metadata" not in record
    result = from_json([value], RECORD_SCHEMA, "dead_letter")
    (row,) = result.table.to_pylist()
    assert not result.flagged[0].as_py()
    for name in RECORD_SCHEMA.names:
        if name != "_metadata":
            assert _same(row[name], record.get(name)), name
    assert row["_metadata"]["producer_id"] == "gauge-7"
    sensor = record.get("sensor_id")
    assert key == (None if sensor is None else sensor.encode())


def test_what_metadata_a_record_has_is_kept_and_the_rest_is_added() -> None:
    given = MappingProxyType({"message_id": "m-1", "producer_id": None, "shift": "night"})
    _, value = ENCODER.encode({"_metadata": given}, "t")
    assert json.loads(value) == {
        "_metadata": {
            "timestamp": 1_700_000_000.25,
            "producer_id": "gauge-7",
            "message_id": "m-1",
            "shift": "night",
        }
    }


def test_message_ids_never_repeat() -> None:
    encoders = [ENCODER, RecordEncoder("gauge-7")]
    values = [encoder.encode({}, "t")[1] for encoder in encoders for _ in range(50)]
    assert len({json.loads(value)["_metadata"]["message_id"] for value in values}) == 100
    assert default_producer_id() == default_producer_id() != ""


def test_numbers_of_numpy_and_other_mappings_are_taken() -> None:
    record = ChainMap(
        {"sensor_id": 7, "temperature": np.float32(1.5), "layer": np.int64(3)},
        {"profile": np.arange(3), "ok": np.bool_(True), "more": MappingProxyType({"a": 1})},
    )
    key, value = ENCODER.encode(record, "t")
    plain = json.loads(value)
    assert (key, plain["temperature"], plain["layer"]) == (b"7", 1.5, 3)
    assert (plain["profile"], plain["ok"], plain["more"]) == ([0, 1, 2], True, {"a": 1})


_LOOP: dict[str, Any] = {}
_LOOP["itself"] = _LOOP


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"layer": 1, "image": b"raw"}, "field 'image': bytes is no JSON value"),
        ({"tags": {1, 2}}, "field 'tags': set is no JSON value"),
        ({"loop": _LOOP}, "field 'loop': Circular reference detected"),
        ({"odd": {(1, 2): 3}}, "field 'odd': keys must be str"),
        ({"_metadata": [1]}, "_metadata is list, no mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_json_is_refused_by_the_name_of_the_field(
    record: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RecordRefusedError) as refused:
        ENCODER.encode(record, "ispm-monitoring")
    assert refused.value.topic == "ispm-monitoring"
    assert refused.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("record", "key", "value"),
    [
        (SensorRecord(b"raw"), None, b"raw"),
        (SensorRecord("text", key="k"), "k", "text"),
        (SensorRecord(None, key=b"k"), b"k", None),
    ],
)
def test_messages_go_as_they_are(record: SensorRecord, key: Any, value: Any) -> None:
    assert message_of(record, ENCODER, "t") == (key, value)


def test_a_key_of_its_own_goes_before_the_sensor() -> None:
    fields = {"sensor_id": "s1"}
    assert message_of(fields, ENCODER, "t")[0] == b"s1"
    assert message_of(SensorRecord(fields), ENCODER, "t")[0] == b"s1"
    assert message_of(SensorRecord(fields, key="build"), ENCODER, "t")[0] == "build"


@pytest.mark.parametrize("record", [5, "text", ["list"], SensorRecord(5), SensorRecord(b"", key=5)])  # type: ignore[arg-type]
def test_whatever_else_comes_is_refused(record: Any) -> None:
    with pytest.raises(RecordRefusedError, match="t cannot be sent"):
        message_of(record, ENCODER, "t")
