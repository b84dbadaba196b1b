"""``pbf-ray status``: exit codes, JSON, Prometheus, and what people see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pbf_ray.config import Settings
from pbf_ray.streaming.copies import CopyStanding
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.status import PartitionStanding, Status, read_status, write_status
from support.memory_world import MemoryTopics, job_on_disk
from unit.cli.conftest import Run


@pytest.fixture
def job(tmp_path: Path) -> Settings:
    topics = MemoryTopics(2)
    for second in range(20):
        record = {"timestamp": float(second), "build_id": "B", "layer": 1, "temperature": 1600.0}
        topics.send(second % 2, json.dumps(record).encode())
    topics.send(0, b"{")
    return job_on_disk(tmp_path, topics, StreamSemantics(bounded=True))


@pytest.fixture
def args(job: Settings) -> list[str]:
    return ["--job", "job", "--data-dir", str(job.job.data_dir), "--no-broker"]


def change(job: Settings, **changes: object) -> None:
    status = read_status(job.checkpoint_path)
    assert status is not None
    write_status(job.checkpoint_path, replace(status, **changes))


def state(job: Settings, text: str) -> None:
    status = read_status(job.checkpoint_path)
    assert status is not None
    change(job, progress=replace(status.progress, state=text))


def test_a_job_that_is_done(run: Run, args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = run("status", *args)
    assert done.exit_code == 0
    text = done.stdout
    assert text.splitlines()[0] == "job job  finished"
    assert "books balanced 21 = 20 accepted + 1 dead letters" in " ".join(text.split())
    assert "Partitions  2, 0 behind" in text
    assert "B      quiet  1970-01-01 00:00:19.000" in text
    assert "decode" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_job_that_gives_no_sign_of_life(run: Run, args: list[str], job: Settings) -> None:
    state(job, "running")
    change(job, heartbeat_us=1_000_000)
    done = run("status", *args)
    assert done.exit_code == 1
    assert "NO SIGN OF LIFE" in done.stdout.splitlines()[0]
    assert "it never said that it had ended" in done.stdout
    assert json.loads(run("status", *args, "--json").stdout)["verdict"] == "silent"


def test_a_job_that_failed_says_why(run: Run, args: list[str], job: Settings) -> None:
    state(job, "failed")
    change(job, error={"type": "StoreError", "what": "the disk burns", "advice": "water"})
    done = run("status", *args)
    assert done.exit_code == 1
    assert "FAILED" in done.stdout
    assert "StoreError: the disk burns" in done.stdout
    assert "to do: water" in done.stdout


def test_what_is_wrong_stands_out(run: Run, args: list[str], job: Settings) -> None:
    places = tuple(PartitionStanding("ispm", n, 10, 10 + n, n) for n in range(30))
    copies = (CopyStanding("late_records", "t", problem="topic t does not exist"),)
    waits = {"broker": {"count": 2, "total_s": 75.0}, "store": {"count": 0, "total_s": 0.0}}
    change(job, partitions=places, copies=copies, waits=waits, passed_over=1234, replayed=3)
    text = run("status", *args).stdout
    assert "Partitions  30, 29 behind" in text
    assert "ispm/29" in text
    assert "and 17 more" in text
    assert "topic t does not exist" in text
    assert "2 x" in text
    assert "75 s in all" in text
    assert "1,234" in text


def test_programs_get_all_of_it(run: Run, args: list[str], job: Settings) -> None:
    plain = json.loads(run("status", *args, "--json").stdout)
    assert (plain["verdict"], plain["healthy"], plain["lag"]) == ("finished", True, 0)
    assert Status.from_plain(plain["status"]) == read_status(job.checkpoint_path)


def test_prometheus_text(run: Run, args: list[str]) -> None:
    done = run("status", *args, "--prometheus")
    assert done.exit_code == 0
    assert 'pbf_ray_records_consumed_total{job="job"} 21.0' in done.stdout
    assert run("status", *args, "--prometheus", "--json").exit_code == 2


def test_watching_ends_with_the_job(run: Run, args: list[str]) -> None:
    done = run("status", *args, "--watch", "--interval", "0.2", "--json")
    assert done.exit_code == 0
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["finished"]


def test_a_job_that_never_ran(run: Run, tmp_path: Path) -> None:
    done = run("status", "--data-dir", tmp_path, "--job", "none")
    assert done.exit_code == 1
    assert "has never run" in done.stderr
