"""The partitions that one group member owns, and what it may commit of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pbf_ray.kafka.partition_tenure import PartitionTenure

__all__ = ["Assignment"]

_Key = tuple[str, int]


class Assignment:
    """Tenures by (topic, partition). Only for the thread that polls.

    Nothing of a partition that was taken away is ever in ``to_commit``.
    """

    def __init__(self) -> None:
        self._tenures: dict[_Key, PartitionTenure] = {}

    def __len__(self) -> int:
        return len(self._tenures)

    def __iter__(self) -> Iterator[PartitionTenure]:
        return iter(list(self._tenures.values()))

    def begin(self, key: _Key, start: int, committed: int | None) -> PartitionTenure:
        """A partition was assigned.

        Args:
            key: Topic and partition.
            start: Offset from which it is read.
            committed: What the group has committed, None for nothing.
        """
        before = self._tenures.get(key)
        if before is not None:
            before.end()
        tenure = self._tenures[key] = PartitionTenure(*key, start, committed)
        return tenure

    def find(self, key: _Key) -> PartitionTenure | None:
        """The tenure of a partition, None if it is not owned."""
        return self._tenures.get(key)

    def owns(self, tenure: PartitionTenure) -> bool:
        """Whether this very tenure still lasts."""
        return self._tenures.get(tenure.key) is tenure

    def end(self, keys: Iterable[_Key]) -> list[PartitionTenure]:
        """Begin no further record of these partitions; they are still owned.

        Returns:
            Their tenures: those that were owned.
        """
        ending = [self._tenures[key] for key in keys if key in self._tenures]
        for tenure in ending:
            tenure.end()
        return ending

    def forget(self, keys: Iterable[_Key]) -> None:
        """These partitions are somebody else's from now on."""
        for key in keys:
            tenure = self._tenures.pop(key, None)
            if tenure is not None:
                tenure.end()

    def to_commit(self) -> dict[_Key, int]:
        """Offsets by (topic, partition) that are done and not yet committed."""
        return {
            key: offset
            for key, tenure in self._tenures.items()
            if (offset := tenure.to_commit) is not None
        }

    def committed(self, offsets: Mapping[_Key, int]) -> None:
        """The group has committed these; what is no longer owned does not matter."""
        for key, offset in offsets.items():
            tenure = self._tenures.get(key)
            if tenure is not None:
                tenure.commit(offset)
