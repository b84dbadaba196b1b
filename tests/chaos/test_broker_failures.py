"""Brokers that die while records are sent and read: nothing is lost, nothing counts twice.

Three brokers as ``deploy/kafka`` starts them. What the stream and the producer say of the events
is asserted as well, for people have to act on it. The long campaign is ``make chaos``.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pbf_ray.config.kafka_clients import ProducerSettings
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import TopicSpec, create_topics
from pbf_ray.streaming.job_topics import source_ids
from services.kafka_cluster import KafkaCluster
from support.feed import Feed
from support.oracle import ExpectedTables, expected
from support.read_back import read_back
from support.stream_runs import assert_results, settings_for
from support.workload import Workload

WORKLOAD = Workload(400_000, seed=31, rows_per_layer=300)
"""More than is sent: the feed ends when the test has seen what it wants to see."""
PATIENCE_S = 600.0
"""For everything that waits, brokers to be back among it: a busy machine is no failure."""


def until(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"not in {PATIENCE_S} s: {what()}"
        time.sleep(0.2)


@pytest.mark.timeout(1800)
def test_brokers_die_alone_and_two_at_once(
    kafka_cluster: KafkaCluster,
    topic_name: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    ray_cluster: None,
) -> None:
    caplog.set_level(logging.WARNING, logger="pbf_ray.kafka")
    servers = kafka_cluster.bootstrap_servers
    demanding = f"{topic_name}-3"
    create_topics(
        client_config(servers),
        [TopicSpec(topic_name, 6), TopicSpec(demanding, 1, min_insync_replicas=3)],
    )
    kafka_cluster.await_in_sync(timeout_s=PATIENCE_S)
    sources = source_ids(ClusterView(servers, [topic_name]))
    settings = settings_for(servers, topic_name, tmp_path, epoch_max_rows=1_000).replace(
        {"kafka.connect_timeout_s": PATIENCE_S}
    )
    patient = ProducerSettings(delivery_timeout_s=PATIENCE_S)
    feed = Feed(servers, topic_name, WORKLOAD.in_time(), per_s=200.0, patience_s=PATIENCE_S)
    feed.start().await_all_partitions(6)
    job = StreamJob(settings, log_level="INFO").start()
    told: list[str] = []

    def said() -> str:
        """What the stream has logged, in its workers and here."""
        told.append("".join(capfd.readouterr()))
        return "".join(told)

    def standing() -> tuple[str, int]:
        assert job.wait(0) is None, said()
        progress = job.progress()
        return progress.state, progress.consumed

    def goes_on(records: int) -> None:
        """The stream commits further records: it reads, and the producer sends."""
        goal = standing()[1] + records
        until(lambda: standing()[1] >= goal, lambda: (standing(), said()))

    try:
        goes_on(300)

        kafka_cluster.kill(1)
        with RecordProducer(servers, options=patient) as producer:
            # This topic wants a record on all three before it is acknowledged.
            for number in range(10):
                producer.send(demanding, None, b"%d" % number)
            until(
                lambda: (
                    producer.flush(0.5) == 0
                    or f"not enough replicas: {demanding}/0 has 2 of the 3" in caplog.text
                ),
                lambda: caplog.text,
            )
            assert (producer.sent, producer.failed, producer.waiting) == (0, 0, 10)
            goes_on(500)  # the others can do without it
            kafka_cluster.bring_back(1, wait=False)
            kafka_cluster.await_in_sync(timeout_s=PATIENCE_S)
            assert producer.flush(PATIENCE_S) == 0
            assert (producer.sent, producer.failed) == (10, 0)
        assert "records are acknowledged again" in caplog.text

        kafka_cluster.kill(2)
        goes_on(500)
        caplog.clear()
        before = len(said())
        kafka_cluster.kill(3)  # and of three only one is left: no majority, no further leader
        until(lambda: standing()[0] == "waiting for the broker", said)
        until(lambda: "records wait and are sent again" in caplog.text, lambda: caplog.text)
        acknowledged, stands = feed.sent, standing()[1]
        kafka_cluster.bring_back(2, wait=False)
        kafka_cluster.bring_back(3, wait=False)
        kafka_cluster.await_in_sync(timeout_s=PATIENCE_S)
        until(lambda: feed.sent > acknowledged, lambda: caplog.text)
        until(lambda: standing()[1] > stands, said)
        goes_on(300)
        until(lambda: "the broker answers again" in said()[before:], said)
        assert re.search(r"the broker is away, trying again .*(broker 3|broker 2, 3)", said())
        assert re.search(r"records wait and are sent again: .*broker (2|3)", caplog.text)
        assert "records are acknowledged again" in caplog.text

        feed.finish()
        job.finish()
        result = job.wait(PATIENCE_S)
    finally:
        job.close()
    assert result is not None
    assert result.outcome == "finished"
    lying = read_back(servers, topic_name)
    assert Counter((raw.key, raw.value) for raw in lying) == Counter(feed.handed)
    wanted = expected(lying, job_id="equality", sources=sources, clock_s=time.time())
    assert wanted.books["consumed"] == feed.sent > 2_000
    assert_results(settings, ExpectedTables(wanted))
