"""The batch oracle: what every table must hold, in plain Python over the same records.

It shares with the engine only the reference decoder and the default rules' numbers, nothing of
the stream. Lateness is given to it (the generator of the records predicts it), never derived.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pbf_ray.contracts import CHANNELS, OUTPUT_TABLES, RECORD_SCHEMA
from pbf_ray.decode import from_json

DEFAULT_RULES = (
    ("temperature", ">", 1700.0, "high_temperature", "critical"),
    ("temperature", "<", 1500.0, "low_temperature", "warning"),
    ("pressure", ">", 1.0, "high_pressure", "critical"),
    ("pressure", "<", 0.9, "low_pressure", "warning"),
    ("laser_power", ">", 250.0, "high_laser_power", "info"),
    ("laser_power", "<", 150.0, "low_laser_power", "info"),
)

# Columns that tell when and how the stream worked, not what the result is.
RUN_COLUMNS = frozenset({"processing_timestamp", "epoch", "revision", "watermark", "detail"})


class Raw(NamedTuple):
    """A record as it lies in Kafka."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0


@dataclass
class Expected:
    """Rows per table, by key."""

    tables: dict[str, dict[Any, dict[str, Any]]] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)


def expected(
    records: Sequence[Raw],
    *,
    job_id: str = "job",
    sources: dict[str, str],
    late: Iterable[tuple[str, int, int]] = (),
    whole_input: bool = False,
    clock_s: float = math.inf,
    max_future_s: float = 3600.0,
) -> Expected:
    """What the job must have written.

    Args:
        records: All records delivered.
        job_id: Name of the job.
        sources: Source id per topic.
        late: Positions of the records that are late.
        whole_input: Bounded strict input: rows without a place in time are kept, none is late.
        clock_s: Clock that event times are held against.
        max_future_s: How far ahead of it they may lie.
    """
    late = set(late)
    decoded = from_json([raw.value for raw in records], RECORD_SCHEMA, mode="dead_letter")
    rejected = {row["index"]: row["reason"] for row in decoded.rejects.to_pylist()}
    rows = dict(zip(decoded.indices.to_pylist(), decoded.table.to_pylist(), strict=True))
    flags = dict(zip(decoded.indices.to_pylist(), decoded.flagged.to_pylist(), strict=True))
    result = Expected(
        {
            name: {}
            for name in (
                "ispm_monitoring", "ispm_anomalies", "quality_metrics",
                "layer_quality", "dead_letters", "late_records",
            )
        }
    )  # fmt: skip
    layers: dict[Any, list[tuple[Any, Raw, dict[str, Any], str | None]]] = {}
    for index, raw in enumerate(records):
        position = {
            "record_key": json.dumps(
                [job_id, sources[raw.topic], raw.partition, raw.offset], separators=(",", ":")
            ),
            "job_id": job_id,
            "source_id": sources[raw.topic],
            "topic": raw.topic,
            "partition": raw.partition,
            "offset": raw.offset,
        }
        place = raw.topic, raw.partition, raw.offset
        stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=raw.timestamp_ms)
        reason = rejected.get(index)
        if reason is None and not whole_input:
            when = rows[index]["timestamp"]
            if when is None or not math.isfinite(when):
                reason = "no_event_time"
            elif when > clock_s + max_future_s:
                reason = "event_time_out_of_range"
        if reason is not None:
            result.tables["dead_letters"][place] = {
                **position, "key": raw.key, "value": raw.value, "reason": reason,
                "kafka_timestamp": stamp,
            }  # fmt: skip
            continue
        row = rows[index]
        kind = _anomaly(row)
        if kind is not None:
            result.tables["ispm_anomalies"][place] = {
                **position, **row, "anomaly_type": kind[0], "severity": kind[1],
                "late": place in late,
            }  # fmt: skip
        if place in late:
            result.tables["late_records"][place] = {**position, **row}
            continue
        result.tables["ispm_monitoring"][place] = {
            **position, **row, "flagged": flags[index], "kafka_timestamp": stamp,
            "date": _date(row["timestamp"]),
        }  # fmt: skip
        order = (_rank(row["timestamp"]), *place)
        layers.setdefault((row["build_id"], row["layer"]), []).append(
            (order, raw, {**position, **row}, kind[0] if kind else None)
        )
    for key, members in layers.items():
        _roll(key, sorted(members, key=lambda member: member[0]), job_id, result)
    tables = result.tables
    result.books = {
        "consumed": len(records),
        "accepted": len(tables["ispm_monitoring"]),
        "dead_letters": len(tables["dead_letters"]),
        "late": len(tables["late_records"]),
    }
    return result


def _roll(key: Any, members: list[Any], job_id: str, result: Expected) -> None:
    stats = {name: _Running() for name in CHANNELS}
    at = 0
    while at < len(members):
        end = at
        while end < len(members) and members[end][0][0] == members[at][0][0]:
            for name in CHANNELS:
                stats[name].add(members[end][2][name])
            end += 1
        frame: dict[str, Any] = {}
        for name in CHANNELS:
            frame[f"{name}_avg"], frame[f"{name}_std"] = stats[name].avg, stats[name].std
        frame["quality_score"] = _score(frame["temperature_std"])
        for _, raw, row, _ in members[at:end]:
            place = raw.topic, raw.partition, raw.offset
            result.tables["quality_metrics"][place] = {**row, **frame}
        at = end
    kinds: dict[str, int] = {}
    for member in members:
        if member[3] is not None:
            kinds[member[3]] = kinds.get(member[3], 0) + 1
    times = [member[2]["timestamp"] for member in members if member[2]["timestamp"] is not None]
    build_id, layer = key
    summary: dict[str, Any] = {
        "layer_key": json.dumps([job_id, build_id, layer], separators=(",", ":")),
        "job_id": job_id,
        "build_id": build_id,
        "layer": layer,
        "n": len(members),
        "first_timestamp": times[0] if times else None,
        "last_timestamp": times[-1] if times else None,
        "quality_score": _score(stats["temperature"].std),
        "anomalies": sum(kinds.values()),
        "anomalies_by_type": json.dumps(kinds, sort_keys=True, separators=(",", ":")),
    }
    for name in CHANNELS:
        values = [m[2][name] for m in members if m[2][name] is not None]
        summary[f"{name}_n"] = len(values)
        summary[f"{name}_avg"] = stats[name].avg
        summary[f"{name}_std"] = stats[name].std
        summary[f"{name}_min"] = min(values, key=_rank, default=None)
        summary[f"{name}_max"] = max(values, key=_rank, default=None)
    result.tables["layer_quality"][key] = summary


class _Running:
    """Spark's running sum and central-moment update, one value at a time."""

    def __init__(self) -> None:
        self.n, self.total, self.mean, self.m2 = 0, 0.0, 0.0, 0.0

    def add(self, value: float | None) -> None:
        if value is None:
            return
        self.n += 1
        self.total += value
        delta = value - self.mean
        delta_n = delta / self.n
        self.mean += delta_n
        self.m2 += delta * (delta - delta_n)

    @property
    def avg(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def std(self) -> float | None:
        return math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 else None


def _anomaly(row: dict[str, Any]) -> tuple[str, str] | None:
    for channel, op, limit, kind, severity in DEFAULT_RULES:
        value = row[channel]
        if value is None:
            continue
        above = math.isnan(value) or value > limit
        below = value < limit
        if (op == ">" and above) or (op == "<" and below):
            return kind, severity
    return None


def _score(std: float | None) -> float:
    if std is None or math.isnan(std):
        return 0.4
    return 1.0 if std < 10 else 0.8 if std < 20 else 0.6 if std < 30 else 0.4


def _rank(value: float | None) -> tuple[int, float]:
    if value is None:
        return 0, 0.0
    return (2, 0.0) if math.isnan(value) else (1, value)


def _date(timestamp: float | None) -> Any:
    if timestamp is None or not math.isfinite(timestamp):
        return None
    days = int(timestamp * 1e6) // 86_400_000_000  # whole microseconds first, as Spark casts
    if not -719162 <= days <= 2932896:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(days=days)


# -- comparing -----------------------------------------------------------------------------


def same(left: Any, right: Any) -> bool:
    """Equal to the bit; NaN equals NaN, -0.0 differs from 0.0, null is only null."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return struct.pack("<d", left) == struct.pack("<d", right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return type(left) is type(right) and left == right


def assert_table(name: str, found: pa.Table, wanted: dict[Any, dict[str, Any]]) -> None:
    """The table holds exactly these rows, to the bit, whatever their order."""
    by_layer = name == "layer_quality"
    rows: dict[Any, dict[str, Any]] = {}
    for row in found.to_pylist():
        key = (
            (row["build_id"], row["layer"])
            if by_layer
            else (row["topic"], row["partition"], row["offset"])
        )
        assert key not in rows, f"{name}: {key} is there twice"
        rows[key] = row
    missing, more = wanted.keys() - rows.keys(), rows.keys() - wanted.keys()
    assert not missing, (
        f"{name}: {len(missing)} rows are missing, such as {sorted(missing, key=repr)[:3]}"
    )
    assert not more, f"{name}: {len(more)} rows too many, such as {sorted(more, key=repr)[:3]}"
    for key, row in rows.items():
        for column, value in row.items():
            if column in RUN_COLUMNS:
                continue
            assert same(value, wanted[key][column]), (
                f"{name} {key} {column}: found {value!r}, expected {wanted[key][column]!r}"
            )


class ExpectedTables:
    """The same as Arrow, for tables too large to compare row by row."""

    def __init__(self, wanted: Expected) -> None:
        self._tables = {
            name: self._sorted(name, self._arrow(name, rows))
            for name, rows in wanted.tables.items()
        }
        self.books = wanted.books

    def assert_table(self, name: str, found: pa.Table) -> None:
        """The table holds exactly these rows, to the bit, whatever their order."""
        wanted = self._tables[name]
        found = self._sorted(name, found.select(wanted.schema.names))
        key = OUTPUT_TABLES[name].key
        lacking = set(wanted[key].to_pylist()) - set(found[key].to_pylist())
        assert not lacking, (
            f"{name}: {len(lacking)} rows are missing, such as {sorted(lacking)[:3]}"
        )
        assert found.num_rows == wanted.num_rows, (
            f"{name}: {found.num_rows} rows, expected {wanted.num_rows}"
        )
        for column in wanted.schema.names:
            left, right = _bits(found[column]), _bits(wanted[column])
            if not left.equals(right):
                self._explain(name, column, found, wanted)

    @staticmethod
    def _explain(name: str, column: str, found: pa.Table, wanted: pa.Table) -> None:
        key = OUTPUT_TABLES[name].key
        for left, right, place in zip(
            found[column].to_pylist(),
            wanted[column].to_pylist(),
            wanted[key].to_pylist(),
            strict=True,
        ):
            assert same(left, right), f"{name} {place} {column}: found {left!r}, expected {right!r}"
        raise AssertionError(f"{name}.{column} differs")

    @staticmethod
    def _arrow(name: str, rows: dict[Any, dict[str, Any]]) -> pa.Table:
        schema = OUTPUT_TABLES[name].schema
        fields = [column for column in schema if column.name not in RUN_COLUMNS]
        return pa.Table.from_pylist(list(rows.values()), schema=pa.schema(fields))

    @staticmethod
    def _sorted(name: str, table: pa.Table) -> pa.Table:
        return table.sort_by(OUTPUT_TABLES[name].key).combine_chunks()


def _bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles as their bits, all NaN alike; other types as they are."""
    if column.type != pa.float64():
        return column.combine_chunks()
    array = column.combine_chunks()
    valid = np.asarray(array.is_valid())
    values = np.where(valid, np.asarray(array.fill_null(0.0)), 0.0)
    bits = np.where(np.isnan(values), np.float64("nan"), values).view(np.int64)
    return pa.array(bits, mask=~valid)
