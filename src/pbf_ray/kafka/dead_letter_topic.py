"""Dead letters as messages: a record as it was, and in its headers where it came from and why."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pbf_ray.errors import BrokerError, RecordRefusedError
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.producer import RecordProducer

__all__ = ["DEAD_LETTER_HEADERS", "HANDLER_FAILED", "DeadLetterTopic"]

_log = logging.getLogger(__name__)

HANDLER_FAILED: Final = "handler_failed"
"""The reason of a consumer's dead letters."""

DEAD_LETTER_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pbf-origin-topic": "topic of the record",
        "pbf-origin-partition": "its partition",
        "pbf-origin-offset": "its offset",
        "pbf-origin-timestamp-ms": "its Kafka timestamp, ms since 1970; -1 for none",
        "pbf-reason": f"reason code; of a consumer `{HANDLER_FAILED}`",
        "pbf-detail": "what was raised last",
        "pbf-attempts": "how often it was tried",
        "pbf-group": "consumer group that gave it up",
        "pbf-failed-at-ms": "when, ms since 1970",
        "pbf-value": "only where the topic could not take the value as well: that it is left out",
    }
)
"""Headers of a dead letter, all UTF-8 text, and what they say; those of the record follow."""

_LONGEST_ERROR: Final = 2_000
_POLL_S: Final = 0.25


class DeadLetterTopic:
    """Writes dead letters, each until the broker has acknowledged it. Thread-safe.

    Args:
        producer: Sends them.
        topic: The topic.
        group_id: Consumer group that gives records up.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        producer: RecordProducer,
        topic: str,
        *,
        group_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._group_id = group_id
        self._clock = clock

    def bury(self, record: ConsumedRecord, error: Exception, attempts: int) -> None:
        """Write a record; returns when the broker has acknowledged it.

        A record that is as large as its topic allows has no room for the headers: it is written
        without its value, which is still where it came from.

        Args:
            record: The record.
            error: What its handler raised last.
            attempts: How often it was tried.

        Raises:
            BrokerError: If it was not acknowledged.
        """
        headers = self._headers(record, error, attempts)
        try:
            self._write(record.key, record.value, headers)
        except RecordRefusedError:
            size = len(record.value or b"")
            _log.warning("%s: %d bytes are too many for %s", record.place, size, self._topic)
            note = f"left out: {size} bytes are too large for this topic"
            headers = [*headers, ("pbf-value", note)]
            self._write(record.key, None, headers)

    def _headers(
        self, record: ConsumedRecord, error: Exception, attempts: int
    ) -> list[tuple[str, bytes | str | None]]:
        text = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        return [
            ("pbf-origin-topic", record.topic),
            ("pbf-origin-partition", str(record.partition)),
            ("pbf-origin-offset", str(record.offset)),
            ("pbf-origin-timestamp-ms", str(record.timestamp_ms)),
            ("pbf-reason", HANDLER_FAILED),
            ("pbf-detail", text.encode("utf-8", "replace")),
            ("pbf-attempts", str(attempts)),
            ("pbf-group", self._group_id),
            ("pbf-failed-at-ms", str(round(self._clock() * 1000))),
            *record.headers,
        ]

    def _write(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | str | None]],
    ) -> None:
        told: list[Delivery] = []
        self._producer.send(
            self._topic, key, value, headers=headers, on_delivery=told.append, max_block_s=_POLL_S
        )
        while not told:
            # Others may flush at the same time and take our acknowledgement: look again soon.
            self._producer.flush(_POLL_S)
        error: BrokerError | None = told[0].error
        if error is not None:
            raise error
