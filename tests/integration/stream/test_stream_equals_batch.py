"""The one rule on real parts: Apache Kafka, Ray actors, SQLite and Delta Lake.

200,000 records over 12 partitions, shuffled within the lateness, with void, flagged, repeated and
late ones; every table equals the oracle's to the bit, however many workers, however cut.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from support.oracle import ExpectedTables, Raw, expected
from support.stream_runs import assert_results, await_consumed, settings_for
from support.workload import Workload, produce

PARTITIONS = 12
RECORDS = 200_000
LATE = 2_000
WORKLOAD = Workload(RECORDS, LATE, seed=7)


@dataclass
class Case:
    windows: int
    readers: int
    epoch_max_rows: int


def oracle(records: list[Raw], late: list[Raw], **more: object) -> ExpectedTables:
    places = [(raw.topic, raw.partition, raw.offset) for raw in late]
    return ExpectedTables(
        expected([*records, *late], job_id="equality", late=places, clock_s=time.time(), **more)
    )


@pytest.mark.parametrize(
    "case",
    [Case(1, 1, 100_000), Case(2, 2, 30_000), Case(3, 2, 7_000)],
    ids=lambda case: f"{case.windows}-windows-{case.epoch_max_rows}-rows",
)
def test_watermark_mode_with_late_records(
    case: Case, kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path, ray_cluster: None
) -> None:
    topic = make_topic(partitions=PARTITIONS)
    view = ClusterView(kafka_broker, [topic])
    sources = {topic: view.describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), PARTITIONS)
    next_offsets: dict[int, int] = {}
    for raw in sent:
        next_offsets[raw.partition] = raw.offset + 1
    settings = settings_for(
        kafka_broker,
        topic,
        tmp_path,
        windows=case.windows,
        readers=case.readers,
        epoch_max_rows=case.epoch_max_rows,
    )
    with StreamJob(settings) as job:
        # The barrier: all is read, so the watermark of every build has passed it.
        await_consumed(job, len(sent))
        before = job.progress()
        assert before.late == 0, "a backlog must not make rows late"
        late = produce(
            kafka_broker,
            topic,
            WORKLOAD.behind_the_barrier(),
            PARTITIONS,
            first_offsets=next_offsets,
        )
        await_consumed(job, len(sent) + LATE)
        job.finish()
        result = job.wait(240)
    assert result is not None
    assert result.outcome == "finished"
    wanted = oracle(sent, late, sources=sources)
    assert wanted.books["late"] == LATE
    assert wanted.books["dead_letters"] > 1000
    assert_results(settings, wanted)


def test_strict_mode_on_bounded_input(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path, ray_cluster: None
) -> None:
    topic = make_topic(partitions=PARTITIONS)
    view = ClusterView(kafka_broker, [topic])
    sources = {topic: view.describe().topics[topic].source_id}

    def messages():  # type: ignore[no-untyped-def]
        yield from WORKLOAD.in_time()
        yield from WORKLOAD.behind_the_barrier()
        for number in range(300):  # what has no place on an unbounded stream
            stamp = ("null", "NaN", "Infinity", "-Infinity")[number % 4]
            yield (
                b"S%02d" % (number % 36),
                b'{"timestamp": %s, "temperature": %d, "build_id": "B0", "layer": %d}'
                % (stamp.encode(), 1500 + number, number % 3),
            )

    sent = produce(kafka_broker, topic, messages(), PARTITIONS)
    settings = settings_for(
        kafka_broker, topic, tmp_path, epoch_max_rows=20_000, mode="strict", until_end=True
    )
    result = StreamJob(settings).run()
    assert result.outcome == "finished"
    wanted = oracle(sent, [], sources=sources, whole_input=True)
    assert wanted.books["late"] == 0
    assert_results(settings, wanted)
