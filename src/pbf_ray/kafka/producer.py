"""Writes records: asynchronous, idempotent, every record accounted for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.client import NO_SETTINGS, ClientErrors, client_config, translate_error

__all__ = ["RecordProducer"]

_log = logging.getLogger(__name__)

# The names and defaults of the stack that pbf_ray replaces, in librdkafka's spelling.
_DEFAULTS: Mapping[str, str] = {
    # 16 KiB in that stack, which costs librdkafka twice the processor time.
    "batch.size": "131072",
    "compression.type": "snappy",
    "delivery.timeout.ms": "120000",
    "linger.ms": "5",
    "max.in.flight.requests.per.connection": "5",
    "message.max.bytes": "1048576",
    "queue.buffering.max.kbytes": "32768",
    "request.timeout.ms": "30000",
    "retry.backoff.ms": "100",
    # How long records for a topic that does not exist wait for it to appear.
    "topic.metadata.propagation.max.ms": "5000",
}


class RecordProducer:
    """Sends records without waiting for each; acks all, idempotent, so in order and once.

    ``sent`` and ``failed`` count delivery reports: after ``flush`` returned 0, every record that
    ``send`` accepted is in exactly one of them. Not thread-safe. As a context manager it flushes
    on the way out, and raises what failed.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings; they override the defaults of this module.

    Attributes:
        sent: Records that the broker has acknowledged.
        failed: Records that were given up.
        sent_bytes: Key and value bytes of the acknowledged records.
        first_error: Why the first of the failed ones failed, None while none has.
    """

    def __init__(self, bootstrap_servers: str, client: Mapping[str, str] = NO_SETTINGS) -> None:
        self._address = bootstrap_servers
        self._errors = ClientErrors("producer")
        self.sent = 0
        self.failed = 0
        self.sent_bytes = 0
        self.first_error: BrokerError | None = None
        self._producer = Producer(
            client_config(
                bootstrap_servers,
                client,
                defaults=_DEFAULTS,
                fixed={"acks": "all", "enable.idempotence": "true"},
            )
            | {"error_cb": self._errors, "on_delivery": self._delivered}
        )

    def send(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | str | None,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes | str | None]] | None = None,
    ) -> None:
        """Queue one record; waits only while the buffer is full.

        Args:
            topic: Topic; it must exist.
            key: Partition key: equal keys go to one partition, in order. None spreads.
            value: The record; None is a tombstone.
            timestamp_ms: Milliseconds since 1970 UTC, positive; None is now.
            headers: Names and values, in order.

        Raises:
            BrokerError: If the record cannot be queued at all: it is too large, or an earlier
                failure was fatal. It is then not counted.
            ValueError: If ``timestamp_ms`` is not positive.
        """
        if timestamp_ms is not None and timestamp_ms <= 0:
            raise ValueError(f"timestamp_ms is {timestamp_ms}; Kafka wants a positive one")
        # librdkafka takes 0 for "now".
        stamp = 0 if timestamp_ms is None else timestamp_ms
        while True:
            try:
                self._producer.produce(
                    topic, value=value, key=key, timestamp=stamp, headers=headers
                )
            except BufferError:
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                raise translate_error(error, address=self._address, topic=topic) from error
            break
        self._producer.poll(0)

    @property
    def waiting(self) -> int:
        """Records that were accepted and are neither sent nor failed yet."""
        return len(self._producer)

    def flush(self, timeout_s: float) -> int:
        """Wait until every accepted record is either sent or failed.

        Returns:
            How many are still waiting after ``timeout_s`` seconds; 0 is what one wants.
        """
        left: int = self._producer.flush(timeout_s)
        return left

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.sent += 1
            key, value = message.key(), message.value()
            self.sent_bytes += len(key or b"") + len(value or b"")
            return
        self.failed += 1
        if self.first_error is None:
            topic = message.topic() or ""
            self.first_error = translate_error(error, address=self._address, topic=topic)
            _log.error("the first record that could not be delivered: %s", self.first_error)

    def close(self, timeout_s: float = 120.0) -> None:
        """Flush, and tell of any loss.

        Raises:
            BrokerError: If records failed, or still wait after ``timeout_s`` seconds.
        """
        left = self.flush(timeout_s)
        if self.first_error is not None:
            raise self.first_error
        if left:
            why = self._errors.text(f"no acknowledgement in {timeout_s:.0f} s")
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
