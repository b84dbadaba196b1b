"""What is known of a build beyond its closed layers: open layers, sensors, the newest record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import CHANNELS, ISPM_MONITORING, QUALITY_METRICS, TableContract
from pbf_ray.storage.layout import JobStores
from pbf_ray.storage.selection import RowSelection

__all__ = ["BuildTail", "read_tail"]

_LAST_LAYER: Final = 2**31 - 1
_RUNNING: Final = (
    *(f"{name}_{part}" for name in CHANNELS for part in ("avg", "std")),
    "quality_score",
)


@dataclass(frozen=True)
class BuildTail:
    """The end of a build, as far as it is not in ``layer_quality``.

    Attributes:
        sensors: Last event time of each sensor of the last layers.
        open_layers: A row per layer that is not closed: ``layer``, ``n``, ``first_timestamp``,
            ``last_timestamp``, and the running figures at its newest record (null where no row
            of rolling quality is written).
        last_timestamp: The newest of all; None without records.
    """

    sensors: dict[str, float]
    open_layers: pa.Table
    last_timestamp: float | None


def read_tail(stores: JobStores, job_id: str, build_id: str, closed: int | None) -> BuildTail:
    """Read the last closed layer of a build and what is behind it.

    Args:
        stores: Stores of the job.
        job_id: The job.
        build_id: The build.
        closed: The highest closed layer; None if none is.

    Raises:
        StoreError: A store cannot be read.
    """
    for contract, running in ((QUALITY_METRICS, _RUNNING), (ISPM_MONITORING, ())):
        rows = _rows(stores, contract, job_id, build_id, closed, running)
        if rows.num_rows:
            return _tail(rows, running, closed)
    return BuildTail({}, _open_schema().empty_table(), None)


def _rows(
    stores: JobStores,
    contract: TableContract,
    job_id: str,
    build_id: str,
    closed: int | None,
    running: tuple[str, ...],
) -> pa.Table:
    first = -(2**31) if closed is None else closed
    selection = RowSelection(job_id, builds=[build_id], layers=(first, _LAST_LAYER))
    columns = ["sensor_id", "layer", "timestamp", *running]
    batches: Iterator[pa.RecordBatch] = stores.store(contract.name).scan(
        contract, selection, columns=columns
    )
    schema = pa.schema([contract.schema.field(name) for name in columns])
    return pa.Table.from_batches(batches, schema)


def _tail(rows: pa.Table, running: tuple[str, ...], closed: int | None) -> BuildTail:
    newest = rows.group_by("sensor_id").aggregate([("timestamp", "max")])
    sensors = {
        name: at
        for name, at in zip(
            newest["sensor_id"].to_pylist(), newest["timestamp_max"].to_pylist(), strict=True
        )
        if name is not None and at is not None
    }
    if closed is not None:
        rows = rows.filter(pc.field("layer") > closed)
    return BuildTail(sensors, _open(rows, running), max(sensors.values(), default=None))


def _open(rows: pa.Table, running: tuple[str, ...]) -> pa.Table:
    ordered = rows.sort_by([("layer", "ascending"), ("timestamp", "ascending")])
    found = ordered.group_by("layer", use_threads=False).aggregate(
        [
            ("timestamp", "count"),
            ("timestamp", "min"),
            ("timestamp", "max"),
            *[(name, "last", pc.ScalarAggregateOptions(skip_nulls=False)) for name in running],
        ]
    )
    columns = {
        "layer": found["layer"],
        "n": found["timestamp_count"],
        "first_timestamp": found["timestamp_min"],
        "last_timestamp": found["timestamp_max"],
        **{
            name: found[f"{name}_last"] if running else pa.nulls(len(found), pa.float64())
            for name in _RUNNING
        },
    }
    schema = _open_schema()
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema)


def _open_schema() -> pa.Schema:
    return pa.schema(
        [
            ("layer", pa.int32()),
            ("n", pa.int64()),
            ("first_timestamp", pa.float64()),
            ("last_timestamp", pa.float64()),
            *[(name, pa.float64()) for name in _RUNNING],
        ]
    )
