"""What keeps a topic from being written, in the words that people need."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pbf_ray.kafka import standstill
from pbf_ray.kafka.standstill import why_standing_still


class Admin:
    """A cluster of brokers 1, 2 and 3, of which some are in its list; one topic ``t``."""

    def __init__(self, brokers: tuple[int, ...], partitions: list[tuple[int, list[int]]]) -> None:
        self.brokers = {n: SimpleNamespace(id=n, host=f"h{n}", port=9092) for n in brokers}
        self.partitions = {
            number: SimpleNamespace(leader=leader, isrs=in_sync, replicas=[1, 2, 3])
            for number, (leader, in_sync) in enumerate(partitions)
        }

    def list_topics(self, timeout: float) -> Any:
        topic = SimpleNamespace(error=None, partitions=self.partitions)
        return SimpleNamespace(brokers=self.brokers, topics={"t": topic})

    def describe_configs(self, resources: list[Any], request_timeout: float) -> Any:
        answer: Future[Any] = Future()
        answer.set_result({"min.insync.replicas": SimpleNamespace(value="2")})
        return {resources[0]: answer}


def why(admin: Admin, monkeypatch: pytest.MonkeyPatch, *, deaf: tuple[str, ...] = ()) -> str:
    monkeypatch.setattr(standstill, "_answers", lambda host, _port: host not in deaf)
    return why_standing_still(admin, ["t", "unknown"])  # type: ignore[arg-type]


def test_a_cluster_that_is_well_gives_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why(Admin((1, 2, 3), [(1, [1, 2, 3]), (2, [2, 3])]), monkeypatch) == ""


def test_a_broker_that_is_dead_and_not_yet_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin((1, 2, 3), [(2, [1, 2, 3])])
    assert why(admin, monkeypatch, deaf=("h2",)) == "broker 2 (h2:9092) does not answer"


def test_leaders_and_copies_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin((3,), [(-1, [1]), (3, [3]), (-1, [2]), (-1, [1]), (3, [3, 1])])
    assert why(admin, monkeypatch) == (
        "the cluster misses broker 1, 2; t/0, t/2 and 1 more without a leader; "
        "not enough replicas: t/1 has 1 of the 2 copies it needs in sync"
    )


def test_reading_needs_leaders_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def reading(admin: Admin, *deaf: str) -> str:
        monkeypatch.setattr(standstill, "_answers", lambda host, _port: host not in deaf)
        return why_standing_still(admin, ["t"], reading=True)  # type: ignore[arg-type]

    moved = Admin((2, 3), [(2, [2]), (3, [3])])
    assert reading(moved) == "", "broker 1 is away, and led nothing any more"
    assert reading(Admin((1, 2, 3), [(2, [2])]), "h1") == ""
    assert reading(moved, "h3") == "broker 3 (h3:9092) does not answer"
    assert reading(Admin((2, 3), [(1, [1])])) == "t/0 without a leader"


def test_nobody_who_could_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Admin):
        def list_topics(self, timeout: float) -> Any:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    assert why(Away((1,), []), monkeypatch) == ""
