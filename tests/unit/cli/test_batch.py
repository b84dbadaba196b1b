from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pbf_ray.cli.render.batch import quality_line
from pbf_ray.contracts import OUTPUT_TABLES
from support.workload import Workload


@pytest.fixture
def records() -> Path:
    file = Path("records.jsonl")
    file.write_bytes(b"".join((value or b"") + b"\n" for _, value in Workload(500).in_time()))
    return file


def test_quality_shows_the_books_and_where_the_tables_are(run, records: Path) -> None:
    result = run("batch", "quality", "--input", records, "--output", "out", "--engine", "local")
    assert result.exit_code == 0, result.output
    assert "balanced: " in result.stdout
    assert str(Path("out").absolute()) in result.stdout
    assert result.stderr == "", "without a terminal there is no progress"
    words = ("--output", "out", "--engine", "local", "--split", "9 KB", "--job", "night", "--json")
    plain = json.loads(run("batch", "quality", "--input", records, *words).stdout.splitlines()[-1])
    assert (plain["engine"], plain["job_id"]) == ("local", "night")
    lines = len(records.read_bytes().splitlines())
    assert plain["books"]["consumed"] == lines
    assert {path.name for path in Path("out").iterdir()} == {
        *OUTPUT_TABLES, "_manifest.json", "_SUCCESS",
    }  # fmt: skip
    for name, rows in plain["rows"].items():
        assert pq.read_table(Path("out") / name).num_rows == rows
    words = ("--output", "out", "--engine", "local", "--format", "delta")
    again = run("batch", "quality", "--input", records, *words)
    assert (again.exit_code, again.stderr) == (0, "")
    assert {name: DeltaTable(Path("out") / name).version() for name in plain["rows"]} == (
        dict.fromkeys(plain["rows"], 0)
    )


def test_quality_says_in_one_line_why_it_cannot(run, records: Path) -> None:
    def said(*words: object) -> str:
        result = run("batch", "quality", *words, "--engine", "local")
        assert result.exit_code == 1
        assert "Traceback" not in result.output
        return str(result.stderr)

    assert "there is no such file" in said("--input", "none.jsonl", "--output", "out")
    delta = ("--input", records, "--output", "memory://out", "--format", "delta")
    assert "Delta Lake tables are written to a local or mounted folder" in said(*delta)
    assert "holds something else" in said("--input", records, "--output", ".")
    Path("kept").mkdir()
    Path("kept/_manifest.json").write_text('{"content": "parsed build files"}')
    assert "holds parsed build files, and not" in said("--input", records, "--output", "kept")
    Path("dedup.toml").write_text('[stream]\ndedup_key = "sensor_id"\n')
    result = run(
        "--config", "dedup.toml", "batch", "quality", "--input", records, "--output", "out"
    )
    assert "stream.dedup_key" in result.stderr


def test_the_progress_line_fits() -> None:
    progress = {"step": "layers", "tasks": 12, "tasks_done": 3, "records": 1_234_567}
    whole = "".join(text for text, _ in quality_line(progress, 3.0))
    assert "rolling up layers" in whole
    assert "1,234,567 records" in whole
    assert len("".join(text for text, _ in quality_line(progress, 3.0, 30))) <= 30
