from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from pbf_ray.cli import broker, sending
from pbf_ray.cli.signals import StopSignals
from pbf_ray.config import Settings
from pbf_ray.errors import BrokerUnavailableError, TopicMissingError
from pbf_ray.simulate import SimulatedRecord


class Producer:
    """Acknowledges a record per flush; gives up every third."""

    def __init__(self, settings: Settings) -> None:
        self.made_with = settings
        self.waiting: list[tuple[str, SimulatedRecord]] = []
        self.arrived: list[tuple[str, SimulatedRecord]] = []
        self.failed = 0
        self.first_error: BrokerUnavailableError | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Producer:
        return cls(settings)

    @property
    def sent(self) -> int:
        return len(self.arrived)

    def send_record(self, topic: str, record: SimulatedRecord, *, max_block_s: float) -> None:
        assert max_block_s > 0
        self.waiting.append((topic, record))

    def flush(self, timeout_s: float) -> int:
        assert timeout_s > 0
        if self.waiting:
            record = self.waiting.pop(0)
            if (self.sent + self.failed) % 3 == 2:
                self.failed += 1
                self.first_error = BrokerUnavailableError("h:1", "timed out")
            else:
                self.arrived.append(record)
        return len(self.waiting)


class Records:
    """A source of seven records."""

    closed = 0

    def records(self) -> list[SimulatedRecord]:
        return [SimulatedRecord(b"k", b"%d" % n, float(n)) for n in range(7)]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", lambda *_: 1)
    monkeypatch.setattr("pbf_ray.kafka.topics.list_topics", lambda _config: ["mine", "first"])
    monkeypatch.setattr("pbf_ray.kafka.producer.RecordProducer", Producer)


SETTINGS = Settings(
    kafka={"bootstrap_servers": "h:1", "topics": ["first"], "client": {"sasl.password": "pw"}}
)


@pytest.mark.usefixtures("_broker")
def test_every_record_to_a_topic_is_accounted_for() -> None:
    target = sending.open_target(SETTINGS, "mine", None)
    assert target.where == "topic mine on h:1"
    source = Records()
    done = sending.send_all(source, target, StopSignals())
    assert (done.read, done.sent, done.failed, done.queued) == (7, 5, 2, 0)
    assert (done.interrupted, source.closed) == (False, 1)
    assert done.error is not None
    producer: Producer = target._producer  # type: ignore[attr-defined]
    assert producer.made_with is SETTINGS
    sent = source.records()
    assert producer.arrived == [("mine", sent[n]) for n in (0, 1, 3, 4, 6)]


@pytest.mark.usefixtures("_broker")
def test_the_topic_is_the_first_that_is_read_and_has_to_exist() -> None:
    assert sending.open_target(SETTINGS, None, None).where == "topic first on h:1"
    with pytest.raises(TopicMissingError, match="absent"):
        sending.open_target(SETTINGS, "absent", None)


def test_a_broker_that_takes_long_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    heard = threading.Event()

    def tell(text: str) -> None:
        said.append(text)
        heard.set()

    def wait(_config: Mapping[str, Any], timeout_s: float) -> int:
        assert timeout_s == SETTINGS.kafka.connect_timeout_s
        assert heard.wait(60)
        return 1

    monkeypatch.setattr(broker, "_SILENT_S", 0.01)
    monkeypatch.setattr(broker, "tell", tell)
    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", wait)
    config = broker.reach_broker(SETTINGS)
    assert config["bootstrap.servers"] == "h:1"
    assert said == ["no answer from h:1 yet, trying for 60 s"]
