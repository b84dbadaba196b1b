from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.cli import sending
from pbf_ray.errors import BrokerError, BrokerUnavailableError
from pbf_ray.simulate import SimulatedRecord, Twin, TwinConfig


class Topic:
    """A target that fails or is disturbed at chosen records."""

    def __init__(self) -> None:
        self.where = "topic ispm-monitoring on broker:9092"
        self.records: list[SimulatedRecord] = []
        self.failed = 0
        self.error: BrokerError | None = None
        self.at: dict[int, Callable[[], object]] = {}
        self.unflushed = 3

    @property
    def sent(self) -> int:
        return len(self.records) - self.failed

    def send(self, record: SimulatedRecord) -> bool:
        self.at.get(len(self.records), lambda: None)()
        self.records.append(record)
        return True

    def fail(self) -> None:
        self.failed += 1
        self.error = self.error or BrokerUnavailableError("broker:9092", "gone")

    def flush(self, timeout_s: float) -> int:
        self.unflushed -= 1
        return max(0, self.unflushed)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    open_target = sending.open_target
    monkeypatch.setattr(
        sending,
        "open_target",
        lambda settings, name, file: topic if file is None else open_target(settings, name, file),
    )
    return topic


SMALL = ("--machines", 1, "--layers", 3, "--records-per-layer", 4, "--sensors", 2)
TWIN = TwinConfig(machines=1, layers=3, records_per_layer=4, sensors=2)


def test_what_was_sent_is_what_the_twin_measures(run, topic: Topic) -> None:
    result = run("simulate", *SMALL)
    assert result.exit_code == 0
    assert topic.records == list(Twin(TWIN).records())
    assert result.stdout.startswith("sent 24 records to topic ispm-monitoring on broker:9092 in")
    assert topic.unflushed == 0


def test_options_reach_the_twin(run, topic: Topic) -> None:
    config = TwinConfig(
        machines=1, layers=3, records_per_layer=4, sensors=2, seed=7, start_time_s=1_700_000_000.0,
        missing_rate=0.1, malformed_rate=0.1, repeat_rate=0.1, out_of_order_rate=0.1,
        max_disorder_s=3.0, random_faults_per_build=1,
    )  # fmt: skip
    result = run(
        "simulate", *SMALL, "--seed", 7, "--start", "2023-11-14T22:13:20", "--missing", 0.1,
        "--malformed", 0.1, "--repeated", 0.1, "--out-of-order", 0.1, "--max-disorder", 3,
        "--random-faults", 1,
    )  # fmt: skip
    assert result.exit_code == 0
    assert topic.records == list(Twin(config).records())


def test_the_json_result_is_the_ground_truth(run, topic: Topic) -> None:
    result = run(
        "simulate", *SMALL, "--fault", "hot_spot@M01-B001:1-2=200", "--truth", "t.json", "--json"
    )
    assert result.exit_code == 0
    plain: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    assert (plain["sent"], plain["failed"], plain["interrupted"]) == (24, 0, False)
    written = json.loads(Path("t.json").read_text(encoding="utf-8"))
    assert plain["truth"]["faults"] == written["faults"]
    assert written["faults"][0]["magnitude"] == 200
    assert written["complete"] is True


def test_to_a_file_with_a_line_per_record(run, topic: Topic) -> None:
    result = run("simulate", *SMALL, "--malformed", 0.5, "--to-file", "records.jsonl")
    assert result.exit_code == 0
    assert topic.records == []
    lines = Path("records.jsonl").read_bytes().splitlines()
    assert len(lines) == 24
    twin = Twin(TwinConfig(**{**vars(TWIN), "malformed_rate": 0.5}))
    values = [record.value or b"" for record in twin.records()]
    assert lines == [b"" if not value.strip() else value for value in values]


def test_to_stdout_nothing_else_goes_there(run, topic: Topic) -> None:
    result = run("simulate", *SMALL, "--to-file", "-")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 24
    assert all(json.loads(line) for line in result.stdout.splitlines())
    assert "sent 24 records" in result.stderr
    assert run("simulate", *SMALL, "--to-file", "-", "--json").exit_code == 2


def test_failed_records_are_counted_and_end_with_1(run, topic: Topic) -> None:
    topic.at = {5: topic.fail, 9: topic.fail}
    result = run("simulate", *SMALL, "--json")
    assert result.exit_code == 1
    plain = json.loads(result.stdout.splitlines()[-1])
    assert (plain["sent"], plain["failed"]) == (22, 2)
    assert "no Kafka broker answers at broker:9092" in plain["error"]
    assert "to do:" in result.stderr


def test_a_refused_record_ends_it_with_exact_counts(run, topic: Topic) -> None:
    def refuse() -> None:
        raise BrokerError("record is too large", advice="make it smaller")

    topic.at = {5: refuse}
    result = run("simulate", *SMALL)
    assert result.exit_code == 1
    assert "sent 5 records" in result.stdout
    assert "pbf-ray: record is too large" in result.stderr
    assert topic.unflushed == 0


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("waiting", [False, True], ids=["while sending", "while waiting"])
def test_ctrl_c_ends_with_exact_counts(run, topic: Topic, waiting: bool) -> None:
    timer = threading.Timer(0.05, interrupt)
    if waiting:
        # The first record goes out at once, the second would an hour later.
        topic.at = {0: timer.start}
        pace, expected = ["--rate", "0.0002"], 2
    else:
        topic.at = {5: interrupt}
        pace, expected = [], 6
    result = run("simulate", *SMALL, *pace, "--truth", "t.json", "--json")
    assert result.exit_code == 130
    plain = json.loads(result.stdout.splitlines()[-1])
    assert (plain["sent"], plain["interrupted"]) == (expected, True)
    written = json.loads(Path("t.json").read_text(encoding="utf-8"))
    assert (written["sent"], written["complete"]) == (expected, False)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--fault", "hot_spot"], 1, "kind@build:first-last"),
        (["--fault", "hot_spot@M09-B001:1"], 1, "not a build of this simulation"),
        (["--malformed", "1.5"], 2, "--malformed"),
        (["--start", "yesterday"], 2, "ISO 8601"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(run, topic: Topic, args: list[str], code: int, said: str) -> None:
    result = run("simulate", *args)
    assert result.exit_code == code
    assert said in result.stderr
    assert topic.records == []
