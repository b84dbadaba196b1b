"""The producer around a client that the test plays; the real one is tested on a real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.errors import BrokerError, BrokerUnavailableError, BufferFullError
from pbf_ray.kafka import producer
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.producer_books import ProducerBooks

AWAY = BrokerUnavailableError("h:1", "away")


class Client:
    """Takes messages while there is room; ``poll`` and ``flush`` do what the test says."""

    def __init__(self, config: dict[str, Any], books: ProducerBooks) -> None:
        self.config = config
        self.books = books
        self.room = 10**6
        self.taken: list[tuple[Any, ...]] = []
        self.waits: list[Callable[[Delivery], object] | None] = []
        self.served: Callable[[], object] = lambda: None
        self.closed = False

    def queue(self, *message: Any, on_delivery: Any, room_s: float) -> None:
        if not self.room:
            raise BufferFullError("h:1", "away", waited_s=room_s, queued=len(self.waits))
        self.room -= 1
        self.books.accept()
        self.taken.append(message)
        self.waits.append(on_delivery)

    def deliver(self, error: BrokerError | None = None) -> None:
        """The oldest one is acknowledged, or given up."""
        told = self.waits.pop(0)
        if error is None:
            self.books.acknowledge(10)
        else:
            self.books.give_up(error, told=told is not None)
        if told is not None:
            told(Delivery("failed" if error else "sent", "t", error=error))

    def poll(self, _wait_s: float) -> None:
        self.served()

    flush = poll

    def close(self) -> None:
        self.closed = True

    def why(self, otherwise: str) -> str:
        return otherwise


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[RecordProducer, Client]:
    monkeypatch.setattr(producer, "ProducerClient", Client)
    settings = Settings(
        kafka={"bootstrap_servers": "h:1", "client": {"delivery.timeout.ms": "7000"}},
        producer={"max_block_s": 3.0, "request_timeout_s": 2.0},
    )
    one = RecordProducer.from_settings(settings)
    client: Any = one._client
    return one, client


def test_a_batch_waits_for_all_of_its_records(made: tuple[RecordProducer, Client]) -> None:
    one, client = made
    client.served = lambda: client.deliver(AWAY if len(client.waits) == 2 else None)
    batch = one.send_batch("t", [{"n": n} for n in range(3)])
    assert [delivery.state for delivery in batch.deliveries] == ["sent", "failed", "sent"]
    assert batch.first_error is AWAY
    client.served = lambda: None
    one.close()  # its caller knows of the failure


def test_what_a_batch_has_left_queued_is_told_by_closing(
    made: tuple[RecordProducer, Client],
) -> None:
    one, client = made
    batch = one.send_batch("t", [{"n": 1}, {"n": 2}], timeout_s=0.0)
    assert (batch.sent, batch.failed, batch.queued) == (0, 0, 2)
    client.deliver()
    client.deliver(AWAY)
    assert (batch.sent, batch.queued) == (0, 2)  # as it was
    with pytest.raises(BrokerUnavailableError) as told:
        one.close()
    assert told.value is AWAY


@pytest.mark.parametrize("before", [True, False])
def test_failures_of_a_batch_whose_records_raise_are_told_by_closing(
    made: tuple[RecordProducer, Client], before: bool
) -> None:
    one, client = made

    def records() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        if before:
            client.deliver(AWAY)
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        one.send_batch("t", records())
    if not before:
        client.deliver(AWAY)
    with pytest.raises(BrokerUnavailableError) as told:
        one.close()
    assert told.value is AWAY


def test_a_batch_that_finds_no_room_ends_there(made: tuple[RecordProducer, Client]) -> None:
    one, client = made
    client.room = 2
    client.served = client.deliver
    batch = one.send_batch("t", [{"n": n} for n in range(5)])
    states = [delivery.state for delivery in batch.deliveries]
    assert states == ["sent", "sent", "failed", "failed", "failed"]
    assert isinstance(batch.first_error, BufferFullError)
    assert batch.first_error.waited_s == 3.0
    assert len({id(delivery.error) for delivery in batch.deliveries[2:]}) == 1
    metrics = one.metrics() if client.waits else one._books.read()
    assert (metrics.sent, metrics.failed, metrics.queued) == (2, 3, 0)


def test_closing_tells_of_what_is_left_and_may_be_repeated(
    made: tuple[RecordProducer, Client],
) -> None:
    one, client = made
    one.send("t", b"k", b"v")
    with pytest.raises(BrokerError, match="1 records were not delivered to h:1") as left:
        one.close(0.0)
    assert (left.value.waiting, client.closed) == (1, False)
    client.served = client.deliver
    one.close()
    assert client.closed
    for send in (lambda: one.send("t", None, b""), lambda: one.send_batch("t", [])):
        with pytest.raises(ValueError, match="closed"):
            send()


def test_closing_waits_as_long_as_a_record_may_take(made: tuple[RecordProducer, Client]) -> None:
    one, client = made
    assert client.config["delivery.timeout.ms"] == "7000"
    assert one._longest_s == 9.0
    assert producer._seconds("0") == float("inf")  # librdkafka's word for no limit


def test_an_error_on_its_way_out_is_not_hidden(made: tuple[RecordProducer, Client]) -> None:
    one, client = made

    def run() -> None:
        with one:
            one.send("t", None, b"x")
            client.deliver(AWAY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    with pytest.raises(BrokerUnavailableError), one:
        pass
