from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import StoreUnavailableError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def filled(name: str, **values: Any) -> dict[str, Any]:
    """A row of a table with something in every column."""
    row: dict[str, Any] = {}
    for field in OUTPUT_TABLES[name].schema:
        if pa.types.is_timestamp(field.type):
            row[field.name] = NOW
        elif pa.types.is_date(field.type):
            row[field.name] = NOW.date()
        elif pa.types.is_floating(field.type):
            row[field.name] = 1.5
        elif pa.types.is_integer(field.type):
            row[field.name] = 7
        elif pa.types.is_boolean(field.type):
            row[field.name] = False
        elif pa.types.is_binary(field.type):
            row[field.name] = b"\xff{"
        elif pa.types.is_struct(field.type):
            row[field.name] = {"producer_id": "p", "message_id": "m"}
        else:
            row[field.name] = f"some {field.name}"
    return row | values


ROWS: dict[str, list[dict[str, Any]]] = {
    "layer_quality": [
        filled("layer_quality", build_id="B1", layer=10, quality_score=0.8),
        filled("layer_quality", build_id="B1", layer=9, temperature_std=None, quality_score=0.4),
        filled("layer_quality", build_id=None, layer=None, quality_score=1.0),
    ],
    "ispm_anomalies": [
        filled(
            "ispm_anomalies", anomaly_type="high_pressure", severity="critical", late=True,
            timestamp=1_750_000_000.25, pressure=1.0023, temperature=None,
            scan_speed=math.nan, laser_power=math.inf,
        )
    ],
    "dead_letters": [
        filled("dead_letters", topic="t", partition=3, offset=12, value=b"\x00E42\nsensor"),
        filled("dead_letters", value=None, reason="null_value"),
    ],
    "late_records": [filled("late_records", timestamp=100.0, watermark=102.5)],
    "ispm_monitoring": [
        filled("ispm_monitoring", offset=offset, timestamp=float(offset)) for offset in range(30)
    ],
    "quality_metrics": [filled("quality_metrics", timestamp=math.nan, quality_score=0.6)],
}  # fmt: skip


class Results:
    def __init__(self) -> None:
        self.rows = ROWS
        self.asked: list[tuple[str, Sequence[str] | None, int | None]] = []

    def read(
        self, name: str, *, columns: Sequence[str] | None = None, limit: int | None = None
    ) -> pa.Table:
        self.asked.append((name, columns, limit))
        table = pa.Table.from_pylist(self.rows[name], schema=OUTPUT_TABLES[name].schema)
        if columns is not None:
            table = table.select(list(columns))
        return table if limit is None else table.slice(0, limit)

    def count(self, name: str) -> int:
        return len(self.rows[name])

    def books(self) -> dict[str, Any]:
        return {
            "job_id": "night", "epoch": 3, "consumed": 5, "accepted": 3, "dead_letters": 2,
            "late": 0, "dropped": 0, "duplicates": 0, "pending": 1, "flagged": 0,
            "dead_letters_by_reason": {"not_json": 2},
        }  # fmt: skip


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    results = Results()
    monkeypatch.setattr("pbf_ray.cli.results._results", lambda _settings: results)
    return results


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_layers_come_in_the_order_of_printing(run, results: Results) -> None:
    result = run("results")
    assert result.exit_code == 0
    assert cells(result.stdout)[1:] == [
        ["B1", "9", "7", "1.5", *["1.500", "±", "1.500", "1.5", "±", "1.5", "1.500", "±", "1.500"],
         "7", "not", "enough", "data", "7"],
        ["B1", "10", "7", "1.5", "±", "1.5", "1.500", "±", "1.500", "1.5", "±", "1.5", "1.500",
         "±", "1.500", "7", "0.8", "7"],
        ["null", "null", "7", "1.5", "±", "1.5", "1.500", "±", "1.500", "1.5", "±", "1.5", "1.500",
         "±", "1.500", "7", "1.0", "7"],
    ]  # fmt: skip
    limited = run("results", "layers", "--limit", 1, "--json")
    assert [row["layer"] for row in json.loads(limited.stdout)["rows"]] == [9]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (
            "anomalies",
            ["15:06:40.250", "some", "build_id", "7", "critical", "high_pressure",
             "(late)", "1.002", "inf", "nan"],
        ),
        ("dead-letters", ["t/3@12", "some", "reason", "some", "detail", r"\x00E42\nsensor"]),
        ("late", ["some", "topic/7@7", "00:01:40.000", "2.500", "some", "build_id",
                  "7", "some", "sensor_id"]),
        ("monitoring", ["00:00:00.000", "some", "build_id", "7", "some",
                        "sensor_id", "1.5", "1.500", "1.5", "1.500"]),
        ("quality", ["nan", "some", "build_id", "7", "1.5", "1.5", "1.50", "1.500", "1.5000",
                     "0.6"]),
    ],
)  # fmt: skip
def test_every_table_has_a_view(run, results: Results, what: str, expected: list[str]) -> None:
    result = run("results", what)
    assert result.exit_code == 0
    assert cells(result.stdout)[1] == expected


@pytest.mark.parametrize("what", ["layers", "anomalies", "dead-letters", "late", "quality"])
def test_json_is_strict_and_has_all_columns(run, results: Results, what: str) -> None:
    result = run("results", what, "--json", "--job", "night")

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    plain = json.loads(result.stdout, parse_constant=refuse)
    assert plain["job_id"] == "night"
    schema = OUTPUT_TABLES[plain["table"]].schema
    assert len(plain["rows"]) == len(ROWS[plain["table"]])
    assert all(set(row) == set(schema.names) for row in plain["rows"])
    if what == "anomalies":
        assert (plain["rows"][0]["scan_speed"], plain["rows"][0]["laser_power"]) == (
            "NaN",
            "Infinity",
        )
        assert plain["rows"][0]["processing_timestamp"] == NOW.isoformat()


def test_the_screen_shows_few_rows_and_says_so(run, results: Results) -> None:
    result = run("results", "monitoring")
    assert len(result.stdout.splitlines()) == 21
    assert "20 of 30 rows; --limit N for more" in result.stderr
    assert results.asked[-1][2] == 20
    assert len(run("results", "monitoring", "--limit", 25).stdout.splitlines()) == 26
    assert run("results", "monitoring", "--limit", 30).stderr == ""


def test_an_empty_table_is_said_to_be_empty(run, results: Results) -> None:
    results.rows = {**ROWS, "dead_letters": []}
    result = run("results", "dead-letters")
    assert (result.exit_code, result.stdout) == (0, "the job has written no dead letters\n")


@pytest.mark.parametrize("table", list(OUTPUT_TABLES))
def test_parquet_keeps_everything(run, results: Results, table: str) -> None:
    what = {
        "layer_quality": "layers", "ispm_anomalies": "anomalies", "dead_letters": "dead-letters",
        "late_records": "late", "ispm_monitoring": "monitoring", "quality_metrics": "quality",
    }[table]  # fmt: skip
    result = run("results", what, "--out", "x.parquet", "--json")
    assert result.exit_code == 0
    expected = results.read(table)
    if what == "layers":
        expected = expected.sort_by([("build_id", "ascending"), ("layer", "ascending")])
    found = pa.parquet.read_table("x.parquet")
    assert found.schema.equals(expected.schema, check_metadata=True)
    assert repr(found.to_pylist()) == repr(expected.to_pylist())  # NaN is not equal to itself
    assert json.loads(result.stdout) == {
        "table": table, "rows": expected.num_rows, "file": str(Path("x.parquet").absolute()),
    }  # fmt: skip


def test_csv_and_jsonl(run, results: Results) -> None:
    assert (
        "1 rows of ispm_anomalies in x.csv" in run("results", "anomalies", "--out", "x.csv").stdout
    )
    frame = pa.csv.read_csv("x.csv").to_pylist()[0]
    assert (frame["anomaly_type"], frame["_metadata.message_id"]) == ("high_pressure", "m")
    assert run("results", "dead-letters", "--out", "x.csv").exit_code == 0
    assert "\\xff{" in Path("x.csv").read_text(encoding="utf-8")
    assert run("results", "anomalies", "--out", "x.jsonl").exit_code == 0
    (row,) = map(json.loads, Path("x.jsonl").read_text(encoding="utf-8").splitlines())
    assert row["_metadata"] == {"producer_id": "p", "message_id": "m"}
    assert row["scan_speed"] == "NaN"


def test_an_export_is_whole_or_not_there(
    run, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    Path("x.parquet").write_bytes(b"before")
    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    result = run("results", "late", "--out", "x.parquet")
    assert result.exit_code == 1
    assert "x.parquet cannot be written: No space left on device" in result.stderr
    assert Path("x.parquet").read_bytes() == b"before"
    assert [path.name for path in Path().iterdir()] == ["x.parquet"]


def test_an_unknown_extension_is_wrong_use(run, results: Results) -> None:
    result = run("results", "late", "--out", "x.xlsx")
    assert result.exit_code == 2
    assert ".parquet, .csv, .jsonl" in result.stderr
    assert results.asked == []


def test_books(run, results: Results) -> None:
    text = run("results", "books").stdout
    assert "balanced: 5 = 3 + 2 + 0 + 0 + 0" in text
    assert "1 still wait for the watermark" in text
    assert "not_json 2" in text
    assert json.loads(run("results", "books", "--json").stdout)["epoch"] == 3


def test_a_job_that_is_not_there_names_those_that_are(run) -> None:
    Path("pbf-data/demo-1/checkpoint").mkdir(parents=True)
    result = run("results", "--job", "nobody")
    assert result.exit_code == 1
    assert "jobs in" in result.stderr
    assert "demo-1" in result.stderr


def test_an_unreadable_store_is_named(
    run, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_name: str) -> int:
        raise StoreUnavailableError("sqlite:/x", "disk I/O error", advice="see the disk")

    monkeypatch.setattr(results, "count", refuse)
    result = run("results")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "pbf-ray: store sqlite:/x: disk I/O error",
        "  to do: see the disk",
    ]
