"""Consumers that run beside a test, and what a broker holds of their group."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition

from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer import RecordConsumer
from pbf_ray.kafka.consumer_metrics import ConsumerMetrics
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.partition_reader import PartitionReader

__all__ = ["Handled", "Running", "committed_offsets", "read_all", "running", "wait_until"]


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.02)


class Handled:
    """Remembers what a handler was given, and in which order."""

    def __init__(self) -> None:
        self.records: list[ConsumedRecord] = []
        self._lock = threading.Lock()

    def __call__(self, record: ConsumedRecord) -> None:
        with self._lock:
            self.records.append(record)

    def batch(self, records: Sequence[ConsumedRecord]) -> None:
        """As the handler of a batch."""
        with self._lock:
            self.records.extend(records)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Partition and offset of each."""
        with self._lock:
            return [(record.partition, record.offset) for record in self.records]


class Running:
    """A consumer in a thread of its own."""

    def __init__(self, consumer: RecordConsumer) -> None:
        self.consumer = consumer
        self.result: ConsumerMetrics | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.result = self.consumer.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    @property
    def metrics(self) -> ConsumerMetrics:
        """The consumer's books."""
        return self.consumer.metrics()

    def ended(self, timeout_s: float = 60.0) -> ConsumerMetrics:
        """Wait for its end; the last books, which have to balance."""
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "the consumer does not end"
        metrics = self.metrics
        accounted = metrics.processed + metrics.dead_letters + metrics.abandoned
        assert metrics.received == accounted + metrics.in_flight
        return metrics

    def stop(self, timeout_s: float = 60.0) -> ConsumerMetrics:
        """Stop it and wait for its end, which has to be a good one."""
        self.consumer.stop()
        metrics = self.ended(timeout_s)
        if self.error is not None:
            raise self.error
        return metrics


@contextmanager
def running(*consumers: RecordConsumer) -> Iterator[list[Running]]:
    """Run consumers; those that a test has not stopped are stopped behind it."""
    started = [Running(consumer) for consumer in consumers]
    try:
        yield started
    finally:
        for one in started:
            one.consumer.stop()
        for one in started:
            one.thread.join(60)


def committed_offsets(servers: str, group: str, topic: str, partitions: int) -> dict[int, int]:
    """What a group has committed, by partition; what it has not is absent."""
    # A consumer that neither subscribes nor polls is no member.
    asking = Consumer(client_config(servers, fixed={"group.id": group}))
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        found = asking.committed(places, timeout=30)
        return {place.partition: place.offset for place in found if place.offset >= 0}
    finally:
        asking.close()


def read_all(servers: str, topic: str) -> list[ConsumedRecord]:
    """Everything in a topic, with its headers."""
    view = ClusterView(servers, [topic])
    ranges = view.ranges(view.describe().partitions)
    with PartitionReader(servers) as reader:
        wanted = len(reader.read(ranges, timeout_s=30))
    reading = Consumer(client_config(servers, fixed={"group.id": "test-read-all"}))
    found: list[ConsumedRecord] = []
    try:
        reading.assign([TopicPartition(*key, first) for key, (first, _) in ranges.items()])
        deadline = time.monotonic() + 30
        while len(found) < wanted:
            assert time.monotonic() < deadline
            message = reading.poll(1.0)
            if message is not None and message.error() is None:
                found.append(
                    ConsumedRecord(
                        topic,
                        message.partition(),
                        message.offset(),
                        message.key(),
                        message.value(),
                        message.timestamp()[1],
                        tuple(message.headers() or ()),
                    )
                )
        return found
    finally:
        reading.close()
