"""librdkafka's producer, with its callbacks kept in books and its errors in our terms."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from pbf_ray.errors import BrokerError, BufferFullError, RecordRefusedError
from pbf_ray.kafka.client import ClientErrors, translate_error
from pbf_ray.kafka.construction import connection_settings, new_client
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.idle_polling import poll_when_idle
from pbf_ray.kafka.producer_books import ProducerBooks
from pbf_ray.kafka.stall_watch import StallWatch
from pbf_ray.kafka.standstill import why_standing_still

__all__ = ["Headers", "OnDelivery", "ProducerClient"]

_log = logging.getLogger(__name__)

Headers = list[tuple[str, bytes | str | None]]
OnDelivery = Callable[[Delivery], object]

# From when on a producer is idle.
_IDLE_S = 1.0

# How often it is looked at whether anything is acknowledged.
_LOOK_S = 0.5

# Polling costs about as much as sending; who sends seldom is idle in between.
_POLL_EVERY = 8


class ProducerClient:
    """Queues messages, and takes what librdkafka tells of them. Thread-safe.

    Args:
        config: From ``client_config``.
        books: Where every message is accounted for.
    """

    def __init__(self, config: Mapping[str, Any], books: ProducerBooks) -> None:
        self._address = str(config["bootstrap.servers"])
        self._books = books
        self._errors = ClientErrors("producer")
        self._fatal: BrokerError | None = None
        self._served_s = time.monotonic()
        self._closed = False
        callbacks: dict[str, Any] = {
            "error_cb": self._errors,
            "stats_cb": self._counted,
            "on_delivery": self._delivered,
        }
        self._queued = 0
        self._topics: set[str] = set()
        # Without this object in it, which is to end when nobody holds it any more.
        self._stalls = StallWatch(
            partial(_why_waiting, connection_settings(config), self._topics, self._errors)
        )
        self._looked_s = self._served_s
        self._producer = new_client(Producer, {**config, **callbacks})
        self._produce: Any = self._producer.produce
        poll_when_idle(self, _IDLE_S)

    def queue(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | str | None,
        timestamp_ms: int,
        headers: Headers | None,
        *,
        on_delivery: OnDelivery | None,
        room_s: float,
    ) -> None:
        """Queue a message; waits only while the buffer is full.

        Args:
            topic: The topic.
            key: Partition key.
            value: The message.
            timestamp_ms: Milliseconds since 1970 UTC, 0 for now.
            headers: Names and values, in order.
            on_delivery: Called once, with what became of it.
            room_s: How long to wait for room, seconds.

        Raises:
            RecordRefusedError: If it is too large; it counts as failed.
            BufferFullError: If there was no room; it does not count.
            BrokerError: If an earlier failure was fatal; it does not count.
        """
        told = None if on_delivery is None else partial(self._delivered, told=on_delivery)
        deadline: float | None = None
        self._topics.add(topic)
        self._books.accept()  # before it can be acknowledged in another thread
        try:
            while True:
                try:
                    self._produce(
                        topic, value, key, timestamp=timestamp_ms, headers=headers, on_delivery=told
                    )
                    break
                except BufferError:
                    now = time.monotonic()
                    deadline = now + room_s if deadline is None else deadline
                    if now >= deadline:
                        raise
                    self.poll(min(0.1, deadline - now))
        except BaseException as error:  # noqa: BLE001 - raised again there
            self._not_taken(error, topic, room_s)
        self._queued += 1
        if self._queued % _POLL_EVERY == 0:
            self.poll(0.0)

    def _not_taken(self, error: BaseException, topic: str, room_s: float) -> None:
        """Take the record off the books again, and raise what its sender is to know."""
        self._books.withdraw()
        if isinstance(error, BufferError):
            raise BufferFullError(
                self._address,
                self.why("no acknowledgements in that time"),
                waited_s=room_s,
                queued=self._books.read().queued,
            ) from error
        if not isinstance(error, KafkaException):
            raise error
        if self._fatal is not None:
            raise self._fatal from error
        told = translate_error(error, address=self._address, topic=topic)
        if isinstance(told, RecordRefusedError):
            self._books.refuse(told)
        raise told from error

    def poll(self, wait_s: float) -> None:
        """Take what librdkafka has to tell; wait for something for so long."""
        self._serve(self._producer.poll, wait_s)

    def flush(self, wait_s: float) -> None:
        """Send at once what waits for company, and take what librdkafka has to tell."""
        self._serve(self._producer.flush, wait_s)

    def _serve(self, call: Callable[[float], object], wait_s: float) -> None:
        """Let librdkafka call back.

        A fatal error, after which it sends no more (a right that idempotent sending needs, for
        example), comes out of it as an exception, once, also out of the middle of a callback.
        What is in the buffer then fails record by record.
        """
        try:
            call(wait_s)
        except (KafkaException, SystemError) as error:
            cause = error if isinstance(error, KafkaException) else error.__cause__
            if not isinstance(cause, KafkaException):
                raise
            told = translate_error(cause, address=self._address, resource="the producer")
            self._fatal = self._fatal or told
            _log.error("the producer cannot go on: %s", told)
        self._served_s = time.monotonic()
        if self._served_s - self._looked_s >= _LOOK_S:
            self._looked_s = self._served_s
            self._stalls.waiting(self._books.read().queued)

    def poll_if_idle(self) -> bool:
        """Poll if nobody has lately; False once the producer is closed."""
        if not self._closed and time.monotonic() - self._served_s >= _IDLE_S:
            self.poll(0.0)
        return not self._closed

    def close(self) -> None:
        """Poll no more by itself; called when nothing is left to be told."""
        self._closed = True

    def why(self, otherwise: str) -> str:
        """What the connection said last, behind what is known anyhow."""
        return self._errors.text(otherwise)

    # -- what librdkafka tells -------------------------------------------------------------

    def _delivered(
        self, error: KafkaError | None, message: Message, told: OnDelivery | None = None
    ) -> None:
        topic = message.topic() or ""
        failure: BrokerError | None = None
        if error is None:
            self._books.acknowledge(len(message.key() or b"") + len(message.value() or b""))
            self._errors.clear()
            self._stalls.acknowledged()
        else:
            failure = self._failure(error, topic)
            if self._books.give_up(failure, told=told is not None):
                _log.error("the first record that could not be delivered: %s", failure)
        if told is None:
            return
        partition, offset = message.partition(), message.offset()
        delivery = Delivery(
            "sent" if failure is None else "failed",
            topic,
            -1 if partition is None or partition < 0 else partition,
            -1 if failure is not None or offset is None or offset < 0 else offset,
            failure,
        )
        try:
            told(delivery)
        except Exception:  # noqa: BLE001 - it is the caller's
            # Raised from here it would come out of the sending of some other record.
            _log.exception("on_delivery raised; the record is accounted for")

    def _failure(self, error: KafkaError, topic: str) -> BrokerError:
        failure = translate_error(error, address=self._address, topic=topic)
        last = self._errors.last
        if failure.transient and last is not None:
            # "Timed out" is what the record knows; the connection knows why.
            failure = translate_error(last, address=self._address, resource=f"topic {topic}")
        return failure

    def _counted(self, statistics: str) -> None:
        brokers = json.loads(statistics).get("brokers", {}).values()
        self._books.retries = sum(int(broker.get("txretries", 0)) for broker in brokers)


def _why_waiting(
    connection: Mapping[str, Any], topics: Collection[str], errors: ClientErrors
) -> str:
    """What keeps topics from being written, or what the connection said last."""
    admin = new_client(AdminClient, connection)
    return why_standing_still(admin, sorted(topics)) or errors.text("")
