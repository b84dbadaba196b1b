"""Rows on their way from readers to window actors and out, as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import RECORD_SCHEMA, TableContract

__all__ = [
    "ROUTED_SCHEMA",
    "RowStamp",
    "empty_routed",
    "filled",
    "in_contract",
    "is_own_key",
    "record_keys",
]

ROUTED_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        *RECORD_SCHEMA,
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("kafka_timestamp", pa.timestamp("ms", tz="UTC")),
        pa.field("flagged", pa.bool_()),
        pa.field("anomaly_type", pa.string()),
        pa.field("severity", pa.string()),
    ]
)
"""A decoded, judged record with its position; what readers send to window actors."""


def empty_routed() -> pa.Table:
    """No rows of ``ROUTED_SCHEMA``."""
    return ROUTED_SCHEMA.empty_table()


@dataclass(frozen=True)
class RowStamp:
    """What all output rows of an epoch carry.

    Attributes:
        job_id: The job.
        sources: Source id per topic.
        epoch: The epoch that writes the row.
        clock_us: Its processing time, microseconds since 1970 UTC.
    """

    job_id: str
    sources: Mapping[str, str]
    epoch: int
    clock_us: int

    def source_ids(self, topics: pa.ChunkedArray) -> pa.ChunkedArray:
        """Source id per row, from the topic per row."""
        names = pa.array(list(self.sources), pa.string())
        ids = pa.array(list(self.sources.values()), pa.string())
        return ids.take(pc.index_in(topics, value_set=names))


def record_keys(
    job_id: str, source_ids: pa.ChunkedArray, partitions: pa.ChunkedArray, offsets: pa.ChunkedArray
) -> pa.ChunkedArray:
    """``contracts.record_key`` for whole columns.

    Args:
        job_id: The job.
        source_ids: string per row.
        partitions: int32 per row.
        offsets: int64 per row.

    Returns:
        string per row.
    """
    unique = pc.unique(source_ids)
    heads = pa.array(
        [json.dumps([job_id, source], separators=(",", ":"))[:-1] for source in unique.to_pylist()],
        pa.string(),
    )
    return pc.binary_join_element_wise(
        heads.take(pc.index_in(source_ids, value_set=unique)),
        pc.cast(partitions, pa.string()),
        pc.binary_join_element_wise(pc.cast(offsets, pa.string()), "]", ""),
        ",",
    )


def is_own_key(key: str, job_id: str, sources: Collection[str]) -> bool:
    """Whether a text is the ``record_key`` of a record that this job can have read.

    Args:
        key: Anything.
        job_id: The job.
        sources: Its source ids.
    """
    try:
        parts = json.loads(key)
    except ValueError:
        return False
    match parts:
        case [str(job), str(source), int(), int()]:
            return job == job_id and source in sources
    return False


def in_contract(
    contract: TableContract, rows: pa.Table, stamp: RowStamp, extra: Mapping[str, Any]
) -> pa.Table:
    """Rows of ``ROUTED_SCHEMA`` as rows of an output table.

    Args:
        contract: The output table.
        rows: What to write; columns that the contract does not have are left out.
        stamp: Job, epoch, clock.
        extra: Further columns: an Arrow array per row, or one value for all.

    Returns:
        A table with the exact schema of the contract.
    """
    source_ids = stamp.source_ids(rows["topic"])
    given: dict[str, Any] = {
        "job_id": stamp.job_id,
        "source_id": source_ids,
        "record_key": record_keys(stamp.job_id, source_ids, rows["partition"], rows["offset"]),
        "processing_timestamp": stamp.clock_us,
        "epoch": stamp.epoch,
        **extra,
    }
    return filled(contract, rows, given)


def filled(contract: TableContract, rows: pa.Table, given: Mapping[str, Any]) -> pa.Table:
    """A table in the exact schema of a contract.

    Args:
        contract: The output table.
        rows: Columns by name.
        given: Columns that go before those: an Arrow array per row, or one value for all.
    """
    columns = []
    for wanted in contract.schema:
        value = given[wanted.name] if wanted.name in given else rows[wanted.name]
        if not isinstance(value, pa.Array | pa.ChunkedArray):
            value = pa.repeat(pa.scalar(value, wanted.type), rows.num_rows)
        columns.append(value)
    return pa.Table.from_arrays(columns, schema=contract.schema)
