"""``kill -9`` of any process at seeded instants: same tables, and the books hold.

The undisturbed run is the oracle's answer, which ``test_stream_equals_batch`` shows it to be. The
long campaign is ``make chaos``.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from support.oracle import ExpectedTables, expected
from support.stream_runs import (
    assert_results,
    await_commit,
    await_consumed,
    await_verdict,
    committed,
    kill_worker,
    settings_for,
    start_driver,
)
from support.workload import Workload, produce

PARTITIONS = 12
WORKLOAD = Workload(30_000, seed=11, rows_per_layer=700)


@dataclass
class Loaded:
    broker: str
    topic: str
    records: int
    wanted: ExpectedTables


@pytest.fixture(scope="module")
def loaded(kafka_broker: str, make_module_topic: Callable[..., str]) -> Loaded:
    topic = make_module_topic(partitions=PARTITIONS)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), PARTITIONS)
    wanted = ExpectedTables(expected(sent, job_id="equality", sources=sources, clock_s=time.time()))
    return Loaded(kafka_broker, topic, len(sent), wanted)


@pytest.mark.parametrize("victim", ["reader", "window", "coordinator"])
def test_a_killed_worker_changes_nothing(
    victim: str, loaded: Loaded, tmp_path: Path, ray_cluster: None
) -> None:
    settings = settings_for(loaded.broker, loaded.topic, tmp_path, epoch_max_rows=2_000)
    draw = random.Random(victim)
    job = StreamJob(settings).start()
    try:
        killed = []
        for share in (0.1 + 0.2 * draw.random(), 0.5 + 0.2 * draw.random()):
            await_consumed(job, int(loaded.records * share))
            killed.append(kill_worker(job, victim, draw.randrange(2)))
        job.finish()  # until it is told so it cannot end, however fast it is
        result = job.wait(240)
    finally:
        job.close()
    assert result is not None
    assert len(set(killed)) == 2
    assert result.outcome == "finished"
    assert_results(settings, loaded.wanted)


def test_a_killed_driver_is_followed_by_one_with_other_workers(
    loaded: Loaded, tmp_path: Path
) -> None:
    draw = random.Random("driver")
    for attempt, share in enumerate((0.05 + 0.3 * draw.random(), 0.5 + 0.3 * draw.random())):
        settings = settings_for(
            loaded.broker,
            loaded.topic,
            tmp_path,
            windows=2 + attempt,
            readers=2 - attempt,
            epoch_max_rows=2_000,
        )
        driver = start_driver(settings)  # without an end: it cannot finish before it is killed
        try:
            await_commit(driver, settings, int(loaded.records * share))
        finally:
            driver.send_signal(signal.SIGKILL)
            driver.communicate(timeout=60)
        assert driver.returncode == -signal.SIGKILL
        await_verdict(settings, "silent")
    last = start_driver(
        settings_for(loaded.broker, loaded.topic, tmp_path, windows=1), "--until-end", "--json"
    )
    output, _ = last.communicate(timeout=300)
    assert last.returncode == 0, output
    assert_results(settings, loaded.wanted)


def test_two_runs_of_one_job_the_older_one_is_told_and_stops(
    loaded: Loaded, tmp_path: Path
) -> None:
    settings = settings_for(loaded.broker, loaded.topic, tmp_path, epoch_max_rows=1_000)
    older = start_driver(settings)
    await_commit(older, settings, 1)
    newer = start_driver(settings, "--until-end")
    told, _ = older.communicate(timeout=240)
    output, _ = newer.communicate(timeout=300)
    assert newer.returncode == 0, output
    assert older.returncode == 1, told
    assert "has taken over" in told
    assert_results(settings, loaded.wanted)


def test_sigterm_finishes_the_epoch_and_exits_0(loaded: Loaded, tmp_path: Path) -> None:
    settings = settings_for(loaded.broker, loaded.topic, tmp_path, epoch_max_rows=1_000)
    driver = start_driver(settings)
    await_commit(driver, settings, 1)
    # As a terminal does at Ctrl-C: to the whole group, workers too.
    os.killpg(driver.pid, signal.SIGINT)
    output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, output
    await_verdict(settings, "stopped")
    done = committed(settings)
    assert done > 0
    last = start_driver(settings, "--until-end")
    output, _ = last.communicate(timeout=300)
    assert last.returncode == 0, output
    assert_results(settings, loaded.wanted)
