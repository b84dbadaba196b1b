from __future__ import annotations

import json
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.jobs.stream import JobResult
from pbf_ray.streaming.progress import Progress


class Demo:
    def __init__(self, settings: Settings, **scale: Any) -> None:
        self.settings = settings
        self.scale = scale
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")
        self.settings = self.settings.replace({"job.name": "demo-1"})

    def wait(self, timeout_s: float) -> JobResult:
        books = dict.fromkeys(
            ("consumed", "accepted", "dead_letters", "late", "dropped", "duplicates", "pending"), 0
        )
        return JobResult("demo-1", "finished", books, {}, {}, 0, 1.0, {"checkpoint": "/c"})

    def progress(self) -> Progress:
        return Progress()

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def demos(monkeypatch: pytest.MonkeyPatch) -> list[Demo]:
    made: list[Demo] = []

    def make(settings: Settings, **scale: Any) -> Demo:
        made.append(Demo(settings, **scale))
        return made[-1]

    monkeypatch.setattr("pbf_ray.cli.demo._demo", make)
    return made


def test_the_last_line_is_the_promised_json(run, demos: list[Demo]) -> None:
    result = run("demo", "--json", "--no-serve", "--machines", 1, "--layers", 4, "--seconds", 3)
    assert result.exit_code == 0
    plain = json.loads(result.stdout.splitlines()[-1])
    promised = {
        "consumed", "accepted", "dead_letters", "late", "anomalies", "layers", "seconds", "outputs",
    }  # fmt: skip
    assert promised <= set(plain)
    (demo,) = demos
    assert demo.scale == {"machines": 1, "layers": 4, "seconds": 3.0, "seed": 2026}
    assert demo.calls == ["start", "close"]


def test_what_to_try_next_names_the_demo_job(run, demos: list[Demo]) -> None:
    result = run("demo", "--no-serve")
    assert result.exit_code == 0
    assert "job demo-1 finished" in result.stdout
    assert "pbf-ray results layers --job demo-1\n" in result.stdout
    assert "none in 0 records" in result.stdout


@pytest.mark.parametrize(
    ("args", "served"), [([], ["demo-1"]), (["--no-serve"], []), (["--json"], [])]
)
def test_it_ends_by_serving_unless_told_not_to(
    run, demos: list[Demo], monkeypatch: pytest.MonkeyPatch, args: list[str], served: list[str]
) -> None:
    jobs: list[str] = []
    monkeypatch.setattr(
        "pbf_ray.cli.demo._serve", lambda settings, or_any_port: jobs.append(settings.job.name)
    )
    assert run("demo", *args).exit_code == 0
    assert jobs == served
    assert demos[0].calls[-1] == "close"


@pytest.mark.parametrize("args", [["--layers", "3"], ["--machines", "0"], ["--seconds", "0"]])
def test_wrong_use(run, demos: list[Demo], args: list[str]) -> None:
    assert run("demo", *args).exit_code == 2
    assert demos == []
