"""Writes records: asynchronous, idempotent, every record accounted for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pbf_ray.config.kafka_clients import ProducerSettings
from pbf_ray.errors import BrokerError, RecordRefusedError
from pbf_ray.kafka.client import NO_SETTINGS, client_config
from pbf_ray.kafka.client_defaults import producer_defaults
from pbf_ray.kafka.deliveries import BatchDelivery, Delivery, ProducerMetrics
from pbf_ray.kafka.producer_books import ProducerBooks
from pbf_ray.kafka.producer_client import Headers, OnDelivery, ProducerClient
from pbf_ray.kafka.record_json import RecordEncoder, default_producer_id, message_of
from pbf_ray.kafka.sensor_source import RecordFields, SensorMessage

if TYPE_CHECKING:
    from pbf_ray.config import Settings

__all__ = ["RecordProducer"]

# Waits in the client's code cannot be interrupted: none is longer than this.
_SLICE_S = 0.25


class RecordProducer:
    """Sends records without waiting for each; acks all, idempotent, so in order and once.

    Every record is exactly one of sent, failed and queued (``metrics``); after ``flush`` returned
    0 none is queued. A failure is told once: raised by ``send``, given to ``on_delivery``, or
    else raised by ``close``. Thread-safe. As a context manager it closes on the way out.

    Acknowledgements are taken, and ``on_delivery`` called, within the calls of this class; and
    in a thread of its own once nobody has called for a second.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings; they override ``options``.
        options: Sizes and time-outs; the defaults are those of ``[producer]``.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        client: Mapping[str, str] = NO_SETTINGS,
        *,
        options: ProducerSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.options = options or ProducerSettings()
        self._address = bootstrap_servers
        self._encoder = RecordEncoder(
            self.options.producer_id or default_producer_id(), clock=clock
        )
        self._books = ProducerBooks(clock)
        self._batch_lock = threading.Lock()
        self._closed = False
        config = client_config(
            bootstrap_servers,
            client,
            defaults=producer_defaults(self.options),
            fixed={"acks": "all", "enable.idempotence": "true"},
        )
        self._longest_s = _seconds(config["delivery.timeout.ms"]) + self.options.request_timeout_s
        self._client = ProducerClient(config, self._books)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """A producer for the brokers of the settings: ``[kafka]`` and ``[producer]``."""
        kafka = settings.kafka
        return cls(kafka.bootstrap_servers, kafka.client_config(), options=settings.producer)

    # -- sending ---------------------------------------------------------------------------

    def send(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | str | None,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
        *,
        on_delivery: OnDelivery | None = None,
        max_block_s: float | None = None,
    ) -> None:
        """Queue one message; waits only while the buffer is full.

        Args:
            topic: Topic; it must exist.
            key: Partition key: equal keys go to one partition, in order. None spreads.
            value: The message; None is a tombstone.
            timestamp_ms: Milliseconds since 1970 UTC, positive; None is now.
            headers: Names and values, in order.
            on_delivery: Called once, with what became of the record.
            max_block_s: How long to wait for room, seconds; None is ``producer.max_block_s``.

        Raises:
            RecordRefusedError: If the record is too large; it counts as failed.
            BufferFullError: If there was no room; the record does not count, send it again.
            BrokerError: If an earlier failure was fatal; the record does not count.
            ValueError: If ``timestamp_ms`` is not positive, or the producer is closed.
        """
        if timestamp_ms is not None and timestamp_ms <= 0:
            raise ValueError(f"timestamp_ms is {timestamp_ms}; Kafka wants a positive one")
        if self._closed:
            raise ValueError("the producer is closed")
        room_s = self.options.max_block_s if max_block_s is None else max_block_s
        # librdkafka takes 0 for "now".
        stamp = 0 if timestamp_ms is None else timestamp_ms
        self._client.queue(
            topic, key, value, stamp, headers, on_delivery=on_delivery, room_s=room_s
        )

    def send_record(
        self,
        topic: str,
        record: RecordFields | SensorMessage,
        *,
        headers: Headers | None = None,
        on_delivery: OnDelivery | None = None,
        max_block_s: float | None = None,
    ) -> None:
        """Queue one record: as JSON with ``_metadata``, keyed by its ``sensor_id``.

        The record is read before this returns, and never changed.

        Args:
            topic: Topic; it must exist.
            record: Fields by name, or a ``SensorRecord`` with a key or a value of its own.
            headers: Names and values, in order.
            on_delivery: Called once, with what became of the record.
            max_block_s: How long to wait for room, seconds; None is ``producer.max_block_s``.

        Raises:
            RecordRefusedError: If it is too large or no JSON; it counts as failed.
            BufferFullError: If there was no room; the record does not count, send it again.
            BrokerError: If an earlier failure was fatal; the record does not count.
            ValueError: If the producer is closed.
        """
        key, value = self._message(topic, record)
        self.send(
            topic, key, value, headers=headers, on_delivery=on_delivery, max_block_s=max_block_s
        )

    def send_batch(
        self,
        topic: str,
        records: Iterable[RecordFields | SensorMessage],
        *,
        timeout_s: float | None = None,
    ) -> BatchDelivery:
        """Send records and wait for all of them.

        A record that cannot be sent fails alone. Where there is no room, or the producer has
        failed for good, that record and those behind it fail with that error, so that those of a
        key that are sent are an unbroken beginning.

        Args:
            topic: Topic; it must exist.
            records: As for ``send_record``.
            timeout_s: Longest wait for acknowledgements, seconds; None until each record is sent
                or failed, which ``producer.delivery_timeout_s`` bounds.

        Returns:
            What became of each record; nothing is raised for records.

        Raises:
            ValueError: If the producer is closed.
        """
        if self._closed:
            raise ValueError("the producer is closed")
        outcomes: list[Delivery] = []
        left = 0
        returned = False

        def settle(index: int, delivery: Delivery) -> None:
            nonlocal left
            with self._batch_lock:
                outcomes[index] = delivery
                left -= 1
                unheard = delivery.error if returned else None
            if unheard is not None:
                # The caller has it as queued: closing tells what became of it.
                self._books.leave_untold(unheard)

        ended: BrokerError | None = None
        try:
            for index, record in enumerate(records):
                with self._batch_lock:
                    outcomes.append(Delivery("queued", topic))
                    left += 1
                if ended is None:
                    try:
                        self.send_record(topic, record, on_delivery=partial(settle, index))
                        continue
                    except RecordRefusedError as refused:
                        settle(index, Delivery("failed", topic, error=refused))
                        continue
                    except BrokerError as error:
                        ended = error
                self._books.refuse(ended)
                settle(index, Delivery("failed", topic, error=ended))
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while left and (wait_s := _left(deadline)) > 0:
                self._client.poll(min(_SLICE_S, wait_s))
        except BaseException:
            # It gets no outcome, from records that raise for one: closing tells of failures.
            with self._batch_lock:
                returned = True
                lost = BatchDelivery(tuple(outcomes)).first_error
            if lost is not None:
                self._books.leave_untold(lost)
            raise
        with self._batch_lock:
            returned = True
            return BatchDelivery(tuple(outcomes))

    # -- the books -------------------------------------------------------------------------

    @property
    def sent(self) -> int:
        """Records that the broker has acknowledged."""
        return self._books.read().sent

    @property
    def failed(self) -> int:
        """Records that were given up, or refused at once."""
        return self._books.read().failed

    @property
    def waiting(self) -> int:
        """Records that were accepted and are neither sent nor failed yet."""
        return self._books.read().queued

    @property
    def sent_bytes(self) -> int:
        """Key and value bytes of the acknowledged records."""
        return self._books.read().sent_bytes

    @property
    def first_error(self) -> BrokerError | None:
        """Why the first of the failed records failed, None while none has."""
        return self._books.first_error

    def metrics(self) -> ProducerMetrics:
        """The books as they are now; from any thread, at any time."""
        self._client.poll(0.0)
        return self._books.read()

    def flush(self, timeout_s: float) -> int:
        """Wait until every accepted record is either sent or failed.

        Returns:
            How many are still queued after ``timeout_s`` seconds; 0 is what one wants.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._client.flush(max(0.0, min(_SLICE_S, _left(deadline))))
            left = self.waiting
            if not left or _left(deadline) <= 0:
                return left

    # -- the end ---------------------------------------------------------------------------

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, and tell of any loss that nobody was told of.

        When nothing is left the producer is closed; otherwise it goes on, and may be closed again.

        Args:
            timeout_s: Longest wait, seconds; None is long enough for every record to be decided.

        Raises:
            BrokerError: If records failed, or still wait after ``timeout_s`` seconds.
        """
        if timeout_s is None:
            timeout_s = self._longest_s
        left = self.flush(timeout_s)
        if not left:
            self._closed = True
            self._client.close()
        untold = self._books.take_untold()
        if untold is not None:
            raise untold
        if left:
            why = self._client.why(f"no acknowledgement in {timeout_s:g} s")
            raise BrokerError(
                f"{left} records were not delivered to {self._address}: {why}",
                address=self._address,
                waiting=left,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            # The error on its way out matters more than the rest of the buffer.
            self.flush(5.0)

    # -- inside ----------------------------------------------------------------------------

    def _message(
        self, topic: str, record: RecordFields | SensorMessage
    ) -> tuple[bytes | str | None, bytes | str | None]:
        try:
            return message_of(record, self._encoder, topic)
        except RecordRefusedError as refused:
            self._books.refuse(refused)
            raise


def _seconds(milliseconds: object) -> float:
    # librdkafka takes 0 for no limit.
    return float(str(milliseconds)) / 1000.0 or float("inf")


def _left(deadline: float | None) -> float:
    return float("inf") if deadline is None else deadline - time.monotonic()
