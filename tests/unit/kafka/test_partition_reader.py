"""Exactness of the partition reader over a consumer in memory (no broker, no sockets)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.errors import (
    BrokerError,
    BrokerUnavailableError,
    OffsetsVanishedError,
    TopicMissingError,
)
from pbf_ray.kafka import partition_reader
from pbf_ray.kafka.origin import REPLAY_OF
from pbf_ray.kafka.partition_reader import PartitionReader, ReadBatch

Key = tuple[str, int]


@dataclass
class Message:
    """What the reader uses of ``confluent_kafka.Message``."""

    place: Key
    at: int
    body: bytes | None = None
    failure: KafkaError | None = None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.failure

    def timestamp(self) -> tuple[int, int]:
        return (1, 1_000_000 + self.at) if self.at % 3 else (0, -1)

    def key(self) -> bytes | None:
        return b"%d" % (self.at % 7) if self.at % 2 else None

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes]] | None:
        if self.at % 5:
            return None
        return [("trace", b"x"), (REPLAY_OF, b"record %d" % self.at)]

    def __len__(self) -> int:
        return len(self.body or b"")


@dataclass
class Log:
    """A partition: offsets that hold a record; all others below ``end`` are markers or gaps."""

    records: dict[int, bytes]
    end: int
    first: int = 0


@dataclass
class MemoryConsumer:
    """Behaves as librdkafka does: one queue, fetched in pieces, dropped when unassigned."""

    logs: dict[Key, Log]
    chance: random.Random
    fetching: dict[Key, int] = field(default_factory=dict)
    told_end: dict[Key, int] = field(default_factory=dict)
    queue: deque[Message] = field(default_factory=deque)
    assigns: int = 0
    closed: bool = False

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        for place in places:
            key = (place.topic, place.partition)
            assert key not in self.fetching
            self.fetching[key] = place.offset
            self.told_end.pop(key, None)
            self.assigns += 1

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        gone = {(place.topic, place.partition) for place in places}
        for key in gone:
            del self.fetching[key]
        self.queue = deque(message for message in self.queue if message.place not in gone)

    def consume(self, count: int, timeout: float) -> list[Message]:
        for key in self.chance.sample(sorted(self.fetching), len(self.fetching)):
            if self.chance.random() < 0.7:
                self.fetch(key)
        count = min(count, len(self.queue), self.chance.randint(1, 20))
        return [self.queue.popleft() for _ in range(count)]

    def fetch(self, key: Key) -> None:
        log, at = self.logs.get(key), self.fetching[key]
        if log is None:
            return
        if not log.first <= at <= log.end:
            self.queue.append(Message(key, at, failure=KafkaError(KafkaError._AUTO_OFFSET_RESET)))
            return
        until = min(log.end, at + self.chance.randint(1, 15))
        self.queue.extend(
            Message(key, offset, log.records[offset])
            for offset in range(at, until)
            if offset in log.records
        )
        self.fetching[key] = until
        if until == log.end and self.told_end.get(key) != until:
            self.told_end[key] = until
            self.queue.append(Message(key, until, failure=KafkaError(KafkaError._PARTITION_EOF)))

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        log = self.logs[place.topic, place.partition]
        return log.first, log.end

    def list_topics(self, topic: str, timeout: float) -> Any:
        numbers = {number: None for name, number in self.logs if name == topic}
        error = None if numbers else KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
        described = type("TopicMetadata", (), {"error": error, "partitions": numbers})
        return type("ClusterMetadata", (), {"topics": {topic: described}})

    def close(self) -> None:
        self.closed = True


def reader_of(
    logs: dict[Key, Log], *, seed: int = 0, max_ahead_bytes: int = 1 << 20
) -> tuple[PartitionReader, MemoryConsumer]:
    consumer = MemoryConsumer(logs, random.Random(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition_reader, "Consumer", lambda config: consumer)
        reader = PartitionReader("broker:9092", max_ahead_bytes=max_ahead_bytes)
    return reader, consumer


def rows(batch: ReadBatch) -> list[tuple[str, int, int, int, bytes | None, bytes | None]]:
    assert len({len(batch.topic), len(batch.partition), len(batch.offset), len(batch)}) == 1
    offsets = batch.offset.tolist()
    assert batch.replay_of == {
        index: f"record {at}" for index, at in enumerate(offsets) if at % 5 == 0
    }
    return [
        (batch.topics[code], int(partition), int(offset), int(stamp), key, value)
        for code, partition, offset, stamp, key, value in zip(
            batch.topic,
            batch.partition,
            batch.offset,
            batch.timestamp_ms,
            batch.key,
            batch.value,
            strict=True,
        )
    ]


def expected(logs: Mapping[Key, Log], ranges: Mapping[Key, tuple[int, int]]) -> list[tuple]:
    found = []
    for key in sorted(ranges):
        for offset in range(*ranges[key]):
            if offset in logs[key].records:
                message = Message(key, offset, logs[key].records[offset])
                found.append((*key, offset, message.timestamp()[1], message.key(), message.value()))
    return found


@st.composite
def partition_logs(draw: st.DrawFn) -> dict[Key, Log]:
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(["a", "b", "ispm-monitoring"]), st.integers(0, 3)),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    logs = {}
    for key in keys:
        end = draw(st.integers(0, 60))
        holes = draw(st.sets(st.integers(0, 60), max_size=40))
        logs[key] = Log({at: b"%d" % at for at in range(end) if at not in holes}, end)
    return logs


@settings(deadline=None, max_examples=150)
@given(partition_logs(), st.data(), st.integers(0, 2**32), st.sampled_from([0, 10, 1 << 20]))
def test_any_sequence_of_calls_reads_exactly_its_ranges(logs, data, seed, max_ahead_bytes) -> None:
    reader, _ = reader_of(logs, seed=seed, max_ahead_bytes=max_ahead_bytes)
    position = dict.fromkeys(logs, 0)
    for _ in range(data.draw(st.integers(1, 8))):
        ranges = {}
        for key in data.draw(st.lists(st.sampled_from(sorted(logs)), unique=True)):
            # Mostly the next range, now and then a jump: a replay, or another reader's position.
            start = position[key]
            if data.draw(st.integers(0, 3)) == 0:
                start = data.draw(st.integers(0, logs[key].end))
            ranges[key] = (start, data.draw(st.integers(start, logs[key].end)))
            position[key] = ranges[key][1]
        assert rows(reader.read(ranges, timeout_s=30)) == expected(logs, ranges)


@settings(deadline=None, max_examples=60)
@given(partition_logs(), st.data(), st.integers(0, 2**32))
def test_any_cut_into_calls_gives_every_record_once(logs, data, seed) -> None:
    reader, consumer = reader_of(logs, seed=seed)
    position = dict.fromkeys(logs, 0)
    got = []
    while any(position[key] < log.end for key, log in logs.items()):
        until = {
            key: min(log.end, position[key] + data.draw(st.integers(1, 25)))
            for key, log in logs.items()
        }
        got += rows(reader.read({k: (position[k], until[k]) for k in logs}, timeout_s=30))
        position = until
    everything = expected(logs, {key: (0, log.end) for key, log in logs.items()})
    assert sorted(got) == sorted(everything)
    # Ranges that follow each other are read on, never sought.
    assert consumer.assigns <= len(logs)


def test_a_full_partition_is_suspended_while_another_is_slow() -> None:
    logs = {
        ("a", 0): Log(dict.fromkeys(range(5000), b"x" * 100), 5000),
        ("a", 1): Log({1999: b"late"}, 2000),
    }
    reader, consumer = reader_of(logs, max_ahead_bytes=1000)
    batch = reader.read({("a", 0): (0, 10), ("a", 1): (0, 2000)}, timeout_s=30)
    assert len(batch) == 11
    assert ("a", 0) not in consumer.fetching
    assert reader._partitions["a", 0].ahead_bytes <= 1000 + 300 * 20
    # What was dropped from the queue is fetched again; what was buffered is not lost.
    assert rows(reader.read({("a", 0): (10, 5000)}, timeout_s=30)) == expected(
        logs, {("a", 0): (10, 5000)}
    )


def test_a_large_range_is_not_ahead_of_its_time() -> None:
    logs = {("a", 0): Log(dict.fromkeys(range(5000), b"x" * 100), 5000)}
    reader, consumer = reader_of(logs, max_ahead_bytes=100_000)
    for start in range(0, 5000, 1000):
        ranges = {("a", 0): (start, start + 1000)}
        assert rows(reader.read(ranges, timeout_s=30)) == expected(logs, ranges)
    # Each range is larger than what may be ahead, yet fetching went on from one to the next.
    assert consumer.assigns == 1


def test_without_reading_ahead_nothing_is_fetched_between_the_calls() -> None:
    logs = {("a", 0): Log(dict.fromkeys(range(30), b"x"), 30)}
    reader, consumer = reader_of(logs, max_ahead_bytes=0)
    # Up to the very end, then with more than was asked for.
    for start, to in ((0, 30), (0, 10), (10, 20)):
        ranges = {("a", 0): (start, to)}
        assert rows(reader.read(ranges, timeout_s=30)) == expected(logs, ranges)
        assert consumer.fetching == {}


def test_vanished_offsets_are_named_and_the_others_can_still_be_read() -> None:
    logs = {
        ("a", 0): Log(dict.fromkeys(range(50), b"x"), 50, first=20),
        ("a", 1): Log(dict.fromkeys(range(50), b"y"), 50),
    }
    reader, _ = reader_of(logs)
    with pytest.raises(OffsetsVanishedError) as caught:
        reader.read({("a", 0): (5, 30), ("a", 1): (0, 30)}, timeout_s=30)
    error = caught.value
    assert (error.topic, error.partition, error.wanted, error.first, error.last) == (
        "a",
        0,
        5,
        20,
        49,
    )
    after = {("a", 0): (20, 30), ("a", 1): (0, 30)}
    assert rows(reader.read(after, timeout_s=30)) == expected(logs, after)


def test_an_end_that_is_told_beside_an_error_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The second partition holds nothing but markers: its end is all there is to learn of it.
    reader, consumer = reader_of({("a", 0): Log({}, 50, first=20), ("a", 1): Log({}, 5)})
    chunk = [
        Message(("a", 0), 5, failure=KafkaError(KafkaError._AUTO_OFFSET_RESET)),
        Message(("a", 1), 5, failure=KafkaError(KafkaError._PARTITION_EOF)),
    ]
    chunks = [chunk]
    monkeypatch.setattr(consumer, "consume", lambda *_: chunks.pop() if chunks else [])
    with pytest.raises(OffsetsVanishedError):
        reader.read({("a", 0): (5, 30), ("a", 1): (0, 5)}, timeout_s=1)
    # librdkafka would not tell it again.
    assert len(reader.read({("a", 1): (0, 5)}, timeout_s=1)) == 0


def test_an_error_beyond_the_range_is_not_this_calls_error() -> None:
    logs = {("a", 0): Log(dict.fromkeys(range(50), b"x"), 50), ("a", 1): Log({3: b"y"}, 4)}
    reader, consumer = reader_of(logs)
    assert len(reader.read({("a", 0): (0, 10)}, timeout_s=30)) == 10
    # The partition shrinks under the reader's feet: what it prefetched is all there is.
    reached = reader._partitions["a", 0].reached
    logs["a", 0].end = logs["a", 0].first = 10_000
    consumer.queue.clear()
    assert len(reader.read({("a", 1): (0, 4)}, timeout_s=30)) == 1
    assert len(reader.read({("a", 0): (10, reached)}, timeout_s=30)) == reached - 10
    with pytest.raises(OffsetsVanishedError):
        reader.read({("a", 0): (reached, reached + 1)}, timeout_s=30)


def test_a_stall_names_what_was_waited_for_and_the_call_can_be_repeated() -> None:
    logs = {("a", 0): Log(dict.fromkeys(range(5), b"x"), 5), ("a", 1): Log({0: b"y"}, 1)}
    reader, _ = reader_of(logs)
    ranges = {("a", 0): (0, 8), ("a", 1): (0, 1)}
    with pytest.raises(BrokerUnavailableError, match="a/0 at 5 of 8"):
        reader.read(ranges, timeout_s=0.05)
    logs["a", 0].records.update(dict.fromkeys((5, 6, 7), b"z"))
    logs["a", 0].end = 8
    assert rows(reader.read(ranges, timeout_s=30)) == expected(logs, ranges)


def test_a_missing_topic_or_partition_is_told_instead_of_a_stall() -> None:
    reader, _ = reader_of({("a", 0): Log({}, 0)})
    with pytest.raises(TopicMissingError) as caught:
        reader.read({("b", 0): (0, 1)}, timeout_s=0.05)
    assert caught.value.topic == "b"
    with pytest.raises(BrokerError, match="no partition 9"):
        reader.read({("a", 9): (0, 1)}, timeout_s=0.05)


def test_released_partitions_start_afresh() -> None:
    logs = {("a", 0): Log(dict.fromkeys(range(50), b"x"), 50)}
    reader, consumer = reader_of(logs)
    reader.read({("a", 0): (0, 10)}, timeout_s=30)
    reader.release([("a", 0), ("never", 1)])
    assert consumer.fetching == {}
    assert rows(reader.read({("a", 0): (10, 20)}, timeout_s=30)) == expected(
        logs, {("a", 0): (10, 20)}
    )
    with reader:
        pass
    reader.close()
    assert consumer.closed


def test_empty_calls_and_impossible_ranges() -> None:
    reader, consumer = reader_of({("a", 0): Log({0: b"x"}, 1)})
    for ranges in ({}, {("a", 0): (1, 1)}):
        batch = reader.read(ranges, timeout_s=0.05)
        assert rows(batch) == []
        assert (batch.offset.dtype, batch.partition.dtype) == ("int64", "int32")
    assert consumer.assigns == 0
    for bad in ((-1, 3), (5, 2)):
        with pytest.raises(ValueError, match="not a range of offsets"):
            reader.read({("a", 0): bad}, timeout_s=0.05)
