"""Why a topic stands still: brokers that are away, partitions without a leader, too few copies.

A client that waits is told little: librdkafka repeats what can be repeated without a word. What
the cluster says of itself then explains the wait to the people who have to do something.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

__all__ = ["why_standing_still"]

_MOST_BROKERS: Final = 10
_CONNECT_S: Final = 1.0


def why_standing_still(
    admin: AdminClient, topics: Sequence[str], *, reading: bool = False, timeout_s: float = 3.0
) -> str:
    """Ask the cluster what keeps topics from being read or written.

    Args:
        admin: The client to ask with.
        topics: The topics.
        reading: Look only at what reading needs: leaders that answer, and nobody else.
        timeout_s: Longest wait for each answer, seconds.

    Returns:
        Brokers that do not answer, partitions without a leader, and partitions that have fewer
        copies in sync than a record needs before it is acknowledged; empty if nothing of that is
        the case, or nobody can tell.
    """
    try:
        cluster = admin.list_topics(timeout=timeout_s)
    except KafkaException:
        return ""
    missing: set[int] = set()
    leaders: set[int] = set()
    leaderless, short = [], []
    for name in topics:
        topic = cluster.topics.get(name)
        if topic is None or topic.error is not None:
            continue
        needed = 0 if reading else _copies_needed(admin, name, timeout_s)
        for number, partition in sorted(topic.partitions.items()):
            missing |= set(partition.replicas) - cluster.brokers.keys()
            leaders.add(partition.leader)
            if partition.leader not in cluster.brokers:
                leaderless.append(f"{name}/{number}")
            elif len(partition.isrs) < needed:
                held = f"{len(partition.isrs)} of the {needed} copies it needs in sync"
                short.append(f"{name}/{number} has {held}")
    concerned = leaders & cluster.brokers.keys() if reading else cluster.brokers.keys()
    said = [
        f"broker {broker.id} ({broker.host}:{broker.port}) does not answer"
        for broker in (cluster.brokers[number] for number in sorted(concerned)[:_MOST_BROKERS])
        if not _answers(broker.host, broker.port)
    ]
    if missing and not reading:
        numbers = ", ".join(str(number) for number in sorted(missing))
        said.append(f"the cluster misses broker {numbers}")
    if leaderless:
        said.append(f"{_some(leaderless)} without a leader")
    if short:
        said.append(f"not enough replicas: {_some(short)}")
    return "; ".join(said)


def _answers(host: str | None, port: int | None) -> bool:
    try:
        socket.create_connection((host or "", port or 0), _CONNECT_S).close()
    except OSError:
        return False
    return True


def _copies_needed(admin: AdminClient, topic: str, timeout_s: float) -> int:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    with contextlib.suppress(KafkaException, KeyError, ValueError):
        answer: Any = admin.describe_configs([resource], request_timeout=timeout_s)[resource]
        return int(answer.result(timeout_s + 5.0)["min.insync.replicas"].value)
    return 1


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    return ", ".join(places[:2]) + more
