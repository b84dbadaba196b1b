"""One job on Apache Kafka, as its operator sees it: status, lag, copies, replay, reset."""

from __future__ import annotations

import json
import math
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from pbf_ray import DeadLetters, LetterFilter, StreamReset, job_status
from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import StreamError
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.confirmed import ConfirmedSender
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.storage.replay_journal import SqliteReplayJournal
from services.apache_kafka import free_ports
from support.lag_tool import described_lags
from support.oracle import ExpectedTables, Raw, expected
from support.stream_runs import assert_results, await_consumed, settings_for
from support.workload import produce

PARTITIONS = 2
BAD = (11, 50, 51, 120, 199)
START_S = 1_750_000_000.0


def record(number: int) -> bytes:
    return json.dumps(
        {
            "sensor_id": f"S{number % 5}",
            "timestamp": START_S + number,
            "temperature": 1600.0 + 13.0 * (number % 9),
            "pressure": 0.95,
            "laser_power": 200.0 + number % 60,
            "build_id": "B1",
            "layer": 1 + number // 100,
        }
    ).encode()


def key(number: int) -> bytes:
    return b"S%d" % (number % 5)


@dataclass
class Operated:
    """The job, and all that lies in its topic."""

    broker: str
    topic: str
    settings: Settings
    sent: list[Raw] = field(default_factory=list)

    def send(self, messages: list[tuple[bytes, bytes]]) -> list[Raw]:
        ends = ClusterView(self.broker, [self.topic]).ends(
            [(self.topic, number) for number in range(PARTITIONS)]
        )
        first = {number: end for (_, number), end in ends.items()}
        raws = produce(self.broker, self.topic, iter(messages), PARTITIONS, first_offsets=first)
        self.sent += raws
        return raws

    def everything(self) -> list[Raw]:
        """All records of the topic, replayed ones too."""
        return read_all(self.broker, self.topic)[0]

    @property
    def sources(self) -> dict[str, str]:
        view = ClusterView(self.broker, [self.topic])
        return {self.topic: view.describe().topics[self.topic].source_id}

    def group_lag(self) -> dict[tuple[str, int], int]:
        """Lag as lag tools compute it: ends less the group's committed offsets."""
        admin = AdminClient(client_config(self.broker))
        group = self.settings.group_id
        request = ConsumerGroupTopicPartitions(group)
        answer = admin.list_consumer_group_offsets([request])[group].result()
        committed = {(p.topic, p.partition): p.offset for p in answer.topic_partitions}
        ends = ClusterView(self.broker, [self.topic]).ends(committed)
        return {at: ends[at] - offset for at, offset in committed.items()}


def read_all(broker: str, topic: str) -> tuple[list[Raw], list[dict[str, bytes]]]:
    """Every record of a topic, and the headers of each."""
    view = ClusterView(broker, [topic])
    ranges = view.ranges(view.describe().partitions)
    consumer = Consumer(client_config(broker) | {"group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(*at, first) for at, (first, _) in ranges.items()])
    left = sum(end - first for first, end in ranges.values())
    raws, headers = [], []
    deadline = time.monotonic() + 60
    while left:
        assert time.monotonic() < deadline
        for message in consumer.consume(left, 0.2):
            assert message.error() is None
            left -= 1
            place = message.topic(), message.partition(), message.offset()
            raws.append(Raw(*place, message.key(), message.value(), message.timestamp()[1]))
            headers.append(dict(message.headers() or []))
    consumer.close()
    return raws, headers


def until(done: Callable[[], bool], deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def operated(
    kafka_broker: str,
    make_module_topic: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Operated:
    topic, dead, late = (make_module_topic(partitions=number) for number in (PARTITIONS, 1, 1))
    settings = settings_for(
        kafka_broker, topic, tmp_path_factory.mktemp("operated"), job="operated",
        layer_gap_s=1e6, metrics_port=free_ports(1)[0],
    ).replace({"kafka.dead_letters_topic": dead, "kafka.late_records_topic": late})  # fmt: skip
    return Operated(kafka_broker, topic, settings)


@pytest.fixture(scope="module")
def job(operated: Operated, ray_cluster: None) -> Iterator[StreamJob]:
    """It runs, has read 300 records of three layers (5 cut short), and 2 that came late."""
    messages = [(key(n), record(n)[:-1] if n in BAD else record(n)) for n in range(300)]
    operated.send(messages)
    job = StreamJob(operated.settings).start()
    try:
        await_consumed(job, 300)
        # The watermark must have moved before the late ones come.
        until(lambda: job.results.count("layer_quality") >= 1)
        operated.send([(key(n), record(n)) for n in (3, 4)])
        await_consumed(job, 302)
        yield job
    finally:
        job.close()


def test_the_status_of_a_running_job(operated: Operated, job: StreamJob) -> None:
    until(lambda: job_status(operated.settings).status.progress.consumed == 302)
    status = job_status(operated.settings)
    assert (status.verdict, status.healthy, status.lag_from) == ("running", True, "broker")
    assert (status.lag, status.broker_problem) == (0, "")
    assert status.status.progress.dead_letters == len(BAD)
    assert status.status.progress.late == 2
    (build,) = status.status.builds
    assert build.build_id == "B1"
    assert build.watermark > START_S + 200
    assert status.status.stages["read"]["total_s"] > 0
    beat = status.status.heartbeat_us
    until(lambda: job_status(operated.settings).status.heartbeat_us > beat)


def test_prometheus_is_served_on_loopback(operated: Operated, job: StreamJob) -> None:
    port = operated.settings.stream.metrics_port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'pbf_ray_up{job="operated"} 1.0' in text
    assert f'pbf_ray_partition_lag{{job="operated",partition="1",topic="{operated.topic}"}}' in text


def test_lag_tools_see_the_group(operated: Operated, job: StreamJob) -> None:
    until(lambda: set(operated.group_lag().values()) == {0})
    assert len(operated.group_lag()) == PARTITIONS


def test_copies_are_on_their_topics(operated: Operated, job: StreamJob) -> None:
    kafka = operated.settings.kafka
    for table, topic, values in (
        ("dead_letters", kafka.dead_letters_topic, {record(n)[:-1] for n in BAD}),
        ("late_records", kafka.late_records_topic, {record(n) for n in (3, 4)}),
    ):
        wanted = set(job.results.read(table)["record_key"].to_pylist())
        until(lambda topic=topic, wanted=wanted: keys_on(operated.broker, topic) >= wanted)
        raws, headers = read_all(operated.broker, topic)
        assert {raw.key.decode() for raw in raws} == wanted
        assert {raw.value for raw in raws} == values, "raw, as they came"
        for raw, facts in zip(raws, headers, strict=True):
            original = next(
                sent for sent in reversed(operated.sent)
                if (str(sent.partition).encode(), str(sent.offset).encode())
                == (facts["pbf-origin-partition"], facts["pbf-origin-offset"])
            )  # fmt: skip
            assert (raw.value, facts["pbf-origin-key"]) == (original.value, original.key)
            assert facts["pbf-origin-topic"] == operated.topic.encode()


def keys_on(broker: str, topic: str) -> set[str]:
    return {raw.key.decode() for raw in read_all(broker, topic)[0]}


def test_a_job_that_runs_is_not_reset(operated: Operated, job: StreamJob) -> None:
    reset = StreamReset(operated.settings)
    preview = reset.preview("latest")
    with pytest.raises(StreamError, match="is running"):
        reset.apply(preview)


class Interrupted(BaseException):
    """The process is gone."""


def test_a_replay_that_is_interrupted_anywhere_sends_nothing_twice(
    operated: Operated, job: StreamJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = DeadLetters(operated.settings)
    rows = letters.find(LetterFilter(reasons=["truncated"]))
    assert rows.num_rows == len(BAD)
    assert set(rows["build_id"].to_pylist()) == {None}
    as_they_are = letters.replay(rows)
    assert (as_they_are.sent, len(as_they_are.bad)) == (0, len(BAD)), "they would be dead again"

    def mended(value: bytes | None) -> bytes:
        return (value or b"") + b"}"

    def dies(*_: Any) -> Any:
        raise Interrupted

    before = len(operated.everything())
    for where, name in ((ConfirmedSender, "send"), (SqliteReplayJournal, "confirm")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, dies)
            with pytest.raises(Interrupted):
                letters.replay(rows.slice(0, 3), edit=mended)
    assert set(letters.find()["replayed"].to_pylist()) == {"unconfirmed", "no"}
    done = letters.replay(rows, edit=mended)
    assert (done.found, done.sent, done.before, done.failed) == (3, 2, 0, [])
    once_more = letters.replay(rows, edit=mended)
    assert (once_more.found, once_more.sent, once_more.before) == (0, 0, len(BAD))
    assert len(operated.everything()) == before + len(BAD)
    found = letters.find()
    assert set(found["replayed"].to_pylist()) == {"yes"}
    values = {(r.topic, r.partition, r.offset): r.value for r in operated.everything()}
    for row in found.to_pylist():
        topic, partition, offset = row["replayed_to"].split("/")
        assert values[topic, int(partition), int(offset)] == row["value"] + b"}"
        assert (topic, int(partition)) == (row["topic"], row["partition"])
    operated.sent = operated.everything()


def test_late_records_can_be_taken_in_after_all(operated: Operated, job: StreamJob) -> None:
    letters = DeadLetters(operated.settings, table="late_records")
    rows = letters.find()
    shown = letters.get(f"{rows['topic'][0]}/{rows['partition'][0]}/{rows['offset'][0]}")
    assert (shown["raw"], shown["value"]) in {(True, record(3)), (True, record(4))}
    assert letters.replay(rows).sent == 2
    operated.sent = operated.everything()
    await_consumed(job, 309)


def test_all_came_to_their_layers_as_if_they_had_been_good(
    operated: Operated, job: StreamJob
) -> None:
    await_consumed(job, 309)
    job.finish()
    result = job.wait(120)
    assert result is not None
    assert (result.books["late"], result.books["replayed"]) == (2, 7)
    late = [
        (row["topic"], row["partition"], row["offset"])
        for row in job.results.read("late_records").to_pylist()
    ]
    wanted = expected(operated.everything(), job_id="operated", sources=operated.sources, late=late)
    for name in ("ispm_monitoring", "ispm_anomalies", "dead_letters", "late_records"):
        ExpectedTables(wanted).assert_table(name, job.results.read(name))
    layers = {row["layer"]: row for row in job.results.read("layer_quality").to_pylist()}
    assert [layers[layer]["n"] for layer in (1, 2, 3)] == [102, 100, 100]
    for (_, layer), row in wanted.tables["layer_quality"].items():
        for name, value in row.items():
            found = layers[layer][name]
            if name.endswith(("_avg", "_std")) and value is not None:
                assert math.isclose(found, value, rel_tol=1e-9), (layer, name)
            else:
                assert found == value, (layer, name)
    assert job_status(operated.settings).verdict == "finished"


def test_kafkas_own_tool_tells_the_lag_of_every_partition(
    needs_apache_kafka: None, operated: Operated, job: StreamJob
) -> None:
    until(lambda: job.wait(0.1) is not None)
    ends = ClusterView(operated.broker, [operated.topic]).ends(operated.group_lag())
    more = Counter((r.topic, r.partition) for r in operated.send([(key(5), record(290))] * 7))
    assert described_lags(operated.broker, operated.settings.group_id) == {
        at: (end, end + more[at], more[at]) for at, end in ends.items()
    }
    assert sum(more.values()) == 7


def run_to_the_end(operated: Operated) -> StreamJob:
    bounded = {"stream.until_end": True, "stream.metrics_port": None}
    job = StreamJob(operated.settings.replace(bounded))
    job.run()
    return job


def test_reset_forward_and_back(
    operated: Operated, job: StreamJob, capfd: pytest.CaptureFixture[str]
) -> None:
    until(lambda: job.wait(0.1) is not None)
    behind = sum(operated.group_lag().values())
    skipped = operated.send([(key(n), record(n)) for n in range(300, 320)])
    reset = StreamReset(operated.settings)
    preview = reset.preview("latest")
    assert (preview.skipped, preview.again, preview.clears) == (behind + 20, 0, False)
    assert reset.apply(preview).group_problem == ""
    assert set(operated.group_lag().values()) == {0}
    moment = min(raw.timestamp_ms for raw in skipped) / 1000
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment - 3600))
    preview = reset.preview(at)
    assert (preview.skipped, preview.clears) == (0, True), "the skip is planned, and undone"
    assert preview.again == len(operated.everything())
    assert preview.rows == sum(Results(operated.settings).count(name) for name in OUTPUT_TABLES)
    with pytest.raises(StreamError, match="whose rows are there"):
        reset.apply(preview)
    reset.apply(preview, clear_outputs=True)
    assert Results(operated.settings).count("ispm_monitoring") == 0
    assert set(operated.group_lag().values()) != {0}
    run_to_the_end(operated)
    # From the start, in one go: nothing is late, and all is exact to the bit.
    wanted = expected(operated.everything(), job_id="operated", sources=operated.sources)
    assert_results(operated.settings, ExpectedTables(wanted))
    assert "Traceback" not in capfd.readouterr().err
