"""Time series of record fields for drawing: never more points than asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import (
    CHANNEL_UNITS,
    ISPM_MONITORING,
    QUALITY_METRICS,
    TableContract,
)
from pbf_ray.http.problems import ProblemError
from pbf_ray.kernels.downsampling import lowest_and_highest
from pbf_ray.monitoring.rules import RuleProfile
from pbf_ray.storage.layout import JobStores
from pbf_ray.storage.selection import RowSelection

__all__ = ["SERIES_FIELDS", "SeriesRequest", "read_series"]

_ROLLING: Final = {
    f"{channel}_{part}": unit for channel, unit in CHANNEL_UNITS.items() for part in ("avg", "std")
}
SERIES_FIELDS: Final[dict[str, str]] = {**CHANNEL_UNITS, **_ROLLING, "quality_score": "1"}
"""What can be drawn over time, with its unit."""


@dataclass(frozen=True)
class SeriesRequest:
    """Which records.

    Attributes:
        fields: Of ``SERIES_FIELDS``.
        builds: Of these builds.
        sensors: Of these sensors; None: of all.
        layers: First and last layer; None: all.
        since: At this time or later, s since 1970 UTC.
        until: Before this time.
        points: The most points per field.
    """

    fields: Sequence[str]
    builds: Sequence[str]
    sensors: Sequence[str] | None = None
    layers: tuple[int, int] | None = None
    since: float | None = None
    until: float | None = None
    points: int = 1000


def read_series(
    stores: JobStores,
    job_id: str,
    wanted: SeriesRequest,
    profile: RuleProfile,
    *,
    max_rows: int,
) -> dict[str, Any]:
    """The series as JSON-ready values, arrays as NumPy.

    Args:
        stores: Stores of the job.
        job_id: The job.
        wanted: Which records.
        profile: The rules, for the limits of the channels.
        max_rows: The most records that are read.

    Raises:
        ProblemError: There are more records than that.
        StoreError: A store cannot be read.
    """
    plain = [name for name in wanted.fields if name in CHANNEL_UNITS]
    rolling = [name for name in wanted.fields if name not in CHANNEL_UNITS]
    series: dict[str, dict[str, Any]] = {}
    rows = 0
    for contract, names in ((ISPM_MONITORING, plain), (QUALITY_METRICS, rolling)):
        if names:
            table = _read(stores, job_id, contract, names, wanted, max_rows)
            rows = max(rows, table.num_rows)
            for name in names:
                series[name] = _series(table, name, wanted.points, profile)
    return {"rows": rows, "series": [series[name] for name in wanted.fields]}


def _read(
    stores: JobStores,
    job_id: str,
    contract: TableContract,
    names: Sequence[str],
    wanted: SeriesRequest,
    max_rows: int,
) -> pa.Table:
    selection = RowSelection(
        job_id,
        builds=list(wanted.builds),
        layers=wanted.layers,
        since=_moment(wanted.since),
        until=_moment(wanted.until),
    )
    columns = ["timestamp", "layer", *names]
    if wanted.sensors is not None:
        columns.append("sensor_id")
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in stores.store(contract.name).scan(contract, selection, columns=columns):
        kept = batch
        if wanted.sensors is not None:
            named = pa.array(wanted.sensors, pa.string())
            kept = batch.filter(pc.is_in(batch["sensor_id"], value_set=named))
        rows += kept.num_rows
        if rows > max_rows:
            raise ProblemError(
                422,
                "too-many-records",
                f"a series of more than {max_rows:,} records is not drawn",
                advice="ask for fewer layers or a shorter time",
            )
        batches.append(kept)
    schema = pa.schema([contract.schema.field(name) for name in columns])
    return pa.Table.from_batches(batches, schema).sort_by("timestamp").combine_chunks()


def _series(table: pa.Table, name: str, points: int, profile: RuleProfile) -> dict[str, Any]:
    time = table["timestamp"].fill_null(np.nan).to_numpy()
    value = table[name].fill_null(np.nan).to_numpy()
    real = np.flatnonzero(np.isfinite(time) & np.isfinite(value))
    chosen = real[lowest_and_highest(time[real], value[real], points)]
    return {
        "field": name,
        "unit": SERIES_FIELDS[name],
        "rows": int(real.size),
        "downsampled": bool(chosen.size < real.size),
        "timestamp": np.ascontiguousarray(time[chosen]),
        "value": np.ascontiguousarray(value[chosen]),
        "layer": table["layer"].take(pa.array(chosen)).to_pylist(),
        "limits": [
            {
                "op": rule.op,
                "threshold": rule.threshold,
                "anomaly_type": rule.anomaly_type,
                "severity": rule.severity,
            }
            for rule in profile.rules
            if rule.channel == name
        ],
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
