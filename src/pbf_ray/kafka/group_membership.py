"""One member of a consumer group: the client, its starts, commits and pauses, in our terms."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pbf_ray.config.kafka_clients import ConsumerSettings
from pbf_ray.errors import BrokerError, OffsetsVanishedError, TopicMissingError
from pbf_ray.kafka.client import ClientErrors, client_config, kafka_error, translate_error
from pbf_ray.kafka.client_defaults import consumer_defaults
from pbf_ray.kafka.construction import new_client
from pbf_ray.kafka.consumed_record import ConsumedRecord

__all__ = ["GroupMembership", "Starts"]

_log = logging.getLogger(__name__)

_Key = tuple[str, int]
_Partitions = Sequence[TopicPartition]

Starts = dict[_Key, tuple[int, int | None]]
"""For partitions: from which offset to read, and what the group has committed, if anything."""

_PASSING = frozenset(
    {
        # The member was suspended for too long, and joins again with the next poll.
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001 - librdkafka's own codes
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        # The topic was deleted; if it comes back, reading goes on.
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)


class GroupMembership:
    """Subscribes, receives and commits; calls back when partitions come and go.

    All calls, and the callbacks, belong to one thread.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        topics: Names of the topics.
        group_id: Consumer group.
        client: Further librdkafka settings; they override ``options``.
        options: Time-outs, and where to start.
        gained: Called with the ``Starts`` of partitions that came.
        leaving: Called with partitions that are about to go; they may still be committed.
        lost: Called with partitions that are gone already.
        committed: Called with offsets that the group has taken, or why it has not.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        group_id: str,
        client: Mapping[str, str],
        options: ConsumerSettings,
        *,
        gained: Callable[[Starts], object],
        leaving: Callable[[list[_Key]], object],
        lost: Callable[[list[_Key]], object],
        committed: Callable[[dict[_Key, int], BrokerError | None], object],
    ) -> None:
        self._address = bootstrap_servers
        self._options = options
        self._gained, self._leaving, self._lost = gained, leaving, lost
        self._told_of_commit = committed
        self._errors = ClientErrors("consumer")
        config = client_config(
            bootstrap_servers,
            client,
            defaults=consumer_defaults(options, client),
            fixed={
                "group.id": group_id,
                # Where there is nothing committed the start is found here; what is left is an
                # offset that retention has removed.
                "auto.offset.reset": "error",
                "check.crcs": "true",
                "enable.auto.commit": "false",
                "enable.auto.offset.store": "false",
                "isolation.level": "read_committed",
            },
        )
        strategy = str(config.get("partition.assignment.strategy", ""))
        self._cooperative = "cooperative" in strategy or config.get("group.protocol") == "consumer"
        self._failures: deque[Exception] = deque()
        # Where the reading of each partition began: its position until something was read.
        self._owned: dict[_Key, int] = {}
        self._paused = False
        self._consumer = new_client(
            Consumer, config | {"error_cb": self._errors, "on_commit": self._commit_ended}
        )
        self._consumer.subscribe(
            list(topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    # -- receiving -------------------------------------------------------------------------

    def receive(self, count: int, wait_s: float) -> list[ConsumedRecord]:
        """Take what is there, ``count`` records at most; wait for one if there is none.

        Callbacks are called from here. An error comes with the call after the one that gave the
        records before it; the next call goes on.

        Raises:
            OffsetsVanishedError: If the next records are gone.
            BrokerError: If the broker refuses for good.
        """
        if self._failures:
            raise self._failures.popleft()
        # consume(n, timeout) waits for n messages as long as timeout lasts.
        try:
            messages: list[Any] = self._consumer.consume(count, 0) or self._consumer.consume(
                1, wait_s
            )
        except KafkaException as error:
            raise translate_error(error, address=self._address) from error
        records = [_record(message) for message in messages if message.error() is None]
        if records:
            self._errors.clear()
        if len(records) < len(messages):
            for message in messages:
                if message.error() is not None:
                    self._take_error(message, message.error())
        return records

    def _take_error(self, message: Any, error: KafkaError) -> None:
        topic, partition = message.topic() or "", message.partition()
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
            if (topic, partition) in self._owned:  # or it is somebody else's trouble by now
                self._failures.append(self._vanished(topic, partition, message.offset()))
            return
        told = translate_error(error, address=self._address, topic=topic)
        if not told.transient and error.code() not in _PASSING:
            self._failures.append(told)
        self._errors(error)

    def _vanished(self, topic: str, partition: int, offset: int | None) -> BrokerError:
        place = TopicPartition(topic, partition)
        try:
            first, end = self._consumer.get_watermark_offsets(place, timeout=10.0)
            wanted = self._consumer.position([place])[0].offset
            if wanted < 0:
                wanted = self._consumer.committed([place], timeout=10.0)[0].offset
        except KafkaException as error:
            return translate_error(error, address=self._address, topic=topic)
        if wanted < 0:
            wanted = -1 if offset is None else offset
        last = end - 1 if end > first else None
        return OffsetsVanishedError(topic, partition, wanted=wanted, first=first, last=last)

    def skip_to(self, topic: str, partition: int, offset: int) -> None:
        """Read a partition from another offset on, if it is still owned."""
        if (topic, partition) not in self._owned:
            return
        place = TopicPartition(topic, partition, offset)
        if self._cooperative:
            self._consumer.incremental_unassign([TopicPartition(topic, partition)])
            self._consumer.incremental_assign([place])
        else:
            # This protocol knows only whole assignments, and a seek does not wake the partition.
            self._owned[topic, partition] = offset
            found = self._consumer.position([TopicPartition(*key) for key in self._owned])
            self._consumer.assign([place, *(self._where(one) for one in found if one != place)])
        if self._paused:
            self._consumer.pause([TopicPartition(*key) for key in self._owned])

    def _where(self, found: TopicPartition) -> TopicPartition:
        start = self._owned[found.topic, found.partition]
        offset = start if found.offset < 0 else found.offset
        return TopicPartition(found.topic, found.partition, offset)

    def pause(self, wanted: bool) -> None:
        """Fetch nothing more of what is owned, or go on."""
        if wanted == self._paused:
            return
        self._paused = wanted
        places = [TopicPartition(*key) for key in self._owned]
        if places:
            (self._consumer.pause if wanted else self._consumer.resume)(places)

    # -- committing ------------------------------------------------------------------------

    def commit(self, offsets: Mapping[_Key, int], *, wait: bool) -> None:
        """Commit; what comes of it is told by ``committed``.

        Args:
            offsets: Next offset to read, by (topic, partition); of owned partitions only.
            wait: Whether to wait for the answer.
        """
        places = [TopicPartition(*key, offset) for key, offset in offsets.items()]
        if not places:
            return
        try:
            answers = self._consumer.commit(offsets=places, asynchronous=not wait)  # type: ignore[call-overload]
        except KafkaException as error:
            self._commit_ended(kafka_error(error), places)
            return
        if wait:
            self._commit_ended(None, answers)

    def _commit_ended(self, error: KafkaError | None, places: _Partitions) -> None:
        taken = {
            (place.topic, place.partition): place.offset
            for place in places
            if error is None and place.error is None and place.offset >= 0
        }
        refused = error or next((place.error for place in places if place.error is not None), None)
        told = None if refused is None else translate_error(refused, address=self._address)
        self._told_of_commit(taken, told)

    # -- coming and going ------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, places: _Partitions) -> None:
        try:
            starts = self._starts(places)
            self._owned |= {key: start for key, (start, _) in starts.items()}
            self._gained(starts)
            positions = [TopicPartition(*key, start) for key, (start, _) in starts.items()]
            if self._cooperative:
                consumer.incremental_assign(positions)
            else:
                consumer.assign(positions)
            if self._paused and positions:
                consumer.pause([TopicPartition(*key) for key in starts])
        except Exception as error:  # noqa: BLE001 - raised by receive, for there is no way from here
            self._failures.append(error)

    def _on_revoke(self, _consumer: Consumer, places: _Partitions) -> None:
        self._going(self._leaving, places)

    def _on_lost(self, _consumer: Consumer, places: _Partitions) -> None:
        self._going(self._lost, places)

    def _going(self, tell: Callable[[list[_Key]], object], places: _Partitions) -> None:
        keys = [(place.topic, place.partition) for place in places]
        try:
            tell(keys)
        except Exception as error:  # noqa: BLE001 - raised by receive, for there is no way from here
            self._failures.append(error)
        for key in keys:
            self._owned.pop(key, None)

    def _starts(self, places: _Partitions) -> Starts:
        """Where to begin; asked until the broker answers, for a time the group bears."""
        deadline = time.monotonic() + self._options.session_timeout_s
        while True:
            try:
                found = self._consumer.committed(
                    [TopicPartition(place.topic, place.partition) for place in places],
                    timeout=10.0,
                )
                return {
                    (place.topic, place.partition): (self._start(place), _offset(place))
                    for place in found
                }
            except KafkaException as error:
                told = translate_error(error, address=self._address)
                if not told.transient or time.monotonic() > deadline:
                    raise told from error
                time.sleep(0.1)

    def _start(self, place: TopicPartition) -> int:
        committed = _offset(place)
        if committed is not None:
            return committed
        first, end = self._consumer.get_watermark_offsets(
            TopicPartition(place.topic, place.partition), timeout=10.0
        )
        return int(end if self._options.start_from == "latest" else first)

    # -- the beginning and the end ---------------------------------------------------------

    def require_topics(self, topics: Sequence[str], patience_s: float) -> None:
        """See that the topics exist; a new one is given a moment to be known.

        Raises:
            TopicMissingError: If one does not exist.
            BrokerError: If the broker does not answer, or denies it.
        """
        deadline = time.monotonic() + patience_s
        for topic in topics:
            while True:
                try:
                    found = self._consumer.list_topics(topic, timeout=10.0).topics[topic]
                except KafkaException as error:
                    raise translate_error(error, address=self._address) from error
                if found.error is None:
                    break
                told = translate_error(found.error, address=self._address, topic=topic)
                passing = told.transient or isinstance(told, TopicMissingError)
                if not passing or time.monotonic() > deadline:
                    raise told
                time.sleep(0.1)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def _record(message: Any) -> ConsumedRecord:
    kind, stamp = message.timestamp()
    return ConsumedRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        stamp if kind else -1,
        tuple(message.headers() or ()),
    )


def _offset(place: TopicPartition) -> int | None:
    return place.offset if place.offset >= 0 else None
