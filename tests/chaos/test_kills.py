"""The long campaign: at least 20 kills of anything, at seeded instants, while records arrive.

``make chaos`` runs it; ``PBF_RAY_CHAOS_SEED`` chooses the seed, which is shown when it fails.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pbf_ray.kafka.offsets import ClusterView
from support.oracle import ExpectedTables, Raw, expected
from support.stream_runs import assert_results, committed, settings_for, start_driver
from support.workload import Workload, produce

PARTITIONS = 12
KILLS = ("reader", "window", "coordinator", "driver") * 6
WORKLOAD = Workload(60_000, seed=23, rows_per_layer=900)
SEED = int(os.environ.get("PBF_RAY_CHAOS_SEED", "1"))


def slowly(messages: Iterator, per_s: float, stop: threading.Event) -> Iterator:
    began = time.monotonic()
    for number, message in enumerate(messages):
        while not stop.is_set() and number > (time.monotonic() - began) * per_s:
            stop.wait(0.02)
        yield message


def victims(driver: psutil.Process, kind: str) -> list[psutil.Process]:
    """Processes of a kind among the driver's descendants."""
    if kind == "driver":
        return [driver]
    title = {"reader": "Reader", "window": "Window", "coordinator": "Coordinator"}[kind]
    found = []
    for process in driver.children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command and command[0].startswith(f"ray::{title}"):
            found.append(process)
    return found


@pytest.mark.timeout(3600)
def test_many_kills_change_nothing(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic(partitions=PARTITIONS)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent: list[Raw] = []
    stop = threading.Event()

    def feed() -> None:
        sent.extend(
            produce(kafka_broker, topic, slowly(WORKLOAD.in_time(), 300.0, stop), PARTITIONS)
        )

    feeder = threading.Thread(target=feed)
    feeder.start()
    draw = random.Random(SEED)
    plan = draw.sample(KILLS, len(KILLS))
    killed: list[str] = []
    driver = None
    settings = settings_for(kafka_broker, topic, tmp_path, epoch_max_rows=500)
    try:
        while len(killed) < len(plan):
            if driver is None or driver.poll() is not None:
                settings = settings_for(
                    kafka_broker, topic, tmp_path,
                    windows=draw.randint(1, 3), readers=draw.randint(1, 2), epoch_max_rows=500,
                )  # fmt: skip
                driver = start_driver(settings)
            goal = committed(settings) + draw.randint(1, 800)
            deadline = time.monotonic() + 20
            while committed(settings) < goal and time.monotonic() < deadline:
                assert driver.poll() is None, driver.communicate()[0]
                time.sleep(draw.random() * 0.05)
            kind = plan[len(killed)]
            found = victims(psutil.Process(driver.pid), kind)
            if not found:
                continue  # it is being born
            draw.choice(found).send_signal(signal.SIGKILL)
            killed.append(kind)
            if kind == "driver":
                driver.communicate(timeout=60)
    finally:
        stop.set()
        feeder.join()
        if driver is not None and driver.poll() is None:
            driver.kill()
            driver.communicate(timeout=60)
    last = start_driver(settings, "--until-end")
    output, _ = last.communicate(timeout=600)
    assert last.returncode == 0, f"seed {SEED}, kills {killed}: {output}"
    wanted = ExpectedTables(expected(sent, job_id="equality", sources=sources, clock_s=time.time()))
    assert_results(settings, wanted)
