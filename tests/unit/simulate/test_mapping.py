from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.errors import InputFileError, SettingError
from pbf_ray.simulate.mapping import load_mapping, parse_mapping

EXAMPLES = Path(__file__).parents[3] / "examples" / "mappings"

GOOD: dict[str, Any] = {
    "name": "good",
    "file": {"format": "csv"},
    "time": {
        "column": "t",
        "format": "HH:MM:SS",
        "start_date": date(2025, 2, 13),
        "time_zone": "UTC",
    },
    "constants": {"build_id": "b"},
    "fields": {"sensor_id": {"column": "s"}, "pressure": {"column": "p", "unit": "mbar"}},
}
_GONE = object()


def _changed(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    table = document
    for parent in parents:
        table = table.setdefault(parent, {})
    if value is _GONE:
        del table[last]
    else:
        table[last] = value
    return document


def test_a_good_mapping() -> None:
    mapping = parse_mapping(GOOD, source="test")
    assert mapping.fields["pressure"].unit == "mbar"
    assert mapping.constants.build_id == "b"


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("name", _GONE, "name"),
        ("colour", "red", "colour"),
        ("file.format", "xml", "file.format"),
        ("file.encoding", "utf-9", "file.encoding"),
        ("file.encoding", "base64", "file.encoding"),
        ("file.delimiter", ";;", "file.delimiter"),
        ("file.decimal", ",", "file.delimiter"),
        ("file.skip_lines", -1, "file.skip_lines"),
        ("file.quote", "'", "file.quote"),
        ("time", _GONE, "time"),
        ("time.column", _GONE, "time.column"),
        ("time.format", "stardate", "time.format"),
        ("time.start_date", _GONE, "time.start_date"),
        ("time.time_zone", _GONE, "time.time_zone"),
        ("time.time_zone", "Mars/Olympus", "time.time_zone"),
        ("time.format", "iso8601", "time.start_date"),
        ("time.wrap_after_h", 24.0, "time.wrap_after_h"),
        ("constants.sensor_id", "SP4", "constants.sensor_id"),
        ("constants.layer", 2**31, "constants.layer"),
        ("constants.machine", "M", "constants.machine"),
        ("fields.sensor_id", _GONE, "fields.sensor_id"),
        ("fields.pressure", _GONE, "fields"),
        ("fields.humidity", {"column": "h"}, "fields.humidity"),
        ("fields.pressure.unit", _GONE, "fields.pressure.unit"),
        ("fields.pressure.unit", "furlong", "fields.pressure.unit"),
        ("fields.pressure.unit", "mbar gauge", "fields.pressure.unit"),
        ("fields.pressure.offset", float("nan"), "fields.pressure.offset"),
        ("fields.temperature", {"column": "T", "unit": "bar"}, "fields.temperature.unit"),
        ("fields.build_id", {"column": "b"}, "constants.build_id"),
        ("fields.layer", {"column": "l", "unit": "mm"}, "fields.layer.unit"),
    ],
)
def test_a_bad_value_is_refused_by_name(path: str, value: object, key: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_mapping(_changed(path, value), source="log.toml")
    assert caught.value.key == key
    assert caught.value.source == "log.toml"


def test_parquet_has_no_delimiter() -> None:
    document = _changed("file", {"format": "parquet", "delimiter": ";"})
    with pytest.raises(SettingError, match=r"file\.delimiter"):
        parse_mapping(document, source="test")


def test_a_gauge_pressure_is_told_what_to_do() -> None:
    with pytest.raises(SettingError, match="ambient pressure"):
        parse_mapping(_changed("fields.pressure.unit", "mbar gauge"), source="test")


def test_files_that_are_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="nowhere"):
        load_mapping(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(InputFileError, match="TOML"):
        load_mapping(broken)
    broken.write_bytes(b'name = "\xff"')
    with pytest.raises(InputFileError, match="UTF-8"):
        load_mapping(broken)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_mappings_are_good(path: Path) -> None:
    assert load_mapping(path).description


def test_mappings_for_all_forms_of_files_are_shipped() -> None:
    formats = {load_mapping(path).file.format for path in EXAMPLES.glob("*.toml")}
    assert formats == {"csv", "pipe", "jsonl", "parquet"}
