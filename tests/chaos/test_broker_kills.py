"""The long campaign on brokers: they die at seeded instants, alone, two at once, with workers.

``make chaos`` runs it; ``PBF_RAY_CHAOS_SEED`` chooses the seed, which is shown when it fails, and
``PBF_RAY_CHAOS_ROUNDS`` fewer rounds. The brokers are those of ``deploy/kafka`` without TLS.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from chaos.test_kills import victims
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.topics import TopicSpec, create_topics
from pbf_ray.streaming.job_topics import source_ids
from services.kafka_cluster import NODES, KafkaCluster
from support.feed import Feed
from support.oracle import ExpectedTables, expected
from support.read_back import read_back
from support.stream_runs import assert_results, committed, settings_for, start_driver
from support.workload import Workload

ROUNDS = ("one", "one", "one", "two", "frozen", "one and a worker", "one and the driver") * 2
WORKLOAD = Workload(400_000, seed=37, rows_per_layer=900)
COUNT = int(os.environ.get("PBF_RAY_CHAOS_ROUNDS", str(len(ROUNDS))))
SEED = int(os.environ.get("PBF_RAY_CHAOS_SEED", "1"))


@pytest.mark.timeout(3600)
def test_many_dead_brokers_change_nothing(needs_apache_kafka: None, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    rounds = draw.sample(ROUNDS, len(ROUNDS))[:COUNT]
    topic = "chaos"
    with KafkaCluster(tmp_path / "kafka") as cluster:
        servers = cluster.bootstrap_servers
        create_topics(client_config(servers), [TopicSpec(topic, 6)])
        cluster.await_in_sync()
        sources = source_ids(ClusterView(servers, [topic]))
        # On a busy machine two brokers may take longer to come back than the default minute.
        settings = settings_for(servers, topic, tmp_path, epoch_max_rows=1_000).replace(
            {"kafka.connect_timeout_s": 600.0}
        )
        output = tmp_path / "driver.log"
        feed = Feed(servers, topic, WORKLOAD.in_time(), per_s=300.0, patience_s=600.0)
        feed.start().await_all_partitions(6)
        driver = start_driver(settings, output=output)
        done: list[str] = []

        def goes_on(records: int) -> None:
            goal = committed(settings) + records
            deadline = time.monotonic() + 600
            while committed(settings) < goal:
                assert driver.poll() is None, f"seed {SEED}, {done}: {output.read_text()}"
                assert time.monotonic() < deadline, f"seed {SEED}, {done}: {output.read_text()}"
                time.sleep(0.1)

        try:
            for what in rounds:
                goes_on(draw.randint(1, 1_000))
                first, second = draw.sample(NODES, 2)
                if what == "frozen":
                    cluster.suspend(first)
                    time.sleep(draw.random() * 8)
                    cluster.resume(first)
                else:
                    cluster.kill(first)
                    time.sleep(draw.random() * 8)
                if what == "two":
                    cluster.kill(second)
                    time.sleep(draw.random() * 15)
                if what == "one and a worker":
                    kind = draw.choice(["reader", "window", "coordinator"])
                    found = victims(psutil.Process(driver.pid), kind)
                    if found:
                        draw.choice(found).send_signal(signal.SIGKILL)
                if what == "one and the driver":
                    driver.kill()
                    driver.wait()
                    driver = start_driver(settings, output=output)
                done.append(f"{what}: {first}")
                cluster.mend()
            goes_on(1_000)
            feed.finish()
        finally:
            _end(driver)
        last = start_driver(settings, "--until-end")
        told, _ = last.communicate(timeout=600)
        assert last.returncode == 0, f"seed {SEED}, {done}: {told}"
        lying = read_back(servers, topic)
    assert Counter((raw.key, raw.value) for raw in lying) == Counter(feed.handed)
    wanted = expected(lying, job_id="equality", sources=sources, clock_s=time.time())
    assert wanted.books["consumed"] == feed.sent
    assert_results(settings, ExpectedTables(wanted))
    print(f"\nseed {SEED}: {len(done)} rounds, {feed.sent} records, all tables equal the oracle's")


def _end(driver: subprocess.Popen[str]) -> None:
    if driver.poll() is None:
        driver.kill()
        driver.wait()
