"""The reader as a Ray actor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import ray

from pbf_ray.engine.spec import StreamSpec
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.kernels.loading import STREAM_KERNELS, load_kernels
from pbf_ray.logs import configure_logs
from pbf_ray.streaming.crew import ReaderWork
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.rows import RowStamp

__all__ = ["Reader", "ReaderActor"]


class Reader:
    """Owns partitions: reads exact ranges of them, decodes, judges and routes the records."""

    def __init__(self, spec: StreamSpec, reader: int) -> None:
        load_kernels(STREAM_KERNELS)
        configure_logs(spec.log_json, spec.log_level, job=spec.job_id, worker=f"reader-{reader}")
        self._work = ReaderWork(
            PartitionReader(
                spec.bootstrap_servers, spec.client, max_ahead_bytes=spec.read_ahead_bytes
            ),
            spec.stores,
            reader=reader,
            buckets=spec.buckets,
            windows=spec.windows,
            store_patience_s=spec.pace.store_patience_s,
        )

    def read(
        self, plan: EpochPlan, ranges: Mapping[PartitionId, OffsetRange], stamp: RowStamp
    ) -> tuple[Any, ...]:
        """The report, then the routed rows for each window actor (one return value each)."""
        report, tables = self._work.read(plan, ranges, stamp)
        return report, *tables

    def pid(self) -> int:
        """Process id, for operators and for tests that kill."""
        return os.getpid()


ReaderActor: Any = ray.remote(max_restarts=0, max_task_retries=0)(Reader)
