"""Rolling quality of records and summaries of layers, over a whole table at once.

These are pure functions of the rows: where the table has the position columns, neither their order
nor how they are cut into chunks changes a bit of the result. The stream has to give the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pbf_ray.contracts import CHANNELS, LAYER_QUALITY, QUALITY_METRICS
from pbf_ray.kernels.grouping import LayerKey, group_rows, sorted_groups
from pbf_ray.kernels.order import canonical_order, event_order_key
from pbf_ray.kernels.rolling import (
    RollingFrame,
    RollingState,
    quality_score,
    rolling_update,
)
from pbf_ray.monitoring.columns import channel_values, column_values, nullable
from pbf_ray.monitoring.rules import RuleProfile

__all__ = [
    "frame_columns",
    "layer_summaries",
    "quality_of_layers",
    "rolling_quality",
    "summary_table",
]

_TEMPERATURE = CHANNELS.index("temperature")


@dataclass(frozen=True, eq=False)
class _Ordered:
    rows: NDArray[np.int64]
    keys: list[LayerKey]
    group_start: NDArray[np.int64]
    frame: RollingFrame
    state: RollingState


def rolling_quality(table: pa.Table) -> pa.Table:
    """Running statistics of each record's layer up to its timestamp (semantics.md, section 3).

    Args:
        table: Records with ``build_id``, ``layer``, ``timestamp`` and the channels. Columns
            ``topic``, ``partition`` and ``offset``, as far as present, order records of equal
            timestamp; without them the order of rows does.

    Returns:
        The same records with ``{channel}_avg``, ``{channel}_std`` and ``quality_score`` appended,
        sorted by build_id, layer, timestamp (nulls first, NaN last) and position.

    Raises:
        ValueError: If a position column has nulls.
    """
    return _with_frame(table, _order_and_roll(table))


def quality_of_layers(
    table: pa.Table, codes: NDArray[np.int16], profile: RuleProfile
) -> tuple[pa.Table, pa.Table]:
    """What :func:`rolling_quality` and :func:`layer_summaries` give, for the work of one.

    Args:
        table: Records, as for :func:`rolling_quality`.
        codes: int16[n], the judgement of each row.
        profile: The profile that judged.
    """
    ordered = _order_and_roll(table)
    return _with_frame(table, ordered), _summaries(table, ordered, codes, profile)


def _with_frame(table: pa.Table, ordered: _Ordered) -> pa.Table:
    result = table.take(pa.array(ordered.rows))
    for name, column in frame_columns(ordered.frame).items():
        result = result.append_column(QUALITY_METRICS.schema.field(name), column)
    return result


def frame_columns(frame: RollingFrame) -> dict[str, pa.Array]:
    """The computed columns of QUALITY_METRICS, of n rows.

    Args:
        frame: Statistics of the channels of the ISPM record, in their order.
    """
    columns: dict[str, pa.Array] = {}
    for row, name in enumerate(CHANNELS):
        columns[f"{name}_avg"] = nullable(frame.avg[row], frame.avg_valid[row])
        columns[f"{name}_std"] = nullable(frame.std[row], frame.std_valid[row])
    score = quality_score(frame.std[_TEMPERATURE], frame.std_valid[_TEMPERATURE])
    columns["quality_score"] = pa.array(score)
    return columns


def layer_summaries(table: pa.Table, codes: NDArray[np.int16], profile: RuleProfile) -> pa.Table:
    """A row per (build_id, layer): the statistics of all its records.

    Args:
        table: Records, as for :func:`rolling_quality`.
        codes: int16[n], the judgement of each row by :func:`pbf_ray.monitoring.judge.judge`.
        profile: The profile that judged.

    Returns:
        The columns of LAYER_QUALITY from ``build_id`` to ``anomalies_by_type`` without the keys,
        sorted by build_id and layer, nulls first.

    Raises:
        ValueError: If there is not one code per row.
    """
    return _summaries(table, _order_and_roll(table), codes, profile)


def _summaries(
    table: pa.Table, ordered: _Ordered, codes: NDArray[np.int16], profile: RuleProfile
) -> pa.Table:
    if codes.shape != (table.num_rows,):
        raise ValueError(f"codes must be [{table.num_rows}], one per row, not {codes.shape}")
    sizes = np.diff(ordered.group_start)
    group_of_row = np.repeat(np.arange(len(sizes)), sizes)
    judged = codes[ordered.rows]
    found = judged >= 0
    cells = group_of_row[found] * len(profile.rules) + judged[found]
    counts = np.bincount(cells, minlength=len(sizes) * len(profile.rules))
    by_rule = counts.reshape(len(sizes), len(profile.rules))
    seconds, known = column_values(table.column("timestamp"))
    # Sorted by time with nulls first: the first known timestamp follows a group's nulls.
    nulls = np.bincount(group_of_row[~known[ordered.rows]], minlength=len(sizes))
    any_known = nulls < sizes
    last = ordered.rows[ordered.group_start[1:] - 1]
    first = ordered.rows[np.minimum(ordered.group_start[:-1] + nulls, ordered.group_start[1:] - 1)]
    return summary_table(
        ordered.keys,
        ordered.state,
        n=sizes,
        first_timestamp=nullable(seconds[first], any_known),
        last_timestamp=nullable(seconds[last], any_known),
        anomalies=[_by_type(row, profile) for row in by_rule.tolist()],
    )


def summary_table(
    keys: Sequence[LayerKey],
    state: RollingState,
    *,
    n: NDArray[np.int64],
    first_timestamp: pa.DoubleArray,
    last_timestamp: pa.DoubleArray,
    anomalies: Sequence[Mapping[str, int]],
) -> pa.Table:
    """The statistics columns of LAYER_QUALITY of g layers, from their states.

    Args:
        keys: (build_id, layer) of each layer.
        state: Statistics of the channels of the ISPM record [g, c].
        n: int64[g], records of the layer.
        first_timestamp: float64[g], s since 1970-01-01 UTC, null where no record has one.
        last_timestamp: float64[g], likewise.
        anomalies: Records per anomaly type of each layer.

    Returns:
        A table of g rows, fields as in LAYER_QUALITY.
    """
    columns: dict[str, pa.Array] = {
        "build_id": pa.array([build_id for build_id, _ in keys], pa.string()),
        "layer": pa.array([layer for _, layer in keys], pa.int32()),
        "n": pa.array(n, pa.int64()),
        "first_timestamp": first_timestamp,
        "last_timestamp": last_timestamp,
    }
    (avg, avg_valid), (std, std_valid) = state.avg, state.std
    for c, name in enumerate(CHANNELS):
        columns[f"{name}_n"] = pa.array(state.count[:, c])
        columns[f"{name}_avg"] = nullable(avg[:, c], avg_valid[:, c])
        columns[f"{name}_std"] = nullable(std[:, c], std_valid[:, c])
        columns[f"{name}_min"] = nullable(state.minimum[:, c], avg_valid[:, c])
        columns[f"{name}_max"] = nullable(state.maximum[:, c], avg_valid[:, c])
    columns["quality_score"] = pa.array(
        quality_score(std[:, _TEMPERATURE], std_valid[:, _TEMPERATURE])
    )
    columns["anomalies"] = pa.array([sum(counts.values()) for counts in anomalies], pa.int64())
    columns["anomalies_by_type"] = pa.array(
        [json.dumps(counts, sort_keys=True, separators=(",", ":")) for counts in anomalies],
        pa.string(),
    )
    schema = pa.schema([LAYER_QUALITY.schema.field(name) for name in columns])
    return pa.table(columns, schema=schema)


def _by_type(counts: list[int], profile: RuleProfile) -> dict[str, int]:
    by_type: dict[str, int] = {}
    for rule, count in zip(profile.rules, counts, strict=True):
        if count:
            by_type[rule.anomaly_type] = by_type.get(rule.anomaly_type, 0) + count
    return by_type


def _order_and_roll(table: pa.Table) -> _Ordered:
    codes, keys = sorted_groups(*group_rows(table.column("build_id"), table.column("layer")))
    order_key = event_order_key(*column_values(table.column("timestamp")))
    rows, group_start = canonical_order(codes, len(keys), order_key, _position(table))
    values, valid = channel_values(table, CHANNELS)
    state = RollingState.empty(len(keys), len(CHANNELS))
    frame = rolling_update(
        order_key[rows], group_start, np.take(values, rows, 1), np.take(valid, rows, 1), state
    )
    return _Ordered(rows, keys, group_start, frame, state)


def _position(table: pa.Table) -> list[NDArray[np.int64]]:
    position: list[NDArray[np.int64]] = []
    for name in ("topic", "partition", "offset"):
        if name in table.column_names:
            column = table.column(name)
            if column.null_count:
                raise ValueError(f"column {name} has nulls: a position is never null")
            if not pa.types.is_integer(column.type):
                column = pc.rank(column, sort_keys="ascending", tiebreaker="dense")
            position.append(column.cast(pa.int64()).to_numpy())
    return position
