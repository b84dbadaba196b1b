"""Pages of records: anomalies, late records and dead letters, newest first, with filters."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.http.cursor import decode_cursor, encode_cursor
from pbf_ray.http.machines import MachineNames
from pbf_ray.http.values import plain_rows

__all__ = ["RecordFilter", "page_of", "select_records"]

_KEY: Final = "record_key"


@dataclass(frozen=True)
class RecordFilter:
    """Which records; what is None does not matter.

    Attributes:
        build: Of this build.
        first_layer: Of this layer or a later one.
        last_layer: Of this layer or an earlier one.
        machine: Of this machine.
        sensor: Of this sensor.
        since: At this time or later, s since 1970 UTC.
        until: Before this time.
        anomaly_type: Anomalies of this type.
        severity: Anomalies of this severity.
        reason: Dead letters of this reason.
        topic: Dead letters of this topic.
    """

    build: str | None = None
    first_layer: int | None = None
    last_layer: int | None = None
    machine: str | None = None
    sensor: str | None = None
    since: float | None = None
    until: float | None = None
    anomaly_type: str | None = None
    severity: str | None = None
    reason: str | None = None
    topic: str | None = None


_EQUAL: Final = {
    "build": "build_id",
    "sensor": "sensor_id",
    "anomaly_type": "anomaly_type",
    "severity": "severity",
    "reason": "reason",
    "topic": "topic",
}
_RANGE: Final = {"first_layer": operator.ge, "last_layer": operator.le}
_TIME: Final = {"since": operator.ge, "until": operator.lt}


def select_records(
    rows: pa.Table, wanted: RecordFilter, machines: MachineNames, *, time: str
) -> pa.Table:
    """The rows that a filter names, in their order.

    Args:
        rows: Records.
        wanted: The filter.
        machines: Which sensors belong to a machine.
        time: The column that times are about.
    """
    parts: list[Any] = []
    for name, value in asdict(wanted).items():
        if value is None:
            continue
        if name in _EQUAL:
            parts.append(pc.field(_EQUAL[name]) == value)
        elif name in _RANGE:
            parts.append(_RANGE[name](pc.field("layer"), value))
        elif name in _TIME:
            parts.append(_TIME[name](pc.field(time), _moment(rows, time, value)))
        else:
            sensors = pc.unique(rows["sensor_id"]).to_pylist()
            of_machine = [s for s in sensors if s is not None and machines.machine(s) == value]
            parts.append(pc.field("sensor_id").isin(pa.array(of_machine, pa.string())))
    return rows.filter(reduce(operator.and_, parts)) if parts else rows


def page_of(
    rows: pa.Table,
    wanted: RecordFilter,
    *,
    name: str,
    time: str,
    limit: int,
    cursor: str | None,
    columns: Sequence[str],
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of selected rows, and the cursor of the next.

    Args:
        rows: Selected rows, by falling ``time`` and rising key; nulls of ``time`` last.
        wanted: The filter that selected them.
        name: Of the list, for its cursors.
        time: The column that they are ordered by.
        limit: At most so many.
        cursor: Where the page before ended.
        columns: The columns of the items.
    """
    filters = {**asdict(wanted), "list": name}
    floats = pa.types.is_floating(rows.schema.field(time).type)
    if cursor is not None:
        at, key = decode_cursor(cursor, filters, ((float, int) if floats else int, str))
        rows = rows.filter(_behind(rows, time, at, key or ""))
    page = rows.slice(0, limit)
    following = None
    if rows.num_rows > limit:
        last = page.slice(limit - 1, 1)
        value = last[time] if floats else last[time].cast(pa.int64())
        following = encode_cursor([value[0].as_py(), last[_KEY][0].as_py()], filters)
    return plain_rows(page.select(columns)), following


def _behind(rows: pa.Table, time: str, at: float | None, key: str) -> Any:
    kind = rows.schema.field(time).type
    column = pc.field(time)
    later_key = pc.field(_KEY) > key
    if at is None:
        return column.is_null() & later_key
    floats = pa.types.is_floating(kind)
    moment = pa.scalar(at, kind) if floats else pa.scalar(at, pa.int64()).cast(kind)
    return column.is_null() | (column < moment) | ((column == moment) & later_key)


def _moment(rows: pa.Table, time: str, seconds: float) -> pa.Scalar:
    kind = rows.schema.field(time).type
    if pa.types.is_floating(kind):
        return pa.scalar(seconds, kind)
    return pa.scalar(round(seconds * 1e6), pa.int64()).cast(kind)
