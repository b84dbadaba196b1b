"""Consumers that are killed, frozen and asked to go: nothing is lost, and nothing goes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbf_ray.kafka.producer import RecordProducer
from support import consume_to_file
from support.consumers import committed_offsets, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PARTITIONS = 3
Start = Callable[..., "subprocess.Popen[str]"]
Place = tuple[int, int]


@pytest.fixture
def topic(kafka_broker: str, make_topic: Callable[..., str]) -> str:
    """A topic with records in every partition."""
    name = make_topic(PARTITIONS)
    with RecordProducer(kafka_broker) as producer:
        for number in range(900):
            producer.send(name, b"s%d" % (number % 30), b"x")
    return name


@pytest.fixture
def start(kafka_broker: str, make_topic: Callable[..., str], topic: str) -> Iterator[Start]:
    """Start a consumer process of the group that has the topic's name."""
    dead_letters = make_topic()
    started: list[subprocess.Popen[str]] = []

    def call(file: Path, pause_s: float, *client: str) -> subprocess.Popen[str]:
        arguments = [kafka_broker, topic, topic, dead_letters, str(file), str(pause_s), *client]
        process = subprocess.Popen(
            [sys.executable, str(consume_to_file.__file__), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def _handled(file: Path) -> list[Place]:
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    return [(int(partition), int(offset)) for partition, offset in map(str.split, lines)]


def _end(process: subprocess.Popen[str]) -> dict[str, object]:
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    metrics: dict[str, object] = json.loads(said.splitlines()[-1])
    return metrics


@contextmanager
def _frozen(process: subprocess.Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_kill_9_in_the_middle_of_a_batch_loses_nothing(
    kafka_broker: str, topic: str, start: Start, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    # A static member: the next process takes its place without waiting for the session to end.
    member = "group.instance.id=the-only-one"
    first = start(before, 0.005, member)
    wait_until(lambda: len(_handled(before)) >= 200, "a good part of it")
    os.kill(first.pid, signal.SIGKILL)
    first.wait(60)
    done = set(_handled(before))
    assert len(done) < 900
    committed = committed_offsets(kafka_broker, topic, topic, PARTITIONS)
    assert sum(committed.values()) > 0
    for partition, offset in committed.items():
        assert {(partition, number) for number in range(offset)} <= done
    second = start(after, 0.0, member)
    wait_until(lambda: len(done | set(_handled(after))) == 900, "all of it")
    metrics = _end(second)
    again = _handled(after)
    # Exactly what was not committed came again.
    assert len(again) == 900 - sum(committed.values()) == metrics["received"]
    assert sum(committed_offsets(kafka_broker, topic, topic, PARTITIONS).values()) == 900


def test_a_member_that_was_frozen_out_commits_nothing_when_it_wakes_up(
    kafka_broker: str, topic: str, start: Start, tmp_path: Path
) -> None:
    sleeper, other = tmp_path / "sleeper", tmp_path / "other"
    first = start(sleeper, 0.02)
    wait_until(lambda: len(_handled(sleeper)) >= 60, "it is at work")
    with _frozen(first):
        at_work = set(_handled(sleeper))
        second = start(other, 0.0)
        wait_until(lambda: len(at_work | set(_handled(other))) == 900, "the other one takes over")
        wait_until(
            lambda: sum(committed_offsets(kafka_broker, topic, topic, PARTITIONS).values()) == 900,
            "and commits",
        )
    # It wakes up in the middle of a batch of partitions that are not its own any more.
    wait_until(lambda: len(_handled(sleeper)) > len(at_work), "it goes on with what it had")
    metrics = _end(first)
    assert metrics["lost_partitions"] == PARTITIONS
    assert sum(committed_offsets(kafka_broker, topic, topic, PARTITIONS).values()) == 900
    _end(second)
    assert sum(committed_offsets(kafka_broker, topic, topic, PARTITIONS).values()) == 900
