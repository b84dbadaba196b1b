from __future__ import annotations

from typing import Any

import pytest

from pbf_ray.errors import BrokerError, BrokerUnavailableError, RecordRefusedError
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.dead_letter_topic import DEAD_LETTER_HEADERS, DeadLetterTopic
from pbf_ray.kafka.deliveries import Delivery

RECORD = ConsumedRecord("t", 3, 42, b"k", b"value", 1_000, (("origin", b"gauge"), ("none", None)))


class Producer:
    """Tells what became of a record with the second flush; refuses what is too large."""

    def __init__(self, error: BrokerError | None = None, most: int = 10**6) -> None:
        self.error = error
        self.most = most
        self.sent: list[tuple[Any, ...]] = []
        self.flushes = 0

    def send(
        self, topic: str, key: Any, value: Any, *, headers: Any, on_delivery: Any, **_: Any
    ) -> None:
        if len(value or b"") > self.most:
            raise RecordRefusedError(topic, "too large")
        self.sent.append((topic, key, value, headers))
        self.tell = on_delivery

    def flush(self, timeout_s: float) -> int:
        self.flushes += 1
        if self.flushes % 2 == 0:
            self.tell(Delivery("failed" if self.error else "sent", "dead", error=self.error))
        return self.flushes % 2


def _bury(producer: Producer, problem: str = "no\nlayer") -> dict[str, Any]:
    topic = DeadLetterTopic(producer, "dead", group_id="g", clock=lambda: 5.0)  # type: ignore[arg-type]
    topic.bury(RECORD, ValueError(problem), 5)
    return dict(producer.sent[-1][3])


def test_a_dead_letter_is_the_record_with_where_it_was_and_why() -> None:
    producer = Producer()
    headers = _bury(producer)
    assert producer.sent[0][:3] == ("dead", b"k", b"value")
    assert headers == {
        "pbf-origin-topic": "t",
        "pbf-origin-partition": "3",
        "pbf-origin-offset": "42",
        "pbf-origin-timestamp-ms": "1000",
        "pbf-reason": "handler_failed",
        "pbf-detail": b"ValueError: no\nlayer",
        "pbf-attempts": "5",
        "pbf-group": "g",
        "pbf-failed-at-ms": "5000",
        "origin": b"gauge",
        "none": None,
    }
    assert headers.keys() - {"origin", "none"} < DEAD_LETTER_HEADERS.keys()
    assert producer.flushes == 2  # not before it was acknowledged


def test_one_that_is_not_acknowledged_is_an_error() -> None:
    with pytest.raises(BrokerUnavailableError):
        _bury(Producer(BrokerUnavailableError("h:1", "timed out")))


def test_a_record_without_room_for_the_headers_goes_without_its_value() -> None:
    producer = Producer(most=4)
    headers = _bury(producer)
    assert producer.sent[0][1:3] == (b"k", None)
    assert headers["pbf-value"] == "left out: 5 bytes are too large for this topic"
    assert DEAD_LETTER_HEADERS.keys() <= headers.keys()


def test_a_long_error_is_cut_and_an_odd_one_survives() -> None:
    text = _bury(Producer(), "\ud800" * 10_000)["pbf-detail"]
    assert text.startswith(b"ValueError: ??")
    assert len(text) == 2_000
