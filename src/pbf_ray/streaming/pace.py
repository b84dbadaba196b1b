"""What a pipeline is given: the broker's side, the stores, and how fast and patient to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.plan import PartitionId

__all__ = ["Cluster", "Outputs", "Pace"]


class Cluster(Protocol):
    """What the broker holds (``kafka.ClusterView``)."""

    def partitions(self) -> list[PartitionId]:
        """All partitions of the job's topics, new ones too."""

    def held(self, partitions: list[PartitionId]) -> dict[PartitionId, tuple[int, int]]:
        """First offset and last stable offset of each."""

    def report(self, positions: Mapping[PartitionId, int]) -> None:
        """Tell the consumer group how far the job is; never raises."""


class Outputs(Protocol):
    """Where rows become visible (``storage.JobStores``)."""

    def commit(self, write: EpochCommit) -> bool:
        """Apply an epoch once; False if it had been applied before."""

    def maintain(self) -> None:
        """Compact what needs it."""


@dataclass(frozen=True)
class Pace:
    """How fast, and how patient.

    Attributes:
        epoch_interval_s: Least time between two plans, unless a full epoch waits.
        epoch_max_rows: A lag of so many rows makes the next plan due at once.
        max_in_flight: Epochs under way.
        discover_every_s: How often new partitions, and topics made anew, are looked for.
        broker_patience_s: How long the broker may be away.
        start_patience_s: How long the workers may take to start.
        stop_patience_s: How long a stop waits for an epoch to be read.
        max_restarts: Worker failures without a commit in between.
        store_patience_s: How long a store may be away.
        maintain_every: Epochs between two rounds of maintenance of the stores.
        report_group_every_s: Longest time between two reports to the consumer group.
    """

    epoch_interval_s: float = 0.5
    epoch_max_rows: int = 100_000
    max_in_flight: int = 2
    discover_every_s: float = 1.0
    broker_patience_s: float = 60.0
    start_patience_s: float = 180.0
    stop_patience_s: float = 10.0
    max_restarts: int = 20
    store_patience_s: float = 60.0
    maintain_every: int = 30
    report_group_every_s: float = 600.0
