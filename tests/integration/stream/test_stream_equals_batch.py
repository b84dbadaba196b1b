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
from support.oracle import ExpectedTables, Raw, expected
from support.workload import Workload, produce

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView

PARTITIONS = 12
RECORDS = 200_000
LATE = 2_000
WORKLOAD = Workload(RECORDS, LATE, seed=7)


@dataclass
class Case:
    windows: int
    readers: int
    epoch_max_rows: int


def await_consumed(job: StreamJob, records: int, deadline_s: float = 240.0) -> None:
    """Wait until the job has committed so many records; an error of the job is raised."""
    end = time.monotonic() + deadline_s
    while (progress := job.progress()).consumed < records:
        assert job.wait(0.1) is None, "the job ended early"
        assert time.monotonic() < end, f"not in {deadline_s} s: {progress}"
    assert progress.consumed == records


def settings(broker: str, topic: str, path: Path, case: Case, **stream: object) -> Settings:
    return Settings(
        job={"name": "equality", "data_dir": path},
        kafka={"bootstrap_servers": broker, "topics": [topic]},
        stream={"epoch_max_rows": case.epoch_max_rows, "epoch_interval_ms": 100, **stream},
        workers={"windows": case.windows, "readers": case.readers},
    )


def check(job: StreamJob, wanted: ExpectedTables, books: dict[str, int]) -> None:
    for name in OUTPUT_TABLES:
        wanted.assert_table(name, job.results.read(name))
    assert books["consumed"] == sum(
        books[name] for name in ("accepted", "dead_letters", "late", "dropped", "duplicates")
    )
    for name, count in wanted.books.items():
        assert books[name] == count, name
    assert books["pending"] == 0


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
    job = StreamJob(settings(kafka_broker, topic, tmp_path, case))
    with job:
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
    check(job, wanted, result.books)


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
    job = StreamJob(
        settings(
            kafka_broker, topic, tmp_path, Case(2, 2, 20_000), mode="strict", until_end=True
        )
    )
    result = job.run()
    assert result.outcome == "finished"
    wanted = oracle(sent, [], sources=sources, whole_input=True)
    assert wanted.books["late"] == 0
    check(job, wanted, result.books)
