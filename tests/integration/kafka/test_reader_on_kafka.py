"""The partition reader against a broker: transactions, compaction, retention, failures."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pbf_ray.errors import BrokerUnavailableError, OffsetsVanishedError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.partition_reader import PartitionReader, ReadBatch
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import TopicSpec, create_topics
from services.apache_kafka import ApacheKafka, free_ports

pytestmark = pytest.mark.integration

Row = tuple[str, int, int, bytes | None, bytes | None]


def rows(batch: ReadBatch) -> list[Row]:
    return [
        (batch.topics[code], int(partition), int(offset), key, value)
        for code, partition, offset, key, value in zip(
            batch.topic, batch.partition, batch.offset, batch.key, batch.value, strict=True
        )
    ]


class Writer:
    """Produces and remembers what a read_committed reader has to see."""

    def __init__(self, servers: str, **extra: str) -> None:
        self.producer = Producer(client_config(servers, extra, defaults={"linger.ms": "0"}))
        self.visible: list[Row] = []
        self._pending: list[Row] = []

    def write(self, topic: str, partition: int, count: int, *, mark: str = "") -> None:
        def delivered(error, message) -> None:
            assert error is None
            row = (topic, partition, message.offset(), message.key(), message.value())
            self._pending.append(row)

        for number in range(count):
            self.producer.produce(
                topic,
                key=b"k%d" % (number % 5),
                value=f"{mark}{number}".encode(),
                partition=partition,
                on_delivery=delivered,
            )
        assert self.producer.flush(30) == 0

    def keep(self) -> None:
        self.visible += self._pending
        self._pending = []

    def drop(self) -> None:
        self._pending = []


@pytest.fixture
def transactions(kafka_broker: str, make_topic: Callable[..., str]) -> tuple[str, Writer]:
    """Three partitions of committed and aborted transactions, a marker at the end of each."""
    topic = make_topic(3)
    writer = Writer(kafka_broker, **{"transactional.id": topic})
    chance = random.Random(7)
    writer.producer.init_transactions(30)
    for turn in range(40):
        writer.producer.begin_transaction()
        for partition in range(3):
            writer.write(topic, partition, chance.randint(0, 12), mark=f"{turn}-")
        # The last two decide what stands at the end: an aborted one, then an empty commit.
        if turn == 39 or chance.random() < 0.4:
            writer.producer.abort_transaction(30)
            writer.drop()
        else:
            writer.producer.commit_transaction(30)
            writer.keep()
    writer.visible.sort()
    return topic, writer


def settled_ranges(servers: str, topic: str) -> dict[tuple[str, int], tuple[int, int]]:
    """Ranges once no transaction is open: markers are written a moment after the commit."""
    view = ClusterView(servers, [topic])
    uncommitted = AdminClient(client_config(servers))
    deadline = time.monotonic() + 30
    while True:
        ranges = view.ranges(view.describe().partitions)
        high = uncommitted.list_offsets(
            {TopicPartition(*key): OffsetSpec.latest() for key in ranges}
        )
        ends = {(p.topic, p.partition): f.result().offset for p, f in high.items()}
        if all(ends[key] == end for key, (_, end) in ranges.items()):
            return ranges
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_aborted_transactions_and_markers_neither_stall_nor_add(
    kafka_broker: str, transactions: tuple[str, Writer]
) -> None:
    topic, writer = transactions
    ranges = settled_ranges(kafka_broker, topic)
    visible = {(row[0], row[1], row[2]) for row in writer.visible}
    for (name, partition), (first, end) in ranges.items():
        assert (name, partition, end - 1) not in visible, "a marker stands at the end"
        assert first == 0
    with PartitionReader(kafka_broker) as reader:
        assert rows(reader.read(ranges, timeout_s=30)) == writer.visible
        # Once more from the beginning: a replay.
        assert rows(reader.read(ranges, timeout_s=30)) == writer.visible


def test_any_cut_into_calls_gives_every_record_once(
    kafka_broker: str, transactions: tuple[str, Writer]
) -> None:
    topic, writer = transactions
    ranges = settled_ranges(kafka_broker, topic)
    chance = random.Random(11)
    with PartitionReader(kafka_broker, max_ahead_bytes=200) as reader:
        for _ in range(5):
            position = {key: first for key, (first, _) in ranges.items()}
            got: list[Row] = []
            while any(position[key] < end for key, (_, end) in ranges.items()):
                # Now and then a partition is left out of a call altogether.
                step = {
                    key: (position[key], min(end, position[key] + chance.randint(0, 60)))
                    for key, (_, end) in ranges.items()
                    if chance.random() < 0.8
                }
                batch = rows(reader.read(step, timeout_s=30))
                assert batch == sorted(batch)
                got += batch
                position |= {key: to for key, (_, to) in step.items()}
            assert sorted(got) == writer.visible


@pytest.mark.usefixtures("needs_apache_kafka")
def test_random_ranges_read_exactly_what_lies_in_them(
    kafka_broker: str, transactions: tuple[str, Writer]
) -> None:
    topic, writer = transactions
    ranges = settled_ranges(kafka_broker, topic)
    chance = random.Random(13)
    with PartitionReader(kafka_broker) as reader:
        for _ in range(40):
            picked = {
                key: tuple(sorted((chance.randint(first, end), chance.randint(first, end))))
                for key, (first, end) in ranges.items()
                if chance.random() < 0.7
            }
            expected = [
                row
                for row in writer.visible
                if (row[0], row[1]) in picked
                and picked[row[0], row[1]][0] <= row[2] < picked[row[0], row[1]][1]
            ]
            assert rows(reader.read(picked, timeout_s=30)) == expected


def test_many_jumps_over_full_queues_never_mix_old_and_new(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    writer = Writer(kafka_broker)
    for partition in (0, 1):
        writer.write(topic, partition, 3000)
    writer.keep()
    written = {(row[1], row[2]): row for row in writer.visible}
    chance = random.Random(17)
    # Short waits at the broker make the jumps quick, so that fetches are under way at each.
    with PartitionReader(kafka_broker, {"fetch.wait.max.ms": "5"}) as reader:
        for _ in range(150):
            starts = {partition: chance.randint(0, 2990) for partition in (0, 1)}
            batch = reader.read({(topic, p): (s, s + 10) for p, s in starts.items()}, timeout_s=30)
            assert rows(batch) == [
                written[p, offset] for p, s in starts.items() for offset in range(s, s + 10)
            ]


@pytest.mark.usefixtures("needs_apache_kafka")
def test_gaps_left_by_compaction(kafka_broker: str, make_topic: Callable[..., str]) -> None:
    topic = make_topic(
        1,
        {
            "cleanup.policy": "compact",
            "segment.ms": "200",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "200",
            "delete.retention.ms": "0",
        },
    )
    writer = Writer(kafka_broker)
    total = 0
    deadline = time.monotonic() + 90
    while True:
        # A segment is rolled, and becomes compactable, when a record arrives after its time.
        writer.write(topic, 0, 20)
        writer.keep()
        total += 20
        with PartitionReader(kafka_broker) as reader:
            left = rows(reader.read({(topic, 0): (0, total)}, timeout_s=30))
        if len(left) < total - 40:
            break
        assert time.monotonic() < deadline, "the broker has compacted nothing"
        time.sleep(0.3)
    assert set(left) < set(writer.visible)
    newest = {row[3]: row for row in writer.visible}
    assert set(newest.values()) <= set(left)
    offsets = [row[2] for row in left]
    assert offsets == sorted(offsets)
    with PartitionReader(kafka_broker) as reader:
        again = []
        for start in range(0, total, 7):
            again += rows(reader.read({(topic, 0): (start, min(start + 7, total))}, timeout_s=30))
    # Compaction may go on between the two: what is still there was read exactly.
    assert set(again) <= set(left)
    assert set(newest.values()) <= set(again)
    assert len(again) == len(set(again))


def test_removed_records_are_named_with_what_is_left(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    writer = Writer(kafka_broker)
    for partition in (0, 1):
        writer.write(topic, partition, 50)
    writer.keep()
    admin = AdminClient(client_config(kafka_broker))
    for answer in admin.delete_records([TopicPartition(topic, 0, 20)]).values():
        answer.result(30)
    assert ClusterView(kafka_broker, [topic]).ranges([(topic, 0)]) == {(topic, 0): (20, 50)}
    with PartitionReader(kafka_broker) as reader:
        with pytest.raises(OffsetsVanishedError) as caught:
            reader.read({(topic, 0): (5, 30), (topic, 1): (0, 10)}, timeout_s=30)
        error = caught.value
        assert (error.topic, error.partition, error.wanted) == (topic, 0, 5)
        assert (error.first, error.last) == (20, 49)
        kept = rows(reader.read({(topic, 0): (20, 30), (topic, 1): (0, 10)}, timeout_s=30))
    assert (
        kept
        == [
            row for row in sorted(writer.visible) if (row[1] == 0) == (row[2] >= 20) and row[2] < 30
        ][:20]
    )


def test_timestamps_keys_and_nulls_come_as_they_were_sent(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    now_ms = int(time.time() * 1000)
    with RecordProducer(kafka_broker) as producer:
        producer.send(topic, "key", "text", timestamp_ms=now_ms - 5)
        producer.send(topic, None, b"\x00\xff", timestamp_ms=now_ms)
        producer.send(topic, b"gone", None)
        producer.send(topic, b"", b"")
    with PartitionReader(kafka_broker) as reader:
        batch = reader.read({(topic, 0): (0, 4)}, timeout_s=30)
    assert batch.topics == (topic,)
    assert batch.key == [b"key", None, b"gone", b""]
    assert batch.value == [b"text", b"\x00\xff", None, b""]
    assert batch.timestamp_ms[:2].tolist() == [now_ms - 5, now_ms]
    assert batch.timestamp_ms[2] >= now_ms


def test_a_read_waits_for_records_that_are_still_to_come(
    kafka_broker: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    writer = Writer(kafka_broker)
    with PartitionReader(kafka_broker) as reader:
        with pytest.raises(BrokerUnavailableError, match="0 of 3"):
            reader.read({(topic, 0): (0, 3)}, timeout_s=0.3)
        writer.write(topic, 0, 3)
        writer.keep()
        assert rows(reader.read({(topic, 0): (0, 3)}, timeout_s=30)) == writer.visible


def test_a_broker_that_is_away_is_an_error_in_bounded_time() -> None:
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        PartitionReader(dead) as reader,
        pytest.raises(BrokerUnavailableError, match="refused") as caught,
    ):
        reader.read({("t", 0): (0, 1)}, timeout_s=1.0)
    assert caught.value.address == dead


@pytest.mark.slow
def test_a_reader_lives_through_the_death_of_its_broker(apache_kafka: ApacheKafka) -> None:
    servers = apache_kafka.bootstrap_servers
    spec = TopicSpec("t", 1, replication=1, min_insync_replicas=1)
    create_topics(client_config(servers), [spec])
    writer = Writer(servers)
    writer.write("t", 0, 500)
    writer.keep()
    with PartitionReader(servers) as reader:
        assert rows(reader.read({("t", 0): (0, 100)}, timeout_s=30)) == writer.visible[:100]
        apache_kafka.suspend()
        try:
            with pytest.raises(BrokerUnavailableError):
                reader.read({("t", 0): (100, 501)}, timeout_s=1.0)
        finally:
            apache_kafka.resume()
        apache_kafka.kill()
        with pytest.raises(BrokerUnavailableError, match="t/0 at 500 of 501"):
            reader.read({("t", 0): (100, 501)}, timeout_s=1.0)
        apache_kafka.start()
        writer.write("t", 0, 1)
        writer.keep()
        assert rows(reader.read({("t", 0): (100, 501)}, timeout_s=60)) == writer.visible[100:]
