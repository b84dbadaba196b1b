"""The topics of a job, as the pipeline asks for them."""

from __future__ import annotations

from collections.abc import Mapping

from pbf_ray.errors import TopicRecreatedError
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.streaming.plan import PartitionId

__all__ = ["JobTopics", "source_ids"]


def source_ids(view: ClusterView, *, patience_s: float | None = None) -> dict[str, str]:
    """Source id per topic, as the broker tells them now; asked for ``patience_s`` at most."""
    topics = view.describe(patience_s=patience_s).topics
    return {name: topics[name].source_id for name in sorted(topics)}


class JobTopics:
    """Partitions and offsets of the job's topics; refuses a topic that was made anew.

    Args:
        view: The cluster.
        sources: Source id per topic, from the checkpoint.
        group_id: Consumer group that progress is reported to.
    """

    def __init__(self, view: ClusterView, sources: Mapping[str, str], group_id: str) -> None:
        self._view = view
        self._sources = dict(sources)
        self._group_id = group_id
        self._ends: dict[PartitionId, int] = {}

    def partitions(self) -> list[PartitionId]:
        """All partitions, new ones too.

        Raises:
            TopicRecreatedError: If a topic is not the one of the checkpoint.
        """
        found = self._view.describe()
        for name, topic in found.topics.items():
            if topic.source_id != self._sources[name]:
                raise TopicRecreatedError(name, expected=self._sources[name], found=topic.source_id)
        return [PartitionId(*pair) for pair in found.partitions]

    def held(self, partitions: list[PartitionId]) -> dict[PartitionId, tuple[int, int]]:
        """First offset and last stable offset of each partition.

        Raises:
            TopicRecreatedError: If a topic has become shorter, because it is another one.
        """
        ranges = self._view.ranges(partitions)
        held = {PartitionId(*pair): offsets for pair, offsets in ranges.items()}
        ends = {where: end for where, (_, end) in held.items()}
        if any(end < self._ends.get(where, 0) for where, end in ends.items()):
            self.partitions()
        self._ends = ends
        return held

    def report(self, positions: Mapping[PartitionId, int]) -> None:
        """Report progress to the consumer group; failures are logged by the view."""
        self._view.commit_group(self._group_id, dict(positions.items()))
