"""What the processes of a job are told when they start: small, frozen, picklable."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pbf_ray.streaming.kafka_copies import CopyTopics
from pbf_ray.streaming.pace import Pace
from pbf_ray.streaming.planner import PlanLimits
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["StreamSpec"]


@dataclass(frozen=True)
class StreamSpec:
    """A job, as its coordinator and its workers need it.

    Attributes:
        job_id: Name of the job.
        bootstrap_servers: Kafka's addresses.
        client: Further librdkafka settings; may hold secrets, so it is not in the repr.
        topics: Topics to read.
        group_id: Consumer group that progress is reported to.
        checkpoint: Folder of the checkpoint.
        read_ahead_bytes: What a partition may buffer beyond its range.
        keep: Manifests to keep.
        stores: ``storage.JobStores``, prepared.
        semantics: What new epochs decide by.
        limits: Sizes of epochs.
        pace: How fast.
        readers: Number of reader actors.
        windows: Number of window actors.
        buckets: Hash buckets.
        reader_cpus: CPU share that Ray reserves for a reader.
        window_cpus: CPU share that Ray reserves for a window actor.
        coordinator_resource: Custom resource of the node that the coordinator goes to.
        copies: Where copies of dead letters and late records go.
        report_every_s: Seconds between two lines in the log.
        metrics_file: For the textfile collector of node_exporter.
        metrics_port: Of the metrics on 127.0.0.1.
        driver: Process id and machine of the program that the job belongs to.
        log_level: Level of the workers' logs.
        log_json: Whether they are JSON lines.
    """

    job_id: str
    bootstrap_servers: str
    topics: tuple[str, ...]
    group_id: str
    checkpoint: Path
    stores: Any
    semantics: StreamSemantics
    limits: PlanLimits
    pace: Pace
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_ahead_bytes: int = 16 << 20
    keep: int = 5
    readers: int = 2
    windows: int = 2
    buckets: int = 64
    reader_cpus: float = 0.5
    window_cpus: float = 0.5
    coordinator_resource: str = "pbf_head"
    copies: CopyTopics = field(default_factory=CopyTopics)
    report_every_s: float = 30.0
    metrics_file: Path | None = None
    metrics_port: int | None = None
    driver: tuple[int, str] = field(default_factory=lambda: (os.getpid(), socket.gethostname()))
    log_level: str = "WARNING"
    log_json: bool = False
