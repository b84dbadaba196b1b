"""Sends a batch to exact partitions, and waits until each record is there or given up.

``RecordProducer`` is for streams of records, and leaves the partition to the key; copies and
replays want to know where each record lies before they go on. An error here is what the record
itself met, not the connection's last word as there: a replay decides by it whether the record may
have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pbf_ray.errors import BrokerError, BrokerUnavailableError
from pbf_ray.kafka.client import NO_SETTINGS, ClientErrors, client_config, translate_error
from pbf_ray.kafka.construction import new_client
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.origin import Header

__all__ = ["ConfirmedSender", "OutgoingRecord"]

_DEFAULTS: Mapping[str, Any] = {
    "compression.type": "snappy",
    "linger.ms": "5",
    # How long a topic that is not known may take to appear; callers try again.
    "topic.metadata.propagation.max.ms": "1000",
}


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record to send.

    Attributes:
        topic: Where to.
        key: Partition key.
        value: The bytes; None is a tombstone.
        partition: Where exactly, None by key.
        headers: Name and value of each.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[Header] = field(default=())


class ConfirmedSender:
    """Sends batches: acks all, idempotent, and every record has an outcome.

    Not thread-safe. Usable as a context manager.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings.
        timeout_s: How long a record may wait for its acknowledgement, seconds.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        client: Mapping[str, str] = NO_SETTINGS,
        *,
        timeout_s: float = 30.0,
    ) -> None:
        self._address = bootstrap_servers
        self._timeout_s = timeout_s
        self._errors = ClientErrors("confirmed sender")
        # The delivery timeout is ours: a caller waits for the batch as a whole.
        fixed = {"acks": "all", "enable.idempotence": "true"}
        mine: dict[str, Any] = {
            "error_cb": self._errors,
            "delivery.timeout.ms": str(int(timeout_s * 1000)),
        }
        self._producer = new_client(
            Producer,
            client_config(bootstrap_servers, client, defaults=_DEFAULTS, fixed=fixed) | mine,
        )

    def send(self, records: Sequence[OutgoingRecord]) -> list[Delivery]:
        """Send all and wait until each is acknowledged or given up.

        Args:
            records: In order; those of one partition arrive in it.

        Returns:
            What became of each: ``sent`` with its place, or ``failed``.
        """
        outcomes: list[Delivery | None] = [None] * len(records)
        for number, record in enumerate(records):
            self._produce(number, record, outcomes)
        # Delivery reports come within the delivery timeout; the rest is for the client itself.
        self._producer.flush(self._timeout_s + 5.0)
        return [
            outcome or Delivery("failed", record.topic, error=self._no_answer())
            for record, outcome in zip(records, outcomes, strict=True)
        ]

    def _produce(
        self, number: int, record: OutgoingRecord, outcomes: list[Delivery | None]
    ) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                outcomes[number] = self._failed(record, error)
                return
            partition, offset = message.partition(), message.offset()
            outcomes[number] = Delivery(
                "sent",
                record.topic,
                -1 if partition is None else partition,
                -1 if offset is None else offset,
            )

        place: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    on_delivery=delivered,
                    **place,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                outcomes[number] = self._failed(record, error)
                return
            else:
                self._producer.poll(0)
                return

    def _failed(self, record: OutgoingRecord, error: KafkaError | KafkaException) -> Delivery:
        told = translate_error(error, address=self._address, topic=record.topic)
        return Delivery("failed", record.topic, error=told)

    def _no_answer(self) -> BrokerError:
        why = self._errors.text("no acknowledgement")
        return BrokerUnavailableError(self._address, why, waited_s=self._timeout_s)

    def close(self) -> None:
        """Forget what still waits; everything that ``send`` returned is done."""
        self._producer.purge()
        self._producer.flush(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
