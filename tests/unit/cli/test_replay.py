from __future__ import annotations

import json
from pathlib import Path

import pytest

MAPPING = """
name = "two columns"
[file]
format = "csv"
[time]
column = "t"
format = "epoch_s"
[fields]
temperature = { column = "temp_k", unit = "K" }
layer = { column = "n" }
[constants]
sensor_id = "s1"
build_id = "b1"
"""


@pytest.fixture
def log() -> tuple[str, ...]:
    Path("m.toml").write_text(MAPPING, encoding="utf-8")
    lines = ["t,temp_k,n", "1,1873.15,0", "2,hot,0", "3,1874.15,1", "?,1,1", "5,,2"]
    Path("log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ("replay", "log.csv", "--mapping", "m.toml", "--to-file", "out.jsonl")


def test_records_are_converted_and_bad_lines_are_named(run, log: tuple[str, ...]) -> None:
    result = run(*log)
    assert result.exit_code == 0
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(r["timestamp"], r["temperature"], r["layer"]) for r in records] == [
        (1.0, 1600.0, 0),
        (3.0, 1601.0, 1),
        (5.0, None, 2),
    ]
    named = [line for line in result.stderr.splitlines() if line.startswith("log.csv, line ")]
    assert [line.split(":")[0] for line in named] == ["log.csv, line 3", "log.csv, line 5"]
    assert "sent 3 records to file out.jsonl" in result.stdout
    assert ["bad", "lines", "2"] in [line.split() for line in result.stdout.splitlines()]


def test_json_and_few_bad_lines(run, log: tuple[str, ...]) -> None:
    result = run(*log, "--json", "--most-bad-lines", 1)
    plain = json.loads(result.stdout.splitlines()[-1])
    assert (plain["sent"], plain["failed"], plain["bad_lines"]) == (3, 0, 2)
    assert plain["mapping"] == "two columns"
    assert "line 3" in result.stderr
    assert "line 5" not in result.stderr
    assert "1 more bad lines" in result.stderr


def test_a_log_without_a_good_line_fails(run, log: tuple[str, ...]) -> None:
    Path("log.csv").write_text("t,temp_k,n\n?,1,1\n", encoding="utf-8")
    result = run(*log)
    assert result.exit_code == 1
    assert "none of its 1 lines gives a record" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("speed", "code"), [("max", 0), ("1000", 0), ("original", 0), ("-1", 2), ("fast", 2)]
)
def test_speeds(run, log: tuple[str, ...], speed: str, code: int) -> None:
    lines = ["t,temp_k,n", "1.0,1873.15,0", "1.01,1873.15,0"]
    Path("log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run(*log, "--speed", speed).exit_code == code


def test_a_bad_mapping_is_named(run, log: tuple[str, ...]) -> None:
    Path("m.toml").write_text("name = \n", encoding="utf-8")
    result = run(*log)
    assert result.exit_code == 1
    assert "m.toml" in result.stderr
