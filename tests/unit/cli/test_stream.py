from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.cli import following
from pbf_ray.cli.live import LiveProgress
from pbf_ray.cli.signals import StopSignals
from pbf_ray.config import Settings
from pbf_ray.errors import BrokerUnavailableError, FencedError
from pbf_ray.jobs.stream import JobResult
from pbf_ray.streaming.progress import Progress

RESULT = JobResult(
    job_id="night",
    outcome="finished",
    books={
        "consumed": 1010, "accepted": 1000, "dead_letters": 4, "late": 3, "dropped": 1,
        "duplicates": 2, "pending": 0, "flagged": 5,
    },
    anomalies_by_type={"low_pressure": 7, "high_temperature": 2},
    dead_letters_by_reason={"not_json": 3, "blank": 1},
    layers=2,
    seconds=2.0,
    outputs={"layer_quality": "/data/night/operational.sqlite"},
)  # fmt: skip


class Job:
    """Ends by itself after some waits, or when told to stop; does things on the way."""

    def __init__(self, waits: int = 3, at: dict[int, Callable[[], Any]] | None = None) -> None:
        self.left = waits
        self.at = at or {}
        self.calls: list[str] = []
        self.settings = Settings()

    def start(self) -> None:
        self.calls.append("start")
        self.at.get(-1, lambda: None)()

    def wait(self, timeout_s: float) -> JobResult | None:
        assert timeout_s > 0
        waits = self.calls.count("wait")
        self.calls.append("wait")
        self.at.get(waits, lambda: None)()
        if "stop" in self.calls:
            return JobResult(**{**vars(RESULT), "outcome": "stopped"})
        self.left -= 1
        return None if self.left >= 0 else RESULT

    def progress(self) -> Progress:
        return Progress(state="running", consumed=1000, anomalies=9, layers=2, lag=10)

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


def interrupt(number: int = signal.SIGINT) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


class Table:
    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.rows = list(rows)

    def to_pylist(self) -> list[dict[str, Any]]:
        return self.rows


class Results:
    def __init__(self, _settings: Settings) -> None:
        pass

    def books(self) -> dict[str, Any]:
        return {**RESULT.books, "dead_letters_by_reason": {"not_json": 3, "blank": 1}}

    def read(self, name: str) -> Table:
        assert name == "layer_quality"
        rows = [
            {
                "build_id": "B1", "layer": layer, "n": n, "anomalies": 1, "quality_score": score,
                "temperature_avg": 1600.0, "temperature_std": std, "pressure_avg": None,
                "pressure_std": None, "laser_power_avg": None, "laser_power_std": None,
                "scan_speed_avg": None, "scan_speed_std": None, "revision": 0,
            }
            for layer, n, std, score in ((0, 500, 12.0, 0.8), (1, 1, None, 0.4))
        ]  # fmt: skip
        return Table(rows)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    job = Job()

    def make(settings: Settings, invocation: Any) -> Job:
        job.settings = settings
        return job

    monkeypatch.setattr("pbf_ray.cli.stream._job", make)
    monkeypatch.setattr(following, "_results", Results)
    return job


def test_options_are_settings(run, job: Job) -> None:
    result = run(
        "stream", "--json", "--job", "night", "--topic", "a", "--topic", "b", "--until-end",
        "--start-from", "latest", "--mode", "strict", "--lateness", "2.5", "--profile", "p.toml",
        "--data-dir", "data", "--readers", "3", "--windows", "4", "--address", "auto",
        "--accept-loss", "--bootstrap-servers", "h:1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    settings = job.settings
    assert settings.job.name == "night"
    assert settings.job.data_dir == Path("data").absolute()
    assert settings.kafka.topics == ("a", "b")
    assert settings.kafka.bootstrap_servers == "h:1"
    assert settings.stream.until_end is True
    assert settings.stream.accept_loss is True
    assert (settings.stream.start_from, settings.stream.mode) == ("latest", "strict")
    assert settings.stream.allowed_lateness_s == 2.5
    assert settings.rules.profile == str(Path("p.toml").absolute())
    assert (settings.workers.readers, settings.workers.windows) == (3, 4)
    assert settings.ray.address == "auto"


def test_options_that_are_not_given_leave_the_file_alone(run, job: Job) -> None:
    Path("pbf-ray.toml").write_text(
        "[stream]\nuntil_end = true\naccept_loss = true\nmode = 'strict'\n", encoding="utf-8"
    )
    assert run("stream", "--json", "--mode", "watermark").exit_code == 0
    stream = job.settings.stream
    assert (stream.until_end, stream.accept_loss, stream.mode) == (True, True, "watermark")


def test_the_last_line_is_one_json_object(run, job: Job) -> None:
    result = run("stream", "--json")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert json.loads(line) == {
        "job_id": "night", "outcome": "finished", "consumed": 1010, "accepted": 1000,
        "dead_letters": 4, "late": 3, "dropped": 1, "duplicates": 2, "pending": 0, "flagged": 5,
        "anomalies": 9, "layers": 2, "seconds": 2.0,
        "anomalies_by_type": {"low_pressure": 7, "high_temperature": 2},
        "dead_letters_by_reason": {"not_json": 3, "blank": 1},
        "outputs": {"layer_quality": "/data/night/operational.sqlite"},
    }  # fmt: skip
    assert job.calls == ["start", "wait", "wait", "wait", "wait", "close"]


def test_the_summary_for_people(run, job: Job) -> None:
    result = run("stream", "--job", "night", "--data-dir", "my data")
    assert result.exit_code == 0
    text = result.stdout
    assert "job night finished after 2.0 s\n" in text
    assert "balanced: 1,010 = 1,000 + 4 + 3 + 1 + 2" in text
    assert "not_json 3, blank 1" in text
    assert "9 in 1,003 records (0.90%)" in text
    assert text.index("critical  high_temperature") < text.index("warning   low_pressure")
    assert "not enough data" in text
    assert "0.4" not in text
    assert "/data/night/operational.sqlite" in text
    folder = Path("my data").absolute()
    assert f"pbf-ray results layers --job night --data-dir '{folder}'" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", [-1, 1], ids=["while starting", "while running"])
def test_a_signal_finishes_the_epoch_and_ends_with_0(
    run, job: Job, number: signal.Signals, when: int
) -> None:
    job.left, job.at = 1000, {when: interrupt(number)}
    before = signal.getsignal(number)
    result = run("stream", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["outcome"] == "stopped"
    assert job.calls.count("stop") == 1
    assert job.calls[-1] == "close"
    assert "stopping: finishing the epoch" in result.stderr
    assert signal.getsignal(number) is before


def test_a_second_signal_stops_at_once(run, job: Job) -> None:
    job.left, job.at = 1000, {1: interrupt(), 2: interrupt(signal.SIGTERM)}
    job.stop = lambda: None  # type: ignore[method-assign]
    result = run("stream")
    assert result.exit_code == 130
    assert "pbf-ray: interrupted" in result.stderr
    assert job.calls[-1] == "close"


def test_signals_that_ray_took_for_itself_are_taken_back(run, job: Job) -> None:
    def like_ray() -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))

    job.left, job.at = 1000, {-1: like_ray, 1: interrupt(signal.SIGTERM)}
    assert run("stream", "--json").exit_code == 0
    assert "stop" in job.calls


def test_a_failed_job_is_closed_and_told(run, job: Job) -> None:
    def fenced() -> None:
        raise FencedError("night", mine=1, newer=2, where="checkpoint")

    job.at = {1: fenced}
    result = run("stream", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["newer"] == 2
    assert "run 2 has taken over from run 1" in result.stderr
    assert job.calls[-1] == "close"


def test_what_stands_in_the_way_is_said_before_ray_starts(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_job: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr("pbf_ray.jobs.stream.StreamJob.start", start)
    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", lambda *_: 1)
    monkeypatch.setattr("pbf_ray.kafka.topics.list_topics", lambda _config: ["ispm-monitoring"])
    rules = run("stream", "--profile", "absent.toml")
    assert (rules.exit_code, "absent.toml" in rules.stderr) == (1, True)
    topic = run("stream", "--topic", "ispm-monitoring", "--topic", "other")
    assert topic.exit_code == 1
    assert topic.stderr.splitlines() == [
        "pbf-ray: topic other does not exist on localhost:9092",
        "  to do: create it: pbf-ray topics create",
    ]

    def nobody(_config: object, timeout_s: float) -> int:
        raise BrokerUnavailableError("localhost:9092", "refused", waited_s=timeout_s)

    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", nobody)
    broker = run("--set", "kafka.connect_timeout_s=9", "stream")
    assert broker.exit_code == 1
    assert "no Kafka broker answers at localhost:9092 for 9 s" in broker.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    out, now = io.StringIO(), [0.0]
    with LiveProgress(out, every_s=5.0, clock=lambda: now[0]) as shown:
        for now[0] in (0.0, 0.9, 1.0, 3.0, 5.9, 6.0, 11.5):
            shown.update({"consumed": 1000 * int(now[0]), "records_per_s": 12.4, "lag": 7})
        shown.note("stopping")
    assert out.getvalue().splitlines() == [
        "0:01  1,000 records  12/s  0 anomalies  0 layers  lag 7",
        "0:06  6,000 records  12/s  0 anomalies  0 layers  lag 7",
        "0:11  11,000 records  12/s  0 anomalies  0 layers  lag 7",
        "stopping",
    ]


def test_progress_on_a_terminal_is_one_line_that_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    signals = StopSignals()
    with LiveProgress(out) as shown:
        assert following.follow(Job(waits=2), shown, signals) is RESULT
        shown._live.refresh()
        shown.note("a [note] of its own")
    text = out.getvalue()
    assert "1,000 records" in text
    assert "lag 10" in text
    assert "a [note] of its own" in text
    assert text.rstrip("\n").endswith("\x1b[2K")  # the line is erased at the end
