"""Copies of dead letters and late records: every one, at least once, whatever dies or is away."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    RecordRefusedError,
    TopicMissingError,
)
from pbf_ray.kafka.confirmed import OutgoingRecord
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.streaming import copies as copies_module
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.copies import Copies, CopyPublisher, as_json, copies_of
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import MemoryStores, MemoryTopics, Steps, stream

RULES = StreamSemantics(allowed_lateness_s=5.0)


class Target:
    """A topic that may be away, refuse, or die."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.problem: BrokerError | None = None
        self.most_bytes = 10**9
        self.sends = self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def send(self, records: Sequence[OutgoingRecord]) -> list[Delivery]:
        self.gate.wait(30)
        self.sends += 1
        outcomes = []
        for record in records:
            if self.problem is not None:
                outcomes.append(Delivery("failed", record.topic, error=self.problem))
            elif len(record.value or b"") > self.most_bytes:
                refused = RecordRefusedError(record.topic, "large")
                outcomes.append(Delivery("failed", record.topic, error=refused))
            else:
                self.records.append(record)
                outcomes.append(Delivery("sent", record.topic, 0, len(self.records)))
        return outcomes

    def close(self) -> None:
        self.closed += 1

    @property
    def keys(self) -> set[bytes | None]:
        return {record.key for record in self.records}


def copying(
    target: Target, stores: MemoryStores, topics: MemoryTopics
) -> Callable[[CheckpointLog], Copies]:
    def raw(places: list[Any]) -> dict[Any, Any]:
        kept = {(r.topic, r.partition, r.offset): (r.key, r.value) for r in topics.all}
        return {place: kept[place] for place in places if place in kept}

    def make(log: CheckpointLog) -> Copies:
        return Copies(
            [
                CopyPublisher(
                    log, "job", table, f"copies-of-{table}",
                    tables=stores, sender=lambda: target, raw=raw,
                )
                for table in ("dead_letters", "late_records")
            ]
        )  # fmt: skip

    return make


def record(second: float) -> bytes:
    return json.dumps(
        {"timestamp": second, "temperature": 1600.0, "build_id": "B", "layer": 1}
    ).encode()


def send_some(topics: MemoryTopics, seconds: range, *, bad: int, late: int) -> None:
    for second in seconds:
        topics.send(0, record(float(second)), key=b"good")
        if second % bad == 0:
            topics.send(0, b'{"layer": %d,' % second, key=b"bad-%d" % second)
        if second % late == 0 and second > 20:
            topics.send(0, record(1.0), key=b"late-%d" % second)


def until(done: Callable[[], bool], deadline_s: float = 20.0) -> None:
    end = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def wanted_keys(stores: MemoryStores) -> set[bytes]:
    rows = [*stores.rows["dead_letters"].values(), *stores.rows["late_records"].values()]
    return {row["record_key"].encode() for row in rows}


def test_what_a_copy_says(tmp_path: Path) -> None:
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    pipeline = stream(
        topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
    )
    steps = Steps(pipeline)
    send_some(topics, range(30), bad=29, late=1000)
    steps.settle()
    late = topics.send(0, record(1.0), key=b"sensor")
    steps.settle()
    until(lambda: len(target.records) == 3)
    pipeline._copies.close()
    by_value = {copy.value: copy for copy in target.records}
    cut = by_value[b'{"layer": 29,']
    headers = dict(cut.headers)
    assert cut.topic == "copies-of-dead_letters"
    assert cut.key == b'["job","cluster:ispm",0,31]'
    assert headers["pbf-reason"] == b"truncated"
    assert b"at byte" in headers["pbf-detail"]
    assert (headers["pbf-origin-topic"], headers["pbf-origin-partition"]) == (b"ispm", b"0")
    assert (headers["pbf-origin-offset"], headers["pbf-origin-key"]) == (b"31", b"bad-29")
    assert (headers["pbf-job"], headers["pbf-epoch"]) == (b"job", b"1")
    assert headers["pbf-origin-timestamp-ms"] == b"1700000000031"
    behind = by_value[late.value]
    assert behind.topic == "copies-of-late_records"
    headers = dict(behind.headers)
    assert headers["pbf-reason"] == b"late"
    assert float(headers["pbf-watermark"]) == 24.0
    assert headers["pbf-origin-key"] == b"sensor"


def test_a_topic_that_is_away_delays_its_copies_and_nothing_else(tmp_path: Path) -> None:
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    target.problem = TopicMissingError("copies", "nowhere")
    pipeline = stream(
        topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
    )
    steps = Steps(pipeline)
    for start in range(0, 60, 10):
        send_some(topics, range(start, start + 10), bad=3, late=4)
        steps.settle()
    assert stores.rows["dead_letters"]
    until(lambda: all(standing.problem for standing in pipeline._copies.standing()))
    standing = {each.table: each for each in pipeline._copies.standing()}
    assert "copies does not exist" in standing["dead_letters"].problem
    assert standing["dead_letters"].waiting > 0
    assert target.closed, "a producer that failed is not used again"
    target.problem = None
    until(lambda: target.keys == wanted_keys(stores))
    pipeline._copies.close()
    assert [each.problem for each in pipeline._copies.standing()] == ["", ""]


def test_a_job_that_ends_does_not_wait_for_a_topic_that_is_missing(tmp_path: Path) -> None:
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    target.problem = TopicMissingError("copies", "nowhere")
    topics.send(0, b"{")
    bounded = StreamSemantics(bounded=True)
    pipeline = stream(
        topics, stores, tmp_path, semantics=bounded, copies=copying(target, stores, topics)
    )
    assert pipeline.run() == "finished"
    assert target.sends <= 3
    assert not any(each._thread.is_alive() for each in pipeline._copies._publishers)
    target.problem = None
    again = stream(
        topics, stores, tmp_path, semantics=bounded, copies=copying(target, stores, topics)
    )
    again.run()
    assert target.keys == wanted_keys(stores) != set()


def test_more_than_memory_takes_is_read_from_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies_module, "_MOST_WAITING", 5)
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    target.gate.clear()
    pipeline = stream(
        topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
    )
    steps = Steps(pipeline)
    for start in range(0, 100, 10):
        send_some(topics, range(start, start + 10), bad=2, late=1000)
        steps.settle()
    publisher = pipeline._copies._publishers[0]
    assert sum(len(rows) for _, rows in publisher._queue) <= 5
    target.gate.set()
    until(lambda: target.keys == wanted_keys(stores))
    pipeline._copies.close()
    log = CheckpointLog(CheckpointFolder(tmp_path))
    assert log.published("dead_letters") == log.last_commit().epoch
    assert len(list((tmp_path / "published").iterdir())) == 1, "old marks are removed"


def test_a_record_that_is_too_large_for_the_topic_goes_without_its_value(tmp_path: Path) -> None:
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    target.most_bytes = 100
    pipeline = stream(
        topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
    )
    topics.send(0, b"{" + b" " * 200)
    topics.send(0, b"{")
    Steps(pipeline).settle()
    until(lambda: len(target.records) == 2)
    pipeline._copies.close()
    large = next(copy for copy in target.records if copy.value is None)
    assert dict(large.headers)["pbf-value"] == b"left out: 201 bytes are too large for this topic"
    assert large.key == b'["job","cluster:ispm",0,0]'


class Killed(BaseException):
    pass


@pytest.mark.parametrize("seed", range(3))
def test_a_crash_at_any_effect_loses_no_copy(seed: int, tmp_path: Path) -> None:
    """Runs die between table, manifest, copy and mark; the last one publishes what is missing."""
    draw = random.Random(seed)
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    start, crashes = 0, 0
    write = CheckpointFolder.write
    for _ in range(6):
        target.problem = draw.choice([None, BrokerUnavailableError("broker", "away")])
        left = draw.randrange(3, 25)

        def dying(self: CheckpointFolder, name: str, fill: Any) -> Any:
            nonlocal left
            if threading.current_thread() is threading.main_thread():
                left -= 1
                if left == 0:
                    raise Killed
            return write(self, name, fill)

        with pytest.MonkeyPatch.context() as patch:
            # A mark that cannot be written is as good as a process that died before it.
            patch.setattr(
                copies_module.CheckpointLog,
                "write_published",
                CheckpointLog.write_published if draw.random() < 0.5 else _no_mark,
            )
            patch.setattr(CheckpointFolder, "write", dying)
            try:
                pipeline = stream(
                    topics, stores, tmp_path, semantics=RULES, epoch_max_rows=7,
                    copies=copying(target, stores, topics),
                )  # fmt: skip
                steps = Steps(pipeline)
                for _ in range(3):
                    send_some(topics, range(start, start + 9), bad=3, late=5)
                    start += 9
                    steps.settle()
            except Killed:
                crashes += 1
            left = -1
            for publisher in pipeline._copies._publishers:
                publisher.close(0.0)
    assert crashes
    target.problem = None
    bounded = StreamSemantics(allowed_lateness_s=5.0, bounded=True)
    final = stream(
        topics, stores, tmp_path, semantics=bounded, copies=copying(target, stores, topics)
    )
    assert final.run() == "finished"
    assert target.keys == wanted_keys(stores)
    assert len(stores.rows["late_records"]) > 3


def _no_mark(_log: CheckpointLog, _table: str, _epoch: int) -> None:
    raise OSError("the disk is full")


def test_an_epoch_that_is_not_committed_is_not_published(tmp_path: Path) -> None:
    topics, stores, target = MemoryTopics(1), MemoryStores(), Target()
    topics.send(0, b"{")
    settle = CheckpointLog.commit

    def dies(*_: Any) -> bool:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointLog, "commit", dies)
        pipeline = stream(
            topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
        )
        with pytest.raises(Killed):
            Steps(pipeline).settle()
        pipeline._copies.close(1.0)
    assert CheckpointLog.commit is settle
    assert stores.rows["dead_letters"], "the store has it"
    assert not target.records, "the checkpoint has not"
    again = stream(
        topics, stores, tmp_path, semantics=RULES, copies=copying(target, stores, topics)
    )
    Steps(again).settle()
    until(lambda: len(target.records) == 1)
    again._copies.close()


def test_a_late_record_that_the_broker_has_no_more_is_written_anew() -> None:
    row = {
        **dict.fromkeys(RECORD_SCHEMA.names),
        "timestamp": 1.5,
        "temperature": float("nan"),
        "pressure": float("-inf"),
        "build_id": "é",
        "layer": -3,
        "_metadata": {"producer_id": "p", "message_id": None},
        "record_key": "k",
        "job_id": "job",
        "source_id": "s",
        "topic": "t",
        "partition": 1,
        "offset": 2,
        "watermark": 9.0,
        "epoch": 4,
    }
    (copy,) = copies_of("late_records", "late", [row], {})
    assert copy.value == as_json(row)
    assert b"written anew" in dict(copy.headers)["pbf-value"]
    (back,) = from_json([copy.value], RECORD_SCHEMA, mode="PERMISSIVE").table.to_pylist()
    for name in RECORD_SCHEMA.names:
        assert repr(back[name]) == repr(row[name]), name
