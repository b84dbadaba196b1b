"""Reads exact offset ranges of partitions, as columns.

An epoch of the stream is a range ``[from, to)`` per partition. ``PartitionReader.read`` gives
every record in those ranges and no other, whatever stands between them: transaction markers,
aborted transactions, gaps left by compaction. What the broker sent beyond ``to`` waits in a
buffer for the next call, so that epochs that follow each other read on without seeking.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pbf_ray.errors import BrokerUnavailableError, OffsetsVanishedError
from pbf_ray.kafka.client import (
    NO_SETTINGS,
    ClientErrors,
    client_config,
    partition_missing,
    translate_error,
)
from pbf_ray.kafka.construction import new_client
from pbf_ray.kafka.partition_buffer import PartitionBuffer

__all__ = ["PartitionReader", "RawBytes", "ReadBatch"]

# consume(n, timeout) waits for n messages as long as timeout lasts, even when some are there: a
# large n with a real timeout idles. So: take what is there at once, and wait for one at most.
_CHUNK = 1000
_WAIT_S = 0.1

RawBytes: TypeAlias = "list[bytes | None] | pa.Array"
"""Keys or values of records: a list, or an Arrow array of type binary or large_binary."""

_Key = tuple[str, int]
# confluent_kafka.Message; its methods are typed as optional, which they are not for a received one.
_Message = Any


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Records as columns of equal length, ordered by (topic, partition, offset).

    Attributes:
        topics: Topic names, sorted; ``topic`` points into it.
        topic: int32, index into ``topics``.
        partition: int32.
        offset: int64.
        timestamp_ms: int64, milliseconds since 1970 UTC as the broker tells, -1 where none.
        key: Raw keys.
        value: Raw values.
        replay_of: Record key that a record says it is a replay of, by index; few do.
    """

    topics: tuple[str, ...]
    topic: npt.NDArray[np.int32]
    partition: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    timestamp_ms: npt.NDArray[np.int64]
    key: RawBytes
    value: RawBytes
    replay_of: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.value)


class PartitionReader:
    """Reads exact offset ranges; one librdkafka consumer without a group membership.

    Not thread-safe. Usable as a context manager.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings (security, fetch sizes).
        max_ahead_bytes: How much one partition may buffer beyond its range before its fetching
            is suspended. 0 fetches nothing between the calls: for a broker that answers an
            empty fetch at once, which would keep a processor busy, as the embedded one does.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        client: Mapping[str, str] = NO_SETTINGS,
        *,
        max_ahead_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self._address = bootstrap_servers
        self._max_ahead_bytes = max_ahead_bytes
        # librdkafka asks for the coordinator of a group that is needed for nothing here.
        self._errors = ClientErrors(
            "partition reader", ignored=[KafkaError.GROUP_AUTHORIZATION_FAILED]
        )
        self._consumer = new_client(
            Consumer,
            client_config(
                bootstrap_servers,
                client,
                defaults={
                    # The end of a range that is a transaction marker is learnt from an empty
                    # fetch, which the broker holds back for this long.
                    "fetch.wait.max.ms": "100",
                    # A full queue would stop fetching for a second, and halve the throughput.
                    "fetch.queue.backoff.ms": "5",
                    "group.id": "pbf-ray-partition-reader",
                },
                fixed={
                    "auto.offset.reset": "error",
                    "check.crcs": "true",
                    "enable.auto.commit": "false",
                    "enable.auto.offset.store": "false",
                    "enable.partition.eof": "true",
                    "isolation.level": "read_committed",
                },
            )
            | {"error_cb": self._errors},
        )
        self._partitions: dict[_Key, PartitionBuffer] = {}
        self._closed = False

    def read(
        self, ranges: Mapping[tuple[str, int], tuple[int, int]], *, timeout_s: float
    ) -> ReadBatch:
        """Read all records of the ranges.

        After an error the same call may be repeated: nothing is lost.

        Args:
            ranges: ``{(topic, partition): (from, to)}``, ``to`` exclusive.
            timeout_s: Longest time without any progress, seconds.

        Returns:
            Every record whose offset lies in its partition's range.

        Raises:
            OffsetsVanishedError: If the broker no longer (or not yet) has an offset.
            TopicMissingError: If a topic does not exist.
            BrokerError: If a topic has no such partition.
            BrokerUnavailableError: If nothing arrives for ``timeout_s``.
            AccessDeniedError: If the broker denies reading.
            ValueError: If a range is negative or backwards.
        """
        wanted = self._wanted(ranges)
        self._seek(wanted)
        waiting = {key: to for key, (_, to) in wanted.items() if self._partitions[key].reached < to}
        self._fetch(waiting)
        deadline = time.monotonic() + timeout_s
        while waiting:
            messages = self._receive()
            if self._take(messages, waiting):
                deadline = time.monotonic() + timeout_s
                self._errors.clear()
            elif time.monotonic() > deadline:
                raise self._stalled(waiting, timeout_s)
        if self._max_ahead_bytes == 0:
            self._unassign(list(self._partitions))
        return self._cut(wanted)

    @staticmethod
    def _wanted(
        ranges: Mapping[tuple[str, int], tuple[int, int]],
    ) -> dict[_Key, tuple[int, int]]:
        for (topic, partition), (first, to) in ranges.items():
            if not 0 <= first <= to:
                raise ValueError(f"{topic}/{partition}: [{first}, {to}) is not a range of offsets")
        return {key: ranges[key] for key in sorted(ranges) if ranges[key][0] < ranges[key][1]}

    def _seek(self, wanted: Mapping[_Key, tuple[int, int]]) -> None:
        """Bring every partition's position to the beginning of its range."""
        moved: list[_Key] = []
        for key, (first, _) in wanted.items():
            state = self._partitions.get(key)
            if state is not None and state.position <= first <= state.reached:
                state.cut_below(first)
            else:
                moved.append(key)
        self._unassign([key for key in moved if key in self._partitions])
        for key in moved:
            first = wanted[key][0]
            self._partitions[key] = PartitionBuffer(position=first, reached=first)
        for key, (_, to) in wanted.items():
            self._partitions[key].want(to)

    def _fetch(self, waiting: Mapping[_Key, int]) -> None:
        """Let the consumer fetch what is waited for, from where each partition stands."""
        starting = [key for key in waiting if not self._partitions[key].assigned]
        if not starting:
            return
        try:
            self._consumer.incremental_assign(
                [TopicPartition(*key, self._partitions[key].reached) for key in starting]
            )
        except KafkaException as error:
            raise translate_error(error, address=self._address) from error
        for key in starting:
            self._partitions[key].assigned = True

    def _unassign(self, keys: Sequence[_Key]) -> None:
        """Stop fetching; librdkafka drops what it has queued of these partitions."""
        stopping = [key for key in keys if self._partitions[key].assigned]
        if stopping:
            self._consumer.incremental_unassign([TopicPartition(*key) for key in stopping])
        for key in stopping:
            self._partitions[key].assigned = False

    def _receive(self) -> list[_Message]:
        try:
            return self._consumer.consume(_CHUNK, 0) or self._consumer.consume(1, _WAIT_S)
        except KafkaException as error:
            raise translate_error(error, address=self._address) from error

    def _take(self, messages: Sequence[_Message], waiting: dict[_Key, int]) -> bool:
        """Sort messages into their partitions; whether one that is waited for got further."""
        records: defaultdict[_Key, list[_Message]] = defaultdict(list)
        events: list[_Message] = []
        for message in messages:
            if message.error() is None:
                records[message.topic(), message.partition()].append(message)
            else:
                events.append(message)
        before = {key: self._partitions[key].reached for key in waiting}
        for key, those in records.items():
            state = self._partitions.get(key)
            if state is not None and state.assigned:
                state.append(those)
                self._suspend_if_full(key)
        # Events after records: within a partition librdkafka tells them in that order. All of
        # them before the first error is raised: it tells the end of a partition only once.
        failed = [event for event in events if self._take_event(event, waiting)]
        if failed:
            raise self._explained(failed[0])
        progress = False
        for key, reached in before.items():
            progress = progress or self._partitions[key].reached > reached
            if self._partitions[key].reached >= waiting[key]:
                del waiting[key]
        return progress

    def _take_event(self, message: _Message, waiting: Mapping[_Key, int]) -> bool:
        """Take an end of partition or an error; whether it concerns what is waited for."""
        key = (message.topic(), message.partition())
        error: KafkaError = message.error()
        state = self._partitions.get(key)
        if state is None or not state.assigned:
            if message.topic() is None:
                self._errors(error)
            return False
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own code
            # Markers and gaps before the end carry no message: only this tells they are passed.
            state.reached = max(state.reached, message.offset())
            return False
        # The next call that wants more of this partition starts afresh and meets the error then.
        self._unassign([key])
        return key in waiting and state.reached < waiting[key]

    def _explained(self, message: _Message) -> Exception:
        topic, partition = key = (message.topic(), message.partition())
        wanted = self._partitions[key].reached
        told = translate_error(
            message.error(),
            address=self._address,
            topic=topic,
            partition=partition,
            offset=wanted,
        )
        if not isinstance(told, OffsetsVanishedError):
            return told
        try:
            first, end = self._consumer.get_watermark_offsets(TopicPartition(*key), timeout=10.0)
        except KafkaException as failure:
            return translate_error(failure, address=self._address, topic=topic)
        if min(first, end) < 0 or first <= wanted <= end:
            # While a partition changes its leader, librdkafka takes offsets for lost that are not.
            said = message.error().str()
            problem = f"{topic}/{partition} at {wanted} changes its leader: {said}"
            return BrokerUnavailableError(self._address, problem)
        last = end - 1 if end > first else None
        return OffsetsVanishedError(topic, partition, wanted=wanted, first=first, last=last)

    def _suspend_if_full(self, key: _Key) -> None:
        """Stop fetching a partition that holds enough beyond its range."""
        if self._partitions[key].ahead_bytes > self._max_ahead_bytes:
            self._unassign([key])

    def _stalled(self, waiting: Mapping[_Key, int], timeout_s: float) -> Exception:
        places = [
            f"{topic}/{partition} at {self._partitions[topic, partition].reached} of {to}"
            for (topic, partition), to in sorted(waiting.items())
        ]
        shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if places[5:] else "")
        problem = self._errors.text(f"no records arrived for {shown}")
        last = self._errors.last
        if last is not None:
            told = translate_error(last, address=self._address, resource=shown)
            return (
                told
                if not told.transient
                else BrokerUnavailableError(self._address, problem, waited_s=timeout_s)
            )
        # The connection is well: perhaps there is no such partition. librdkafka waits for one.
        for topic, partition in sorted(waiting):
            try:
                found = self._consumer.list_topics(topic, timeout=5.0).topics[topic]
            except KafkaException as error:
                return translate_error(error, address=self._address, waited_s=timeout_s)
            if found.error is not None:
                return translate_error(found.error, address=self._address, topic=topic)
            if partition not in found.partitions:
                return partition_missing(topic, partition, self._address)
        return BrokerUnavailableError(self._address, problem, waited_s=timeout_s)

    def _cut(self, wanted: Mapping[_Key, tuple[int, int]]) -> ReadBatch:
        topics = tuple(sorted({topic for topic, _ in wanted}))
        codes = {topic: code for code, topic in enumerate(topics)}
        parts = [self._partitions[key].cut_below(to) for key, (_, to) in wanted.items()]
        counts = [len(part.offset) for part in parts]
        starts = np.cumsum([0, *counts]).tolist()
        replay_of = {
            start + bisect_left(part.offset, at): origin
            for start, part in zip(starts, parts, strict=False)
            for at, origin in part.replay_of.items()
        }
        return ReadBatch(
            topics=topics,
            topic=np.repeat(np.array([codes[topic] for topic, _ in wanted], np.int32), counts),
            partition=np.repeat(np.array([number for _, number in wanted], np.int32), counts),
            offset=np.array([*chain.from_iterable(part.offset for part in parts)], np.int64),
            timestamp_ms=np.array(
                [*chain.from_iterable(part.timestamp_ms for part in parts)], np.int64
            ),
            key=[*chain.from_iterable(part.key for part in parts)],
            value=[*chain.from_iterable(part.value for part in parts)],
            replay_of=replay_of,
        )

    def release(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Forget partitions: another reader has them now."""
        known = [key for key in partitions if key in self._partitions]
        self._unassign(known)
        for key in known:
            del self._partitions[key]

    def close(self) -> None:
        """Give the connections and buffers back; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._partitions.clear()
            self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
