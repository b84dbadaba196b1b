"""Raw bytes of single records by their place: what a table of decoded rows does not keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.partition_reader import ReadBatch

__all__ = ["Place", "RangeReader", "read_records"]

Place = tuple[str, int, int]
"""Topic, partition, offset."""

_NEAR = 500
"""Records so near to each other are read in one go."""


class RangeReader(Protocol):
    """Reads exact ranges (``PartitionReader``)."""

    def read(
        self, ranges: Mapping[tuple[str, int], tuple[int, int]], *, timeout_s: float
    ) -> ReadBatch:
        """All records of the ranges."""


def read_records(
    reader: RangeReader, places: Iterable[Place], *, timeout_s: float = 20.0
) -> dict[Place, tuple[bytes | None, bytes | None]]:
    """Key and value of records; those that the broker no longer has are left out.

    Args:
        reader: Reads ranges.
        places: Which records.
        timeout_s: Longest time without any progress, seconds.

    Raises:
        BrokerUnavailableError: If nobody answers.
    """
    wanted = sorted(set(places))
    found: dict[Place, tuple[bytes | None, bytes | None]] = {}
    for topic, partition, first, last in _clusters(wanted):
        try:
            batch = reader.read({(topic, partition): (first, last + 1)}, timeout_s=timeout_s)
        except BrokerError as error:
            if error.transient:
                raise
            continue  # retention took it, or the topic is gone: the row is all there is
        found.update(
            ((topic, partition, int(offset)), (key, value))
            for offset, key, value in zip(batch.offset, batch.key, batch.value, strict=True)
        )
    return {place: found[place] for place in wanted if place in found}


def _clusters(places: list[Place]) -> Iterable[tuple[str, int, int, int]]:
    """Runs of places of one partition that lie near each other: first and last offset."""
    run: list[Place] = []
    for place in places:
        if run and (place[:2] != run[0][:2] or place[2] - run[-1][2] > _NEAR):
            yield (*run[0], run[-1][2])
            run = []
        run.append(place)
    if run:
        yield (*run[0], run[-1][2])
