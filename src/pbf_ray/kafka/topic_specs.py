"""The topics of pbf_ray as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "ALERTS",
    "ALL_TOPICS",
    "DEAD_LETTERS",
    "ISPM_MONITORING",
    "LATE_RECORDS",
    "POWDER_BED_IMAGES",
    "PROCESS_PARAMETERS",
    "TopicSpec",
]

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic should be.

    Attributes:
        name: Topic name.
        partitions: Number of partitions.
        replication: Copies of each partition.
        retention_ms: How long records are kept, milliseconds.
        compression: ``snappy``, ``lz4``, ``zstd``, ``gzip``, ``producer``...
        cleanup_policy: ``delete`` or ``compact``.
        min_insync_replicas: Copies that must have a record before it is acknowledged.
    """

    name: str
    partitions: int
    replication: int = 3
    retention_ms: int = 7 * _DAY_MS
    compression: str = "snappy"
    cleanup_policy: str = "delete"
    min_insync_replicas: int = 2

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's terms."""
        return {
            "retention.ms": str(self.retention_ms),
            "compression.type": self.compression,
            "cleanup.policy": self.cleanup_policy,
            "min.insync.replicas": str(self.min_insync_replicas),
        }

    def clamped(self, brokers: int) -> TopicSpec:
        """The same topic for a cluster of ``brokers`` brokers.

        With fewer copies, fewer must be in sync: one broker may always be away, as with three.
        """
        replication = min(self.replication, brokers)
        if replication == self.replication:
            return self
        in_sync = min(self.min_insync_replicas, max(1, replication - 1))
        return replace(self, replication=replication, min_insync_replicas=in_sync)


# Names and values of the stack that pbf_ray replaces. Its retention by size (1 GiB a partition)
# is left out: it dropped records long before their time.
ISPM_MONITORING = TopicSpec("ispm-monitoring", 12)
POWDER_BED_IMAGES = TopicSpec("powder-bed-images", 8, retention_ms=30 * _DAY_MS, compression="lz4")
PROCESS_PARAMETERS = TopicSpec("process-parameters", 6, retention_ms=14 * _DAY_MS)

# What pbf_ray itself writes: little, and kept long enough for somebody to look at it.
DEAD_LETTERS = TopicSpec("pbf-dead-letters", 3, retention_ms=30 * _DAY_MS)
LATE_RECORDS = TopicSpec("pbf-late-records", 3, retention_ms=30 * _DAY_MS)
ALERTS = TopicSpec("pbf-alerts", 3, retention_ms=30 * _DAY_MS)

ALL_TOPICS: tuple[TopicSpec, ...] = (
    ISPM_MONITORING,
    POWDER_BED_IMAGES,
    PROCESS_PARAMETERS,
    DEAD_LETTERS,
    LATE_RECORDS,
    ALERTS,
)
