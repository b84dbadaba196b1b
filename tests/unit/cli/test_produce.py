from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = """
class Gauge:
    def __init__(self, name="g-1", count="3"):
        self.name, self.count = name, int(count)

    def records(self):
        for layer in range(self.count):
            yield {"sensor_id": self.name, "timestamp": float(layer), "layer": layer}

    def close(self):
        print("closed")

class Failing(Gauge):
    def records(self):
        raise OSError("cable")
        yield

class NoSource:
    pass

def not_a_class(**_):
    raise RuntimeError("no port")
"""


@pytest.fixture(autouse=True)
def _sources() -> Iterator[None]:
    Path("my_sensors.py").write_text(SOURCES, encoding="utf-8")
    Path("broken_sensors.py").write_text("import no_such_driver\n", encoding="utf-8")
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("my_sensors", "broken_sensors"):
        sys.modules.pop(name, None)


def test_records_of_a_class_in_the_current_folder(run) -> None:
    result = run(
        "produce", "my_sensors:Gauge", "--arg", "name=press=1", "--arg", "count=4",
        "--to-file", "out.jsonl", "--json",
    )  # fmt: skip
    assert result.exit_code == 0
    plain = json.loads(result.stdout.splitlines()[-1])
    assert (plain["read"], plain["sent"], plain["failed"], plain["queued"]) == (4, 4, 0, 0)
    assert (plain["source"], plain["source_failures"]) == ("my_sensors:Gauge", 0)
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [(r["sensor_id"], r["layer"]) for r in records] == [("press=1", n) for n in range(4)]
    assert all(r["_metadata"]["producer_id"] for r in records)


def test_for_people(run) -> None:
    result = run("produce", "my_sensors:Gauge", "--to-file", "out.jsonl")
    assert "sent 3 records to file out.jsonl" in result.stdout
    assert ["source", "my_sensors:Gauge"] in [line.split() for line in result.stdout.splitlines()]


def test_a_source_that_fails_too_often_ends_with_1(run) -> None:
    result = run("produce", "my_sensors:Failing", "--max-failures", 1, "--to-file", "out.jsonl")
    assert result.exit_code == 1
    assert "source Failing failed 1 times in a row; last cause: OSError('cable')" in result.stderr


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("my_sensors", 2, "write package.module:Class"),
        ("my sensors:Gauge", 2, "write package.module:Class"),
        ("absent_module:Gauge", 2, "there is no module absent_module"),
        ("my_sensors.deeper:Gauge", 2, "there is no module my_sensors.deeper"),
        ("my_sensors:Absent", 2, "my_sensors has no Absent"),
        ("my_sensors:NoSource", 2, "it has no records and no close"),
        ("my_sensors:not_a_class", 1, "RuntimeError('no port')"),
        ("broken_sensors:Gauge", 1, "no_such_driver"),
    ],
)
def test_what_is_no_source_is_said(run, source: str, code: int, said: str) -> None:
    result = run("produce", source, "--to-file", "out.jsonl")
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "options", [["--arg", "name"], ["--arg", "1=2"], ["--rate", "1", "--speed", "1"]]
)
def test_wrong_use(run, options: list[str]) -> None:
    assert run("produce", "my_sensors:Gauge", *options, "--to-file", "x").exit_code == 2
