"""Rows of the output tables, with the columns that people look for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from pbf_ray.cli.render.anomalies import SEVERITY_STYLES
from pbf_ray.cli.render.fitting import FittedColumn, fitted_table

__all__ = ["VIEWS", "Column", "View", "moment", "preview", "rows_table"]

Row = Mapping[str, Any]


def moment(seconds: float | None) -> str:
    """Seconds since 1970 UTC as date and time; what cannot be a date as it is."""
    if seconds is None:
        return "null"
    try:
        text = datetime.fromtimestamp(seconds, UTC).isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
    return text.removesuffix("+00:00")


def preview(value: bytes | None, most: int = 60) -> str:
    """The beginning of a raw value, unprintable characters escaped."""
    if value is None:
        return "null"
    text = value[: 4 * most].decode("utf-8", "backslashreplace")
    shown = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


@dataclass(frozen=True)
class Column:
    """A column for people.

    Attributes:
        heading: What stands above it.
        text: The cell of a row.
        right: Whether it holds numbers.
        fold: Whether a cell may go on in the next line.
        spare: 0: always there; of the others the highest goes first when there is no room.
        style: Style of a cell, by its text.
    """

    heading: str
    text: Callable[[Row], str]
    right: bool = False
    fold: bool = False
    spare: int = 0
    style: Mapping[str, str] | None = None


@dataclass(frozen=True)
class View:
    """What people see of a table.

    Attributes:
        table: Name of the output table.
        columns: Its columns.
        needs: The table's columns that those are made of.
    """

    table: str
    columns: tuple[Column, ...]
    needs: tuple[str, ...]


def _plain(name: str, heading: str = "", *, fold: bool = False, spare: int = 0) -> Column:
    return Column(heading or name, lambda row: _text(row[name]), fold=fold, spare=spare)


def _decimal(name: str, heading: str, decimals: int, *, spare: int = 0) -> Column:
    def text(row: Row) -> str:
        value = row[name]
        if value is None:
            return "-"
        return f"{value:.{decimals}f}" if math.isfinite(value) else str(value)

    return Column(heading, text, right=True, spare=spare)


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


_TIME: Final = Column("UTC", lambda row: moment(row["timestamp"]))
_BUILD: Final = _plain("build_id", "build", fold=True)
_LAYER: Final = Column("layer", lambda row: _text(row["layer"]), right=True)
_SENSOR: Final = _plain("sensor_id", "sensor", spare=3)
_POSITION: Final = Column(
    "position", lambda row: f"{row['topic']}/{row['partition']}@{row['offset']}"
)
_AT: Final = ("topic", "partition", "offset")
_CHANNELS: Final = (
    _decimal("temperature", "degC", 1, spare=1),
    _decimal("pressure", "bar", 3, spare=2),
    _decimal("laser_power", "W", 1, spare=4),
    _decimal("scan_speed", "m/s", 3, spare=5),
)
_MEASURED: Final = ("temperature", "pressure", "laser_power", "scan_speed")

VIEWS: Final[dict[str, View]] = {
    "anomalies": View(
        "ispm_anomalies",
        (
            _TIME,
            _BUILD,
            _LAYER,
            Column("severity", lambda row: row["severity"], style=SEVERITY_STYLES),
            Column("anomaly", lambda row: row["anomaly_type"] + (" (late)" if row["late"] else "")),
            *_CHANNELS,
        ),
        ("timestamp", "build_id", "layer", "severity", "anomaly_type", "late", *_MEASURED),
    ),
    "dead-letters": View(
        "dead_letters",
        (
            _POSITION,
            _plain("reason"),
            _plain("detail", fold=True),
            Column("value", lambda row: preview(row["value"]), fold=True),
        ),
        (*_AT, "reason", "detail", "value"),
    ),
    "late": View(
        "late_records",
        (
            _POSITION,
            _TIME,
            Column(
                "behind s", lambda row: f"{row['watermark'] - row['timestamp']:.3f}", right=True
            ),
            _BUILD,
            _LAYER,
            _SENSOR,
        ),
        (*_AT, "timestamp", "watermark", "build_id", "layer", "sensor_id"),
    ),
    "monitoring": View(
        "ispm_monitoring",
        (_TIME, _BUILD, _LAYER, _SENSOR, *_CHANNELS),
        ("timestamp", "build_id", "layer", "sensor_id", *_MEASURED),
    ),
    "quality": View(
        "quality_metrics",
        (
            _TIME,
            _BUILD,
            _LAYER,
            _decimal("temperature", "degC", 1, spare=3),
            _decimal("temperature_avg", "degC avg", 1, spare=1),
            _decimal("temperature_std", "std", 2, spare=1),
            _decimal("pressure_avg", "bar avg", 3, spare=2),
            _decimal("pressure_std", "std", 4, spare=2),
            _decimal("quality_score", "quality", 1),
        ),
        (
            "timestamp",
            "build_id",
            "layer",
            "temperature",
            "temperature_avg",
            "temperature_std",
            "pressure_avg",
            "pressure_std",
            "quality_score",
        ),
    ),
}
"""Views by their name on the command line; layers have a view of their own."""


def rows_table(rows: Sequence[Row], view: View, *, width: int) -> RenderableType:
    """A line per row.

    Args:
        rows: Rows with the columns that the view needs.
        view: What to show of them.
        width: Columns of the terminal.
    """
    columns = []
    for column in view.columns:
        heading, texts = column.heading, [column.text(row) for row in rows]
        if column is _TIME:
            heading, texts = _without_date(heading, texts)
        styles = column.style or {}
        columns.append(
            FittedColumn(
                heading,
                [Text(text, style=styles.get(text, "")) for text in texts],
                right=column.right,
                fold=column.fold,
                spare=column.spare,
            )
        )
    return fitted_table(columns, width=width)


def _without_date(heading: str, texts: list[str]) -> tuple[str, list[str]]:
    """A date that all have stands above them once."""
    dates = {text.partition(" ")[0] for text in texts}
    if len(dates) > 1 or not all(" " in text for text in texts):
        return f"time {heading}", texts
    return f"{dates.pop()} {heading}", [text.partition(" ")[2] for text in texts]
