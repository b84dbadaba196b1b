"""The copies of a job, connected to Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbf_ray.errors import TopicMissingError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.confirmed import ConfirmedSender
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.kafka.raw_records import Place, read_records
from pbf_ray.kafka.topics import list_topics
from pbf_ray.logs import get_logger
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.copies import Copies, CopyPublisher

__all__ = ["CopyTopics", "RawRecordsOnKafka", "kafka_copies"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class CopyTopics:
    """Where copies go.

    Attributes:
        topics: Topic per table.
        required: Whether a missing topic stops the start.
    """

    topics: Mapping[str, str] = field(default_factory=dict)
    required: bool = False


class RawRecordsOnKafka:
    """Looks raw records up by their place; the connection is made on first use.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings.
    """

    def __init__(self, bootstrap_servers: str, client: Mapping[str, str]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client = client
        self._reader: PartitionReader | None = None

    def __call__(self, places: list[Place]) -> dict[Place, tuple[bytes | None, bytes | None]]:
        """Key and value by place; records that the broker no longer has are left out."""
        if self._reader is None:
            self._reader = PartitionReader(self._bootstrap_servers, self._client, max_ahead_bytes=0)
        return read_records(self._reader, places)

    def close(self) -> None:
        """Give the connection back."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def kafka_copies(
    log: CheckpointLog,
    job_id: str,
    wanted: CopyTopics,
    tables: Any,
    bootstrap_servers: str,
    client: Mapping[str, str],
) -> Copies:
    """Publishers for the tables that have a topic.

    Args:
        log: The checkpoint.
        job_id: The job.
        wanted: Which copies.
        tables: ``storage.JobStores``.
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings.

    Raises:
        TopicMissingError: If a topic is required and missing.
    """
    if not wanted.topics:
        return Copies()
    there = set(list_topics(client_config(bootstrap_servers, client)))
    for table, topic in wanted.topics.items():
        if topic in there:
            continue
        if wanted.required:
            raise TopicMissingError(topic, bootstrap_servers)
        _log.warning(
            "copies wait: their topic does not exist; make it with pbf-ray topics create, or set "
            "kafka.copies = off",
            table=table,
            topic=topic,
        )
    raw = RawRecordsOnKafka(bootstrap_servers, client)
    return Copies(
        [
            CopyPublisher(
                log,
                job_id,
                table,
                topic,
                tables=tables,
                sender=lambda: ConfirmedSender(bootstrap_servers, client, timeout_s=10.0),
                raw=raw,
            )
            for table, topic in wanted.topics.items()
        ]
    )
