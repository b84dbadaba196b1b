"""Layers of a build as columns: the closed ones, and behind them those that still run."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import CHANNELS, LAYER_QUALITY
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.monitoring.rules import SEVERITIES

__all__ = ["LAYER_COLUMNS", "layer_columns", "worst_severity"]

_STATISTICS: Final = ("n", "avg", "std", "min", "max")
_MEASURED: Final = (
    "n",
    "first_timestamp",
    "last_timestamp",
    "quality_score",
    *(f"{channel}_{part}" for channel in CHANNELS for part in _STATISTICS),
)

LAYER_COLUMNS: Final = pa.schema(
    [
        pa.field("layer", pa.int32(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("revision", pa.int64()),
        *[LAYER_QUALITY.schema.field(name).with_nullable(True) for name in _MEASURED],
        pa.field("anomalies", pa.int64(), nullable=False),
        *[pa.field(severity, pa.int64(), nullable=False) for severity in SEVERITIES],
        pa.field("severity", pa.string(), nullable=False),
    ]
)
"""A row per layer. ``state`` is ``closed`` or ``open``; ``severity`` the worst, or ``none``."""


def layer_columns(snapshot: Snapshot, build_id: str, *, first: int, last: int) -> pa.Table:
    """The layers ``first`` to ``last`` of a build, in their order, as ``LAYER_COLUMNS``.

    Anomalies are counted by their records, late ones too, so that the counts agree with the list
    of anomalies; a layer of which only anomalies are known has a row as well.
    """
    closed = snapshot.build_layers(build_id)
    closed = closed.filter(_within(first, last)) if closed.num_rows else closed
    parts = [_closed(closed)]
    tail = snapshot.tails.get(build_id)
    if tail is not None and tail.open_layers.num_rows:
        parts.append(_open(tail.open_layers.filter(_within(first, last))))
    known = pa.concat_tables(parts)
    counted = {
        layer: counts
        for (build, layer), counts in snapshot.severities.items()
        if build == build_id and first <= layer <= last
    }
    lacking = sorted(set(counted) - set(known["layer"].to_pylist()))
    if lacking:
        known = pa.concat_tables([known, _only_anomalies(lacking)])
    known = known.sort_by("layer")
    return _counted(known, counted)


def worst_severity(counts: dict[str, int]) -> str:
    """The worst severity that was counted; ``none`` if none was."""
    return next((severity for severity in SEVERITIES if counts.get(severity)), "none")


def _within(first: int, last: int) -> Any:
    return (pc.field("layer") >= first) & (pc.field("layer") <= last)


def _measured_schema() -> pa.Schema:
    names = ("layer", "state", "revision", *_MEASURED)
    return pa.schema([LAYER_COLUMNS.field(name) for name in names])


def _table(columns: dict[str, Any], rows: int) -> pa.Table:
    schema = _measured_schema()
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _closed(rows: pa.Table) -> pa.Table:
    names = ("layer", "revision", *_MEASURED)
    state = pa.array(["closed"] * rows.num_rows, pa.string())
    return _table({**{name: rows[name] for name in names}, "state": state}, rows.num_rows)


def _open(rows: pa.Table) -> pa.Table:
    state = pa.array(["open"] * rows.num_rows, pa.string())
    return _table(
        {**{name: rows[name] for name in rows.schema.names}, "state": state}, rows.num_rows
    )


def _only_anomalies(layers: list[int]) -> pa.Table:
    state = pa.array(["open"] * len(layers), pa.string())
    return _table({"layer": pa.array(layers, pa.int32()), "state": state}, len(layers))


def _counted(rows: pa.Table, counted: dict[int, dict[str, int]]) -> pa.Table:
    layers = rows["layer"].to_pylist()
    counts = np.zeros((len(SEVERITIES), len(layers)), np.int64)
    worst = np.full(len(layers), "none", object)
    for row, layer in enumerate(layers):
        if layer in counted:
            counts[:, row] = [counted[layer].get(severity, 0) for severity in SEVERITIES]
            worst[row] = worst_severity(counted[layer])
    columns = [
        *rows.columns,
        pa.array(counts.sum(axis=0)),
        *[pa.array(of_severity) for of_severity in counts],
        pa.array(worst.tolist(), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=LAYER_COLUMNS)
