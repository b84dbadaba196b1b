from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.kafka import consumer
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer import RecordConsumer
from pbf_ray.kafka.consumer_metrics import ConsumerMetrics


@pytest.mark.parametrize(
    ("topics", "handlers", "problem"),
    [
        (["t"], {}, "either handler or batch_handler"),
        (["t"], {"handler": print, "batch_handler": print}, "either handler or batch_handler"),
        ([], {"handler": print}, "one topic at least"),
        ("t", {"handler": print}, "in a list"),
    ],
)
def test_wrong_use(topics: Any, handlers: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RecordConsumer("h:1", topics, "g", **handlers)


def test_settings_reach_it() -> None:
    settings = Settings(
        kafka={"bootstrap_servers": "h:1", "client": {"sasl.password": "pw"}},
        consumer={"max_attempts": 7},
        producer={"linger_ms": 50},
    )
    made = RecordConsumer.from_settings(settings, ["a", "b", "a"], "g", handler=print)
    assert (made.topics, made.group_id, made.options) == (("a", "b"), "g", settings.consumer)
    assert made._client == {"sasl.password": "pw"}
    assert made._producer_options is settings.producer
    assert made.metrics() == ConsumerMetrics()
    assert made.metrics().to_plain()["committed"] == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_it_to_stop_and_the_second_is_as_before(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[signal.Signals] = []
    monkeypatch.setattr(consumer, "wait_for_broker", lambda *_: None)
    made = RecordConsumer("h:1", ["t"], "g", handler=print)
    earlier = signal.signal(number, lambda *_: before.append(number))
    try:

        def consume() -> None:
            os.kill(os.getpid(), number)
            assert made._stopping
            os.kill(os.getpid(), number)

        monkeypatch.setattr(made, "_consume", consume)
        made.run(until_signal=True)
        assert before == [number]
        os.kill(os.getpid(), number)
        assert before == [number, number]
    finally:
        signal.signal(number, earlier)
    with pytest.raises(RuntimeError, match="runs once"):
        made.run()


def test_a_record_reads_as_json() -> None:
    record = ConsumedRecord("t", 1, 2, None, b'{"temperature": NaN, "layer": 3}')
    assert record.json()["layer"] == 3
    assert (record.size, record.place) == (32, "t/1 offset 2")
    for value, problem in ((None, "t/1 offset 2: a tombstone"), (b"{", "Expecting")):
        with pytest.raises(ValueError, match=problem):
            ConsumedRecord("t", 1, 2, None, value).json()
