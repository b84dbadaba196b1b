"""Rows on their way from readers to window actors and out, as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA, TableContract
from pbf_ray.streaming.plan import PartitionId

__all__ = [
    "ROUTED_SCHEMA",
    "RowStamp",
    "channel_arrays",
    "empty_routed",
    "in_contract",
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
    columns = []
    for wanted in contract.schema:
        value = given[wanted.name] if wanted.name in given else rows[wanted.name]
        if not isinstance(value, pa.Array | pa.ChunkedArray):
            value = pa.repeat(pa.scalar(value, wanted.type), rows.num_rows)
        columns.append(value)
    return pa.Table.from_arrays(columns, schema=contract.schema)


def channel_arrays(
    rows: pa.Table,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Values and validity of the channels, each (channels, rows), for the kernels."""
    values = np.empty((len(CHANNELS), rows.num_rows), np.float64)
    valid = np.empty((len(CHANNELS), rows.num_rows), np.bool_)
    for row, name in enumerate(CHANNELS):
        values[row], valid[row] = float_column(rows[name])
    return values, valid


def float_column(
    column: pa.ChunkedArray,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Values (0.0 where null) and validity of a float64 column."""
    if column.null_count == 0:
        return column.to_numpy(), np.ones(len(column), np.bool_)
    valid = pc.is_valid(column).to_numpy()
    return pc.fill_null(column, 0.0).to_numpy(), valid


def partition_ids(topics: list[str], partitions: list[int]) -> list[PartitionId]:
    """Partition ids from two columns."""
    return [PartitionId(*pair) for pair in zip(topics, partitions, strict=True)]
