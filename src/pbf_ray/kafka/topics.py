"""Making topics, and looking at them; what they should be is in ``topic_specs``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ConfigResource,
    NewTopic,
    ResourceType,
)

from pbf_ray.errors import BrokerError, BrokerUnavailableError, TopicMissingError
from pbf_ray.kafka.admin import EARLIEST, LATEST, AdminConnection, uuid_text
from pbf_ray.kafka.client import kafka_error, translate_error
from pbf_ray.kafka.topic_specs import (
    ALERTS,
    ALL_TOPICS,
    DEAD_LETTERS,
    ISPM_MONITORING,
    LATE_RECORDS,
    POWDER_BED_IMAGES,
    PROCESS_PARAMETERS,
    TopicSpec,
)

__all__ = [
    "ALERTS",
    "ALL_TOPICS",
    "DEAD_LETTERS",
    "ISPM_MONITORING",
    "LATE_RECORDS",
    "POWDER_BED_IMAGES",
    "PROCESS_PARAMETERS",
    "Difference",
    "PartitionState",
    "TopicOutcome",
    "TopicSpec",
    "TopicState",
    "create_topics",
    "delete_topics",
    "describe_topics",
    "list_topics",
]


@dataclass(frozen=True, slots=True)
class Difference:
    """One respect in which an existing topic is not as specified.

    Attributes:
        what: ``partitions``, ``replication`` or the name of a topic setting.
        wanted: The specified value.
        found: The cluster's value.
    """

    what: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What ``create_topics`` did about one topic.

    Attributes:
        name: Topic name.
        created: False if it was there already.
        replication: Copies of each partition that it has.
        clamped: Whether that is less than specified because the cluster is small.
        differences: How an existing topic differs from its specification; it was not changed.
    """

    name: str
    created: bool
    replication: int
    clamped: bool
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition as the cluster has it.

    Attributes:
        number: Partition number.
        leader: Node id of the leader, -1 while there is none.
        replicas: Node ids of all copies.
        in_sync: Node ids of the copies that are in sync.
        first: First offset that is kept.
        end: Next offset that a read_committed reader will get to.
    """

    number: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as the cluster has it.

    Attributes:
        name: Topic name.
        topic_id: Kafka's UUID of the topic as text, empty where the broker tells none.
        partitions: Ascending by number.
        config: All settings of the topic, in Kafka's terms.
    """

    name: str
    topic_id: str
    partitions: tuple[PartitionState, ...]
    config: Mapping[str, str]

    @property
    def replication(self) -> int:
        """Copies of each partition; the fewest, should they differ."""
        return min((len(partition.replicas) for partition in self.partitions), default=0)


def create_topics(
    config: Mapping[str, Any],
    specs: Sequence[TopicSpec],
    *,
    clamp_replication: bool = False,
    timeout_s: float = 30.0,
) -> list[TopicOutcome]:
    """Make the topics that are missing; look at the others without changing them.

    Args:
        config: From ``client_config``.
        specs: The topics.
        clamp_replication: Lower the replication to the number of brokers, for small clusters.
        timeout_s: Longest wait for one answer, seconds.

    Returns:
        One outcome per spec, in order. All topics can be used when this returns.

    Raises:
        BrokerError: If the cluster has too few brokers and ``clamp_replication`` is off (nothing
            is made then), or the cluster refuses a topic.
        BrokerUnavailableError: If nobody answers.
        AccessDeniedError: If the cluster denies it.
    """
    admin = AdminConnection(config, timeout_s=timeout_s, name="topics")
    brokers = admin.steadily(lambda: _brokers(admin))
    there = admin.steadily(lambda: _existing(admin, [spec.name for spec in specs]))
    fitted = {spec.name: spec.clamped(brokers) if clamp_replication else spec for spec in specs}
    missing = [fitted[spec.name] for spec in specs if spec.name not in there]
    wide = [spec for spec in missing if spec.replication > brokers]
    if wide:
        raise BrokerError(
            f"{admin.address} has {brokers} broker{'s' * (brokers != 1)}, too few for "
            + ", ".join(f"{spec.name} (replication {spec.replication})" for spec in wide),
            advice="start more brokers, or clamp the replication to what is there",
            address=admin.address,
            brokers=brokers,
            topics=[spec.name for spec in wide],
        )
    made = _make(admin, missing)
    _await_topics(admin, made, present=True)
    found = admin.steadily(lambda: _known_states(admin, [spec.name for spec in specs]))
    states = {state.name: state for state in found}
    return [
        TopicOutcome(
            name=spec.name,
            created=spec.name in made,
            replication=states[spec.name].replication,
            clamped=fitted[spec.name].replication < spec.replication,
            differences=()
            if spec.name in made
            else _differences(fitted[spec.name], states[spec.name]),
        )
        for spec in specs
    ]


def list_topics(config: Mapping[str, Any], *, timeout_s: float = 30.0) -> list[str]:
    """Names of all topics but Kafka's own, sorted.

    Raises:
        BrokerUnavailableError: If nobody answers.
    """
    admin = AdminConnection(config, timeout_s=timeout_s, name="topics")
    try:
        topics = admin.client.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise translate_error(error, address=admin.address, waited_s=timeout_s) from error
    return sorted(name for name in topics if not name.startswith("__"))


def describe_topics(
    config: Mapping[str, Any], names: Sequence[str], *, timeout_s: float = 30.0
) -> list[TopicState]:
    """Describe topics: partitions, copies, offsets, settings.

    Raises:
        TopicMissingError: If a topic does not exist.
        BrokerUnavailableError: If nobody answers.
        AccessDeniedError: If the cluster denies it.
    """
    admin = AdminConnection(config, timeout_s=timeout_s, name="topics")
    return admin.steadily(lambda: _states(admin, names))


def delete_topics(
    config: Mapping[str, Any], names: Sequence[str], *, timeout_s: float = 30.0
) -> None:
    """Delete topics with all their records, and wait until they are gone.

    Raises:
        TopicMissingError: If a topic does not exist; the others are deleted.
        BrokerUnavailableError: If nobody answers.
        AccessDeniedError: If the cluster denies it.
    """
    if not names:
        return
    admin = AdminConnection(config, timeout_s=timeout_s, name="topics")
    answers = admin.client.delete_topics(list(names), request_timeout=timeout_s)
    problems: list[BrokerError] = []
    for name in names:
        try:
            admin.answer(answers[name], topic=name)
        except BrokerError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    _await_topics(admin, names, present=False)


def _brokers(admin: AdminConnection) -> int:
    """How many brokers are up."""
    cluster = admin.client.describe_cluster(request_timeout=admin.attempt_s)
    return len(admin.answer(cluster, resource="the list of brokers").nodes)


def _existing(admin: AdminConnection, names: Sequence[str]) -> set[str]:
    """Which of the topics exist."""
    there = set()
    for name, answer in admin.describe_topics(names).items():
        try:
            admin.answer(answer, topic=name)
        except TopicMissingError:
            continue
        there.add(name)
    return there


def _make(admin: AdminConnection, specs: Sequence[TopicSpec]) -> list[str]:
    """Make topics; the names of those that nobody else made meanwhile."""
    if not specs:
        return []
    answers = admin.client.create_topics(
        [NewTopic(s.name, s.partitions, s.replication, config=s.config) for s in specs],
        request_timeout=admin.timeout_s,
    )
    made = []
    for spec in specs:
        try:
            answers[spec.name].result(admin.timeout_s + 5.0)
        except KafkaException as error:
            if kafka_error(error).code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise translate_error(error, address=admin.address, topic=spec.name) from error
        made.append(spec.name)
    return made


def _await_topics(admin: AdminConnection, names: Sequence[str], *, present: bool) -> None:
    """Wait until the brokers' metadata has, or has no longer, the topics."""
    deadline = time.monotonic() + admin.timeout_s
    while True:
        there = _existing(admin, names)
        if there == (set(names) if present else set()):
            return
        if time.monotonic() > deadline:
            state = "not visible yet" if present else "still there"
            raise BrokerError(
                f"{admin.address}: topics {sorted(set(names) ^ there if present else there)} are "
                f"{state} after {admin.timeout_s:.0f} s",
                address=admin.address,
            )
        time.sleep(0.05)


def _states(admin: AdminConnection, names: Sequence[str]) -> list[TopicState]:
    if not names:
        return []
    answers = admin.describe_topics(names)
    told = {name: admin.answer(answers[name], topic=name) for name in names}
    places = [(name, part.id) for name in names for part in told[name].partitions]
    resources = {name: ConfigResource(ResourceType.TOPIC, name) for name in names}
    settings = admin.client.describe_configs(
        list(resources.values()), request_timeout=admin.attempt_s
    )
    firsts, ends = admin.offsets(places, EARLIEST, LATEST)
    return [
        TopicState(
            name=name,
            topic_id=uuid_text(told[name].topic_id),
            partitions=tuple(
                PartitionState(
                    number=part.id,
                    leader=-1 if part.leader is None else part.leader.id,
                    replicas=tuple(node.id for node in part.replicas),
                    in_sync=tuple(node.id for node in part.isr),
                    first=firsts[name, part.id],
                    end=ends[name, part.id],
                )
                for part in sorted(told[name].partitions, key=lambda part: part.id)
            ),
            config=MappingProxyType(
                {
                    key: "" if entry.value is None else str(entry.value)
                    for key, entry in admin.answer(settings[resources[name]], topic=name).items()
                }
            ),
        )
        for name in names
    ]


def _known_states(admin: AdminConnection, names: Sequence[str]) -> list[TopicState]:
    """The states of topics that exist: a broker that does not know one will in a moment."""
    try:
        return _states(admin, names)
    except TopicMissingError as error:
        problem = f"a broker does not know the new topic {error.topic} yet"
        raise BrokerUnavailableError(admin.address, problem) from error


def _differences(spec: TopicSpec, state: TopicState) -> tuple[Difference, ...]:
    wanted = {
        "partitions": str(spec.partitions),
        "replication": str(spec.replication),
        **spec.config,
    }
    found = {
        **state.config,
        "partitions": str(len(state.partitions)),
        "replication": str(state.replication),
    }
    return tuple(
        Difference(what, value, found.get(what, ""))
        for what, value in wanted.items()
        if found.get(what, "") != value
    )
