"""``pbf-ray stream reset``: what it shows, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.jobs import reset as reset_module
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.status import job_status
from pbf_ray.kafka.offsets import ClusterDescription, TopicPartitions
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.status import RunFacts, read_status, write_status
from support.memory_world import SOURCES, MemoryTopics, job_on_disk
from unit.cli.conftest import Run


@dataclass
class View:
    """A cluster in memory, as ``ClusterView`` tells of it."""

    topics: MemoryTopics
    told: dict[tuple[str, int], int]

    def describe(self, *, patience_s: float | None = None) -> ClusterDescription:
        numbers = tuple(range(len(self.topics.records)))
        topic = TopicPartitions("ispm", "", numbers, SOURCES["ispm"])
        return ClusterDescription("cluster", {"ispm": topic})

    def ranges(self, partitions: Any) -> dict[tuple[str, int], tuple[int, int]]:
        return {tuple(at): held for at, held in self.topics.held(self.topics.records).items()}

    def at_time(self, partitions: Any, timestamp_ms: int) -> dict[tuple[str, int], int]:
        return {
            tuple(at): next(
                (r.offset for r in records if r.timestamp_ms >= timestamp_ms), self.topics.ends[at]
            )
            for at, records in self.topics.records.items()
        }

    def commit_group(self, group_id: str, offsets: dict[tuple[str, int], int]) -> Future[None]:
        self.told = offsets
        done: Future[None] = Future()
        done.set_result(None)
        return done


@dataclass
class World:
    settings: Settings
    view: View
    args: list[str]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A job that has read 20 of 24 records of each of two partitions."""
    topics = MemoryTopics(2)

    def send(start: int, stop: int) -> None:
        for number in range(start, stop):
            record = {"timestamp": float(number), "build_id": "B", "layer": 1}
            topics.send(number % 2, json.dumps(record).encode())

    send(0, 40)
    settings = job_on_disk(tmp_path, topics, StreamSemantics(bounded=True))
    send(40, 48)
    view = View(topics, {})
    monkeypatch.setattr(reset_module, "ClusterView", lambda *_, **__: view)
    monkeypatch.setattr("pbf_ray.cli.broker.reach_broker", lambda _settings: {})
    monkeypatch.setattr("pbf_ray.cli.broker.require_topics", lambda *_: None)
    # The folder's own file, as a user would have it.
    (tmp_path / "pbf-ray.toml").write_text(
        '[job]\nname = "job"\ndata_dir = "."\n[kafka]\ntopics = ["ispm"]\n[workers]\nbuckets = 16\n'
    )
    monkeypatch.chdir(tmp_path)
    return World(settings, view, ["stream", "reset", "--to"])


def rows(world: World) -> int:
    return sum(Results(world.settings).count(name) for name in OUTPUT_TABLES)


def test_forward(run: Run, world: World) -> None:
    before = rows(world)
    done = run(*world.args, "latest", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "8 offsets will never be read" in done.stdout
    assert "rows, state and books stay" in done.stdout
    assert rows(world) == before
    (plan,) = CheckpointLog(CheckpointFolder(world.settings.checkpoint_path)).planned_after(
        read_status(world.settings.checkpoint_path).progress.epoch
    )
    assert [tuple(lost) for lost in plan.lost] == [
        ("ispm", 0, 20, 24, "reset"),
        ("ispm", 1, 20, 24, "reset"),
    ]
    assert world.view.told == {("ispm", 0): 24, ("ispm", 1): 24}
    again = run(*world.args, "latest", "--yes")
    assert "it stands there already" in again.stdout
    assert "nothing was changed" in again.stderr


def test_the_status_counts_with_a_reset_before_the_next_start_carries_it_out(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbf_ray.kafka.offsets.ClusterView", lambda *_, **__: world.view)
    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", lambda *_, **__: 1)
    assert job_status(world.settings).lag == 8
    for to in ("1:23", "0:22,1:24"):
        assert run(*world.args, to, "--yes").exit_code == 0
    job = job_status(world.settings)
    assert [(at.position, at.end, at.lag) for at in job.partitions] == [(22, 24, 2), (24, 24, 0)]
    assert (job.lag, job.healthy) == (2, True)
    assert "by a reset it then passes over 6 offsets" in job.explanation
    assert job.explanation in run("status", "--no-broker").stdout


def test_back_needs_a_word(run: Run, world: World) -> None:
    before = rows(world)
    refused = run(*world.args, "earliest", "--yes")
    assert refused.exit_code == 1
    assert "going back would read 40 offsets again" in refused.stderr
    assert "--clear-outputs" in refused.stderr
    assert rows(world) == before
    done = run(*world.args, "earliest", "--yes", "--clear-outputs", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["done"], told["clears"], told["again"], told["rows"]) == (True, True, 40, before)
    assert rows(world) == 0
    commit = CheckpointLog(CheckpointFolder(world.settings.checkpoint_path)).last_commit()
    assert commit is not None
    assert commit.tracker.positions == {PartitionId("ispm", 0): 0, PartitionId("ispm", 1): 0}
    assert commit.books.consumed == 0


@pytest.mark.parametrize(
    ("to", "stops"),
    [
        ("0:22", [22, 20]),
        ("0:22,1:21", [22, 21]),
        ("ispm/1:24", [20, 24]),
        ("2023-11-14T22:13:20.022", [22, 22]),
        ("2023-11-14T23:13:20.022+01:00", [22, 22]),
        ("2100-01-01", [24, 24]),
        ("latest", [24, 24]),
        ("earliest", [0, 0]),
    ],
)
def test_where_to(run: Run, world: World, to: str, stops: list[int]) -> None:
    done = run(*world.args, to, "--dry-run", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [place["to"] for place in told["partitions"]] == stops
    assert told["done"] is False
    log = CheckpointLog(CheckpointFolder(world.settings.checkpoint_path))
    assert len(log.folder.names("runs")) == 1, "a look takes no run"


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("7:1", "does not read a partition ispm/7"),
        ("another/0:1", "does not read a partition another/0"),
        ("0:25", "offset 25 is not on the broker"),
        ("1200", "is no place to reset to"),
        ("newest", "is no place to reset to"),
        ("0:1;1:2", "is no place to reset to"),
    ],
)
def test_where_not_to(run: Run, world: World, to: str, problem: str) -> None:
    done = run(*world.args, to, "--dry-run")
    assert done.exit_code == 1
    assert problem in done.stderr


def test_a_job_that_runs_is_left_alone(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.settings.checkpoint_path
    status = read_status(path)
    assert status is not None
    living = replace(
        status,
        facts=RunFacts(pid=os.getpid()),
        progress=replace(status.progress, state="running"),
    )
    beats = iter(range(10_000))

    def beating(_path: Path) -> Any:
        return replace(living, heartbeat_us=next(beats))

    monkeypatch.setattr(reset_module, "read_status", beating)
    done = run(*world.args, "latest", "--yes")
    assert done.exit_code == 1
    assert f"is running: process {os.getpid()}" in done.stderr


def test_a_dead_run_is_no_obstacle(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset_module, "BEAT_S", 0.01)
    path = world.settings.checkpoint_path
    status = read_status(path)
    assert status is not None
    running = replace(status, progress=replace(status.progress, state="running"))
    write_status(path, replace(running, heartbeat_us=time.time_ns() // 1000))
    assert run(*world.args, "latest", "--yes").exit_code == 1, (
        "this process lives, and just said so"
    )
    write_status(path, replace(running, heartbeat_us=1))
    assert run(*world.args, "latest", "--yes").exit_code == 0


def test_nobody_to_ask(run: Run, world: World) -> None:
    done = run(*world.args, "latest")
    assert done.exit_code == 2
    assert "--yes" in done.stderr


def test_stream_itself_is_still_a_command(run: Run) -> None:
    done = run("stream", "--help")
    assert done.exit_code == 0
    assert "--until-end" in done.stdout
    assert "reset" in done.stdout
