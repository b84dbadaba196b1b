"""What the cluster holds: topic ids, partitions, offset ranges, and the group's progress report.

The coordinator of a stream asks this every epoch, so each question is one batched request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pbf_ray.errors import BrokerError, BrokerUnavailableError
from pbf_ray.kafka.admin import EARLIEST, LATEST, AdminConnection, at_time, uuid_text
from pbf_ray.kafka.client import NO_SETTINGS, client_config
from pbf_ray.kafka.group_progress import GroupCommitter, GroupProgress
from pbf_ray.kafka.standstill import why_standing_still

__all__ = ["ClusterDescription", "ClusterView", "TopicPartitions"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TopicPartitions:
    """One topic as the cluster has it now.

    Attributes:
        name: Topic name.
        topic_id: Kafka's UUID of the topic as text, empty where the broker tells none. A topic
            that is deleted and made anew has another one.
        partitions: Partition numbers, ascending.
        source_id: Identity of the topic across restarts: ``cluster:topic id``, or
            ``cluster:name`` where there is no id.
    """

    name: str
    topic_id: str
    partitions: tuple[int, ...]
    source_id: str


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """The configured topics of one cluster.

    Attributes:
        cluster_id: Kafka's cluster id, empty where the broker tells none.
        topics: Topics by name.
    """

    cluster_id: str
    topics: Mapping[str, TopicPartitions]

    @property
    def partitions(self) -> tuple[tuple[str, int], ...]:
        """All (topic, partition), sorted."""
        return tuple(
            (name, partition)
            for name in sorted(self.topics)
            for partition in self.topics[name].partitions
        )


class ClusterView:
    """Asks a cluster about a fixed list of topics.

    Thread-safe. Holds connections; they close with the object.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        topics: Names of the topics to look at.
        client: Further librdkafka settings (security).
        timeout_s: Longest wait for one answer, seconds.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        client: Mapping[str, str] = NO_SETTINGS,
        *,
        timeout_s: float = 30.0,
    ) -> None:
        self._topics = tuple(dict.fromkeys(topics))
        self._address = bootstrap_servers
        config = client_config(bootstrap_servers, client)
        self._admin = AdminConnection(config, timeout_s=timeout_s, name="cluster view")
        self._progress = GroupProgress(
            GroupCommitter(config, timeout_s=timeout_s), bootstrap_servers
        )

    def describe(self, *, patience_s: float | None = None) -> ClusterDescription:
        """Describe the topics as they are now; new partitions are in it.

        Args:
            patience_s: How long to ask again while nobody answers, seconds; None is the time-out.

        Raises:
            TopicMissingError: If a topic does not exist.
            BrokerUnavailableError: If nobody answers within the time-out.
            AccessDeniedError: If the broker denies it.
        """
        return self._steadily(self._described, patience_s)

    def _steadily(self, question: Callable[[], _T], patience_s: float | None = None) -> _T:
        """Ask again for a while; then let the cluster say what is wrong with it, if it can."""
        try:
            return self._admin.steadily(question, patience_s=patience_s)
        except BrokerUnavailableError as error:
            why = why_standing_still(self._admin.client, self._topics)
            if not why:
                raise
            raise BrokerUnavailableError(self._address, why, waited_s=error.waited_s) from error

    def _described(self) -> ClusterDescription:
        admin = self._admin
        cluster = admin.client.describe_cluster(request_timeout=admin.attempt_s)
        answers = admin.describe_topics(self._topics)
        cluster_id = admin.answer(cluster, resource="the cluster's id").cluster_id or ""
        topics: dict[str, TopicPartitions] = {}
        for name in self._topics:
            told = admin.answer(answers[name], topic=name)
            topic_id = uuid_text(told.topic_id)
            topics[name] = TopicPartitions(
                name=name,
                topic_id=topic_id,
                partitions=tuple(sorted(partition.id for partition in told.partitions)),
                source_id=f"{cluster_id}:{topic_id or name}",
            )
        return ClusterDescription(cluster_id=cluster_id, topics=MappingProxyType(topics))

    def ends(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The end of each partition: the last stable offset, exclusive end of what is readable.

        Records of transactions that are still open, and all after them, lie beyond it.

        Raises:
            TopicMissingError: If a topic does not exist.
            BrokerError: If a topic has no such partition.
            BrokerUnavailableError: If nobody answers within the time-out.
            AccessDeniedError: If the broker denies it.
        """
        wanted = list(partitions)
        return self._steadily(lambda: self._admin.offsets(wanted, LATEST))[0]

    def ranges(
        self, partitions: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """First and end (exclusive, see ``ends``) of the readable offsets of each partition.

        Raises:
            TopicMissingError: If a topic does not exist.
            BrokerError: If a topic has no such partition.
            BrokerUnavailableError: If nobody answers within the time-out.
            AccessDeniedError: If the broker denies it.
        """
        wanted = list(partitions)
        firsts, ends = self._steadily(lambda: self._admin.offsets(wanted, EARLIEST, LATEST))
        # Retention may have moved the beginning between the two answers.
        return {key: (firsts[key], max(firsts[key], ends[key])) for key in wanted}

    def at_time(
        self, partitions: Iterable[tuple[str, int]], timestamp_ms: int
    ) -> dict[tuple[str, int], int]:
        """First offset of each partition whose Kafka timestamp is not older; else its end.

        Args:
            partitions: Topic and partition of each.
            timestamp_ms: Milliseconds since 1970 UTC.

        Raises:
            TopicMissingError: If a topic does not exist.
            BrokerError: If a topic has no such partition.
            BrokerUnavailableError: If nobody answers within the time-out.
            AccessDeniedError: If the broker denies it.
        """
        wanted = list(partitions)
        spec = at_time(timestamp_ms)
        found, ends = self._steadily(lambda: self._admin.offsets(wanted, spec, LATEST))
        return {key: ends[key] if found[key] < 0 else found[key] for key in wanted}

    def commit_group(
        self, group_id: str, offsets: Mapping[tuple[str, int], int]
    ) -> Future[BrokerError | None]:
        """Report progress as committed offsets of a consumer group, for lag tools.

        Returns at once. One report per group is under way; a newer one waits for it, and takes
        the place of one that waits already. The truth is the checkpoint: a failure is logged.

        Args:
            group_id: Consumer group; it must have no members.
            offsets: Next offset to read, by (topic, partition).

        Returns:
            A future of the outcome: None, or why the broker refused.
        """
        return self._progress.report(group_id, offsets)
