from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pbf_ray.errors import BrokerError, BrokerUnavailableError, TopicMissingError
from pbf_ray.kafka import topics as kafka_topics
from pbf_ray.kafka.topics import (
    ALL_TOPICS,
    Difference,
    PartitionState,
    TopicOutcome,
    TopicSpec,
    TopicState,
)


class Cluster:
    """Stands for the brokers: as many as ``brokers``, with topics by name."""

    def __init__(self) -> None:
        self.brokers = 3
        self.topics: dict[str, TopicState] = {}
        self.specs: dict[str, TopicSpec] = {}

    def create(
        self, _config: Any, specs: Sequence[TopicSpec], *, clamp_replication: bool = False
    ) -> list[TopicOutcome]:
        outcomes = []
        for spec in specs:
            fitted = spec.clamped(self.brokers) if clamp_replication else spec
            if fitted.replication > self.brokers:
                raise BrokerError("too few brokers", advice="in general", brokers=self.brokers)
            there = self.topics.get(spec.name)
            differences = ()
            if there is None:
                self.add(fitted)
            elif len(there.partitions) != spec.partitions:
                found = str(len(there.partitions))
                differences = (Difference("partitions", str(spec.partitions), found),)
            outcomes.append(
                TopicOutcome(
                    spec.name, there is None, fitted.replication, fitted != spec, differences
                )
            )
        return outcomes

    def add(self, spec: TopicSpec, records: int = 0) -> None:
        nodes = tuple(range(spec.replication))
        self.specs[spec.name] = spec
        self.topics[spec.name] = TopicState(
            spec.name,
            "id-" + spec.name,
            tuple(
                PartitionState(number, 0, nodes, nodes[:1], 10, 10 + records)
                for number in range(spec.partitions)
            ),
            spec.config,
        )

    def describe(self, _config: Any, names: Sequence[str]) -> list[TopicState]:
        for name in names:
            if name not in self.topics:
                raise TopicMissingError(name, "broker:9092")
        return [self.topics[name] for name in names]

    def delete(self, _config: Any, names: Sequence[str]) -> None:
        for name in names:
            del self.topics[name]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr("pbf_ray.cli.broker.reach_broker", lambda _settings: {})
    monkeypatch.setattr(kafka_topics, "create_topics", cluster.create)
    monkeypatch.setattr(kafka_topics, "list_topics", lambda _config: sorted(cluster.topics))
    monkeypatch.setattr(kafka_topics, "describe_topics", cluster.describe)
    monkeypatch.setattr(kafka_topics, "delete_topics", cluster.delete)
    return cluster


def outcomes(text: str) -> dict[str, Mapping[str, Any]]:
    return {topic["name"]: topic for topic in json.loads(text)["topics"]}


def test_create_makes_all_topics_once(run, cluster: Cluster) -> None:
    first = outcomes(run("topics", "create", "--json").stdout)
    assert set(first) == {spec.name for spec in ALL_TOPICS}
    assert all(outcome["created"] for outcome in first.values())
    assert cluster.specs == {spec.name: spec for spec in ALL_TOPICS}
    again = outcomes(run("topics", "create", "--json").stdout)
    assert not any(outcome["created"] or outcome["differences"] for outcome in again.values())


def test_create_reports_differences_and_changes_nothing(run, cluster: Cluster) -> None:
    cluster.add(TopicSpec("ispm-monitoring", 4))
    result = run("topics", "create", "ispm-monitoring")
    assert result.exit_code == 0
    assert "differs" in result.stdout
    assert "partitions is 4, should be 12" in result.stdout
    assert len(cluster.topics["ispm-monitoring"].partitions) == 4
    assert len(cluster.topics) == 1


def test_replication_is_clamped_only_when_told_so(run, cluster: Cluster) -> None:
    cluster.brokers = 1
    refused = run("topics", "create")
    assert refused.exit_code == 1
    assert "to do: start more brokers, or give --clamp-replication" in refused.stderr
    assert cluster.topics == {}
    made = run("topics", "create", "--clamp-replication")
    assert made.exit_code == 0
    assert "fewer copies than usual" in made.stdout
    assert {spec.replication for spec in cluster.specs.values()} == {1}


def test_create_another_topic_needs_its_partitions(run, cluster: Cluster) -> None:
    refused = run("topics", "create", "mine")
    assert refused.exit_code == 2
    assert "give --partitions" in refused.stderr
    made = run("topics", "create", "mine", "--partitions", 5, "--replication", 2)
    assert made.exit_code == 0
    assert cluster.specs["mine"] == replace(
        TopicSpec("mine", 5), replication=2, min_insync_replicas=1
    )


def test_list_and_describe(run, cluster: Cluster) -> None:
    assert "pbf-ray topics create" in run("topics", "list").stdout
    cluster.add(TopicSpec("ispm-monitoring", 2), records=1500)
    assert run("topics", "list").stdout.splitlines()[1].split() == [
        "ispm-monitoring", "2", "3", "3,000", "7", "d", "(604800000", "ms)",
    ]  # fmt: skip
    assert outcomes(run("topics", "list", "--json").stdout)["ispm-monitoring"] == {
        "name": "ispm-monitoring",
        "topic_id": "id-ispm-monitoring",
        "partitions": 2,
        "replication": 3,
        "records": 3000,
    }
    text = run("topics", "describe", "ispm-monitoring").stdout
    assert "ispm-monitoring  3,000 records  id id-ispm-monitoring" in text
    assert ["retention.ms", "7", "d", "(604800000", "ms)"] in [
        line.split() for line in text.splitlines()
    ]
    assert ["1", "0", "10", "1,510", "1,500", "0,", "1,", "2", "0"] in [
        line.split() for line in text.splitlines()
    ]
    plain = outcomes(run("topics", "describe", "ispm-monitoring", "--json").stdout)
    assert plain["ispm-monitoring"]["partitions"][1]["end"] == 1510
    missing = run("topics", "describe", "absent")
    assert missing.exit_code == 1
    assert "topic absent does not exist" in missing.stderr


def test_delete_asks_first(run, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.add(TopicSpec("mine", 2), records=7)
    assert run("topics", "delete", "mine").exit_code == 2  # nobody is there to be asked
    assert run("topics", "delete", "mine", "--json").exit_code == 2
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True)
    kept = run("topics", "delete", "mine", input="n\n")
    assert kept.exit_code == 1
    assert "Delete mine (14 records)?" in kept.stderr
    assert set(cluster.topics) == {"mine"}
    gone = run("topics", "delete", "mine", input="y\n")
    assert gone.exit_code == 0
    assert "deleted mine (14 records)" in gone.stdout
    assert cluster.topics == {}


def test_delete_without_asking(run, cluster: Cluster) -> None:
    cluster.add(TopicSpec("mine", 2))
    result = run("topics", "delete", "mine", "--yes", "--json")
    assert json.loads(result.stdout) == {"deleted": ["mine"]}
    assert cluster.topics == {}
    assert run("topics", "delete", "mine", "--yes").exit_code == 1


def test_a_broker_that_is_away_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    def nobody(config: Mapping[str, Any], timeout_s: float) -> int:
        asked.append((config["bootstrap.servers"], timeout_s))
        raise BrokerUnavailableError("away:9092", "refused", waited_s=timeout_s)

    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", nobody)
    result = run(
        "--set", "kafka.connect_timeout_s=7",
        "topics", "list", "--bootstrap-servers", "away:9092",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "no Kafka broker answers at away:9092 for 7 s" in result.stderr
    assert asked == [("away:9092", 7.0)]
