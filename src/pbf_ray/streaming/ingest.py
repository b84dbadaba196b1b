"""From raw records to decoded, judged, routed rows: what a reader does with its ranges.

A pure function of the records and the plan: no state, no clock. Bad records become dead letters,
never exceptions (but for mode ``fail``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import DEAD_LETTERS, RECORD_SCHEMA
from pbf_ray.decode import DecodeResult, from_json
from pbf_ray.errors import MalformedRecordError
from pbf_ray.kafka.partition_reader import RawBytes, ReadBatch
from pbf_ray.kernels.grouping import bucket_of, group_rows
from pbf_ray.monitoring.columns import column_values
from pbf_ray.monitoring.judge import judge, name_anomalies
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.event_time import ReadSummary
from pbf_ray.streaming.plan import EpochPlan, PartitionId
from pbf_ray.streaming.rows import (
    ROUTED_SCHEMA,
    RowStamp,
    in_contract,
    is_own_key,
)

__all__ = [
    "EVENT_TIME_OUT_OF_RANGE",
    "NO_EVENT_TIME",
    "Ingested",
    "ingest",
    "ingest_decoded",
    "split_rows",
]

NO_EVENT_TIME: Final = "no_event_time"
EVENT_TIME_OUT_OF_RANGE: Final = "event_time_out_of_range"
UNSTORABLE: Final = "unstorable"


@dataclass(frozen=True)
class Ingested:
    """What became of a batch of records.

    Attributes:
        books: consumed, dead letters, dropped and flagged of this batch.
        summary: For the event-time tracker.
        rows: ``ROUTED_SCHEMA``, ordered by (topic, partition, offset).
        dead_letters: ``DEAD_LETTERS`` contract.
    """

    books: Books
    summary: ReadSummary
    rows: pa.Table
    dead_letters: pa.Table


def ingest(batch: ReadBatch, plan: EpochPlan, stamp: RowStamp) -> Ingested:
    """Decode and judge the records of one epoch's ranges.

    Args:
        batch: Raw records in canonical order.
        plan: The epoch's plan.
        stamp: Job, sources, epoch and clock of the output rows.

    Raises:
        MalformedRecordError: In mode ``fail``, at the first record void as a whole.
    """
    return ingest_decoded(
        from_json(batch.value, RECORD_SCHEMA, mode="dead_letter"), batch, plan, stamp
    )


def ingest_decoded(
    decoded: DecodeResult, batch: ReadBatch, plan: EpochPlan, stamp: RowStamp
) -> Ingested:
    """What :func:`ingest` does, for records that are decoded already.

    Args:
        decoded: The outcome of mode ``dead_letter``, with the fields of ``RECORD_SCHEMA``.
        batch: The same records raw.
        plan: The epoch's plan.
        stamp: Job, sources, epoch and clock of the output rows.

    Raises:
        MalformedRecordError: In mode ``fail``, at the first record void as a whole.
    """
    kept = decoded.indices.to_numpy()
    rows = _with_positions(decoded.table, batch, kept, decoded.flagged)
    void = _Verdicts(
        decoded.rejects["index"].to_numpy(),
        decoded.rejects["reason"].to_pylist(),
        decoded.rejects["detail"].to_pylist(),
    )
    void, dropped = _malformed(void, batch, plan.semantics.malformed)
    if not plan.semantics.whole_input:
        rows, misplaced = _placeable(rows, kept, plan)
        void = void.joined(misplaced)
    rows = _judged(rows, plan)
    replayed = _replayed(batch, stamp)
    books = Books(
        consumed=len(batch),
        replayed=len(replayed),
        dead_letters=len(void.reasons),
        dropped=dropped,
        flagged=int(pc.sum(pc.cast(rows["flagged"], pa.int64())).as_py() or 0),
        dead_letters_by_reason=dict(Counter(void.reasons)),
    )
    summary = _summary(rows, plan)
    summary.replayed = replayed
    return Ingested(books, summary, rows, _dead_letters(void, batch, stamp))


def split_rows(rows: pa.Table, buckets: int, workers: int) -> list[pa.Table]:
    """Rows per window actor, by the stable hash of (build_id, layer).

    Args:
        rows: ``ROUTED_SCHEMA``.
        buckets: Number of hash buckets of the job.
        workers: Number of window actors; bucket ``b`` belongs to actor ``b % workers``.
    """
    if workers == 1:
        return [rows]
    codes, keys = group_rows(rows["build_id"], rows["layer"])
    owners = np.array([bucket_of(*key, buckets) % workers for key in keys], np.int64)
    owner = owners[codes] if len(keys) else np.empty(0, np.int64)
    return [rows.take(np.flatnonzero(owner == worker)) for worker in range(workers)]


@dataclass(frozen=True)
class _Verdicts:
    """Which records of the batch are dead letters, and why."""

    index: npt.NDArray[np.int64]
    reasons: list[str]
    details: list[str]

    def joined(self, other: _Verdicts) -> _Verdicts:
        return _Verdicts(
            np.concatenate([self.index, other.index]),
            self.reasons + other.reasons,
            self.details + other.details,
        )


def _replayed(batch: ReadBatch, stamp: RowStamp) -> set[tuple[str, int, int]]:
    """Places of the records that say they are replays, and are of this very job."""
    return {
        (batch.topics[batch.topic[at]], int(batch.partition[at]), int(batch.offset[at]))
        for at, origin in batch.replay_of.items()
        if is_own_key(origin, stamp.job_id, stamp.sources.values())
    }


def _with_positions(
    table: pa.Table, batch: ReadBatch, kept: npt.NDArray[np.int64], flagged: pa.Array
) -> pa.Table:
    stamps = batch.timestamp_ms[kept]
    columns = [
        *table.columns,
        pa.array(batch.topics, pa.string()).take(pa.array(batch.topic[kept])),
        pa.array(batch.partition[kept]),
        pa.array(batch.offset[kept]),
        pa.array(stamps, mask=stamps < 0).cast(pa.timestamp("ms", tz="UTC")),
        flagged,
        pa.nulls(len(kept), pa.string()),
        pa.nulls(len(kept), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=ROUTED_SCHEMA)


def _malformed(void: _Verdicts, batch: ReadBatch, mode: str) -> tuple[_Verdicts, int]:
    """Apply the mode to records void as a whole; unstorable ones are dead letters in all."""
    if mode == "dead_letter":
        return void, 0
    unstorable = [number for number, why in enumerate(void.reasons) if why == UNSTORABLE]
    if mode == "fail" and len(unstorable) < len(void.reasons):
        number = next(n for n, why in enumerate(void.reasons) if why != UNSTORABLE)
        at = int(void.index[number])
        position = (
            f"{batch.topics[batch.topic[at]]}/{batch.partition[at]} offset {batch.offset[at]}"
        )
        raise MalformedRecordError(void.details[number], index=at, position=position)
    kept = _Verdicts(
        void.index[unstorable],
        [void.reasons[number] for number in unstorable],
        [void.details[number] for number in unstorable],
    )
    return kept, len(void.reasons) - len(unstorable)


def _placeable(
    rows: pa.Table, kept: npt.NDArray[np.int64], plan: EpochPlan
) -> tuple[pa.Table, _Verdicts]:
    """Rows that have a place in event time; the others are dead letters."""
    timestamp, valid = column_values(rows["timestamp"])
    horizon_s = plan.clock_us / 1e6 + plan.semantics.max_future_s
    finite = valid & np.isfinite(timestamp)
    beyond = finite & (timestamp > horizon_s)
    good = finite & ~beyond
    if good.all():
        return rows, _Verdicts(np.empty(0, np.int64), [], [])
    bad = np.flatnonzero(~good)
    reasons, details = [], []
    for row in bad:
        if beyond[row]:
            reasons.append(EVENT_TIME_OUT_OF_RANGE)
            details.append(
                f"timestamp {timestamp[row]!r} s is more than "
                f"{plan.semantics.max_future_s:g} s ahead of the clock"
            )
        else:
            reasons.append(NO_EVENT_TIME)
            what = repr(float(timestamp[row])) if valid[row] else "null"
            details.append(f"timestamp is {what}")
    return rows.filter(pa.array(good)), _Verdicts(kept[bad], reasons, details)


def _judged(rows: pa.Table, plan: EpochPlan) -> pa.Table:
    profile = plan.semantics.profile
    names = name_anomalies(judge(rows, profile), profile)
    for column, named in zip(("anomaly_type", "severity"), names, strict=True):
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, ROUTED_SCHEMA.field(at), named)
    return rows


def _summary(rows: pa.Table, plan: EpochPlan) -> ReadSummary:
    if plan.semantics.whole_input:
        timestamp, valid = column_values(rows["timestamp"])
        horizon_s = plan.clock_us / 1e6 + plan.semantics.max_future_s
        rows = rows.filter(pa.array(valid & np.isfinite(timestamp) & (timestamp <= horizon_s)))
    newest = rows.group_by(["build_id", "topic", "partition"]).aggregate([("timestamp", "max")])
    first = rows.group_by(["build_id", "layer"]).aggregate([("timestamp", "min")])
    return ReadSummary(
        newest={
            (row["build_id"], PartitionId(row["topic"], row["partition"])): row["timestamp_max"]
            for row in newest.to_pylist()
        },
        layer_first={
            (row["build_id"], row["layer"]): row["timestamp_min"]
            for row in first.to_pylist()
            if row["layer"] is not None
        },
    )


def _dead_letters(void: _Verdicts, batch: ReadBatch, stamp: RowStamp) -> pa.Table:
    order = np.argsort(void.index, kind="stable")
    index = void.index[order]
    stamps = batch.timestamp_ms[index]
    rows = pa.table(
        {
            "topic": pa.array([batch.topics[batch.topic[at]] for at in index], pa.string()),
            "partition": pa.array(batch.partition[index]),
            "offset": pa.array(batch.offset[index]),
            "key": _bytes_at(batch.key, index),
            "value": _bytes_at(batch.value, index),
            "reason": pa.array([void.reasons[at] for at in order], pa.string()),
            "detail": pa.array([void.details[at] for at in order], pa.string()),
            "kafka_timestamp": pa.array(stamps, mask=stamps < 0).cast(pa.timestamp("ms", tz="UTC")),
        }
    )
    return in_contract(DEAD_LETTERS, rows, stamp, {})


def _bytes_at(values: RawBytes, index: npt.NDArray[np.int64]) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.take(pa.array(index)).cast(pa.binary())
    return pa.array([values[at] for at in index], pa.binary())
