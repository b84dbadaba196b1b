"""Kafka without Kafka: partitions in memory, and a whole stream in this thread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.kafka.partition_reader import ReadBatch
from pbf_ray.storage.base import EpochCommit, StagedRows
from pbf_ray.storage.layout import JobStores, embedded_stores
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.copies import Copies
from pbf_ray.streaming.crew import ReaderWork, WindowWork
from pbf_ray.streaming.inline_crew import InlineCrew
from pbf_ray.streaming.ledger import Ledger
from pbf_ray.streaming.manifest import JobIdentity
from pbf_ray.streaming.pace import Pace
from pbf_ray.streaming.pipeline import Pipeline
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.planner import PlanLimits
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.status import RunFacts, take_status, write_status
from pbf_ray.streaming.window import WindowOperator
from support.oracle import Raw

SOURCES = {"ispm": "cluster:ispm"}


class MemoryTopics:
    """Partitions in memory; offsets may have gaps, as transactions and compaction leave them."""

    def __init__(self, partitions: int = 1, topic: str = "ispm") -> None:
        self.topic = topic
        self.records: dict[PartitionId, list[Raw]] = {
            PartitionId(topic, number): [] for number in range(partitions)
        }
        self.ends: dict[PartitionId, int] = dict.fromkeys(self.records, 0)
        self.first: dict[PartitionId, int] = dict.fromkeys(self.records, 0)
        self.reported: dict[PartitionId, int] = {}
        self.replay_of: dict[tuple[PartitionId, int], str] = {}

    def add_partition(self) -> PartitionId:
        where = PartitionId(self.topic, len(self.records))
        self.records[where], self.ends[where], self.first[where] = [], 0, 0
        return where

    def send(
        self,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        gap: int = 0,
        replay_of: str | None = None,
    ) -> Raw:
        """Append a record, ``gap`` offsets behind the last."""
        where = PartitionId(self.topic, partition)
        offset = self.ends[where] + gap
        raw = Raw(self.topic, partition, offset, key, value, 1_700_000_000_000 + offset)
        self.records[where].append(raw)
        self.ends[where] = offset + 1
        if replay_of is not None:
            self.replay_of[where, offset] = replay_of
        return raw

    @property
    def all(self) -> list[Raw]:
        return [raw for records in self.records.values() for raw in records]

    # What the pipeline asks for.

    def partitions(self) -> list[PartitionId]:
        return sorted(self.records)

    def held(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, tuple[int, int]]:
        return {where: (self.first[where], self.ends[where]) for where in partitions}

    def report(self, positions: Mapping[PartitionId, int]) -> None:
        self.reported = dict(positions)

    # What a reader asks for.

    def read(
        self, ranges: Mapping[tuple[str, int], tuple[int, int]], *, timeout_s: float
    ) -> ReadBatch:
        raws = [
            raw
            for where, (start, stop) in sorted(ranges.items())
            for raw in self.records[PartitionId(*where)]
            if start <= raw.offset < stop
        ]
        return ReadBatch(
            topics=(self.topic,),
            topic=np.zeros(len(raws), np.int32),
            partition=np.array([raw.partition for raw in raws], np.int32),
            offset=np.array([raw.offset for raw in raws], np.int64),
            timestamp_ms=np.array([raw.timestamp_ms for raw in raws], np.int64),
            key=[raw.key for raw in raws],
            value=[raw.value for raw in raws],
            replay_of={
                index: self.replay_of[where, raw.offset]
                for index, raw in enumerate(raws)
                if ((where := PartitionId(self.topic, raw.partition)), raw.offset) in self.replay_of
            },
        )


class MemoryStores:
    """Tables in memory, idempotent by epoch, with upserts; stages rows inline."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OUTPUT_TABLES}
        self.applied = 0
        self.claimed = 0

    def claim(self, job_id: str, incarnation: int) -> None:
        self.claimed = incarnation

    def applied_epochs(self, job_id: str) -> dict[str, int | None]:
        return {"memory": self.applied or None}

    def clear(self, job_id: str, incarnation: int) -> None:
        assert incarnation == self.claimed
        for rows in self.rows.values():
            rows.clear()

    def read(self, name: str, *, job_id: str | None = None, columns: Any = None) -> pa.Table:
        table = self.table(name)
        return table if columns is None else table.select(columns)

    def stage(
        self, contract: Any, table: pa.Table, *, job_id: str, epoch: int, part: str
    ) -> tuple[StagedRows, ...]:
        assert table.schema.equals(contract.schema, check_metadata=True), contract.name
        return (StagedRows(contract.name, table.num_rows, table, "memory"),)

    def commit(self, write: EpochCommit) -> bool:
        if write.epoch <= self.applied:
            return False
        for staged in write.rows:
            contract = OUTPUT_TABLES[staged.table]
            for row in staged.inline().to_pylist():
                key = row[contract.key]
                assert contract.changes == "upsert" or key not in self.rows[staged.table], key
                self.rows[staged.table][key] = row
        self.applied = write.epoch
        return True

    def maintain(self) -> None:
        """Nothing to compact."""

    def table(self, name: str) -> pa.Table:
        return pa.Table.from_pylist(
            list(self.rows[name].values()), schema=OUTPUT_TABLES[name].schema
        )


class Clock:
    """Processing time that a test moves."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> int:
        return int(self.now_s * 1e6)


def stream(
    topics: MemoryTopics,
    stores: MemoryStores | JobStores,
    path: Path,
    *,
    semantics: StreamSemantics,
    windows: int = 2,
    readers: int = 2,
    epoch_max_rows: int = 100_000,
    clock: Callable[[], int] | None = None,
    buckets: int = 16,
    limits: dict[str, Any] | None = None,
    pace: dict[str, Any] | None = None,
    copies: Callable[[CheckpointLog], Copies] | None = None,
) -> Pipeline:
    """A pipeline over topics in memory; ``run()`` it, or step it by hand."""
    folder = CheckpointFolder(path)
    log = CheckpointLog(folder)
    ledger = Ledger(
        log,
        JobIdentity("job", buckets, semantics.mode, SOURCES),
        PlanLimits(epoch_max_rows=epoch_max_rows, **(limits or {})),
    )
    crew = InlineCrew(
        [
            ReaderWork(topics, stores, reader=number, buckets=buckets, windows=windows)
            for number in range(readers)
        ],
        [
            WindowWork(
                WindowOperator(folder, buckets=buckets, workers=windows, worker=number),
                stores,
                worker=number,
            )
            for number in range(windows)
        ],
    )
    return Pipeline(
        ledger,
        crew,
        topics,
        stores,
        semantics=copy.copy(semantics),
        pace=Pace(
            **{
                "epoch_interval_s": 0.0,
                "epoch_max_rows": epoch_max_rows,
                "discover_every_s": 0.0,
                **(pace or {}),
            }
        ),
        copies=copies(log) if copies is not None else None,
        clock_us=clock or Clock(),
    )


class Steps:
    """Runs a pipeline by hand, as far as there is something to do.

    Args:
        pipeline: From ``stream``.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        pipeline._restore()

    def settle(self) -> None:
        """Take turns until two in a row change nothing."""
        still = 0
        while still < 3:
            before = self.pipeline.progress().epoch
            outcome = self.pipeline._turn()
            idle = not self.pipeline._flights and self.pipeline.progress().epoch == before
            still = still + 1 if idle or outcome else 0


def job_on_disk(data_dir: Path, topics: MemoryTopics, semantics: StreamSemantics) -> Settings:
    """Run a job ``job`` over topics in memory, with the real stores and a status; its settings."""
    settings = Settings(job={"name": "job", "data_dir": data_dir})
    stores = embedded_stores(settings.stores_root)
    stores.prepare()
    pipeline = stream(topics, stores, settings.checkpoint_path, semantics=semantics)
    stores.claim("job", pipeline._ledger.run)
    if semantics.bounded:
        pipeline.run()
    else:
        Steps(pipeline).settle()
        pipeline._vitals.say("stopped")
    write_status(settings.checkpoint_path, take_status(pipeline._vitals, RunFacts()))
    stores.close()
    return settings
