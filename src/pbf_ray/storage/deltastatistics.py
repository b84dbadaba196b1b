"""What is said of a data file so that readers can skip it, or parts of it.

Statistics decide which files and row groups a reader skips, so a wrong one loses rows:

- NaN has no place in them: polars and Spark call it greater than every number, but no maximum says
  so. JSON cannot say infinity. So the log has none for floating point columns; the footer of a file
  has them for those without NaN.
- Readers on top of delta-rs take a missing least value for "no row matches" if the column is one of
  those with statistics. So the property of :func:`statistics_property` names the columns that have
  them, and a file has all of them or none.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Collection
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["FileStatistics", "encodings", "statistics_property", "without_nan"]

_LONGEST_STATISTIC: Final = 64
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_YEARS_US: Final = (-62_135_596_800_000_000, 253_402_300_799_000_000)
"""From the start of year 1 to the last whole second of year 9999: what ISO text can say."""
_YEARS_DAYS: Final = (-719_162, 2_932_896)


class FileStatistics:
    """The statistics that the log has of a file, gathered from its pieces.

    Bounds of pieces are put together as the log writes them: texts that are cut short and instants
    that are rounded stay bounds, for both keep the order.

    Args:
        schema: Of the file.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._fields = [field for field in schema if _has_statistics(field)]
        self._nulls = {field.name: 0 for field in self._fields}
        self._low: dict[str, Any] = {}
        self._high: dict[str, Any] = {}
        self._complete = True
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Take a piece of the file in."""
        self.rows += table.num_rows
        for field in self._fields:
            column, name = table[field.name], field.name
            self._nulls[name] += column.null_count
            if table.num_rows == column.null_count or not self._complete:
                continue
            extremes = _extremes(column, field.type)
            if extremes is None:
                self._complete = False
                continue
            low, high = extremes
            self._low[name] = min(low, self._low.get(name, low))
            self._high[name] = max(high, self._high.get(name, high))

    def to_json(self) -> str:
        """As the log has them."""
        stats: dict[str, Any] = {"numRecords": self.rows, "nullCount": self._nulls}
        if self._complete:
            stats |= {"minValues": self._low, "maxValues": self._high}
        return json.dumps(stats, allow_nan=False)


def without_nan(table: pa.Table) -> set[str]:
    """The floating point columns in which there is no NaN."""
    return {
        field.name
        for field, column in zip(table.schema, table.columns, strict=True)
        if pa.types.is_floating(field.type) and not pc.any(pc.is_nan(column)).as_py()
    }


def encodings(schema: pa.Schema, free_of_nan: Collection[str]) -> tuple[list[str], list[str]]:
    """Parquet columns to encode by dictionary, and those with statistics in the footer.

    Args:
        schema: Of the file.
        free_of_nan: Its floating point columns in which there is no NaN.
    """
    dictionary: list[str] = []
    bounded: list[str] = []
    for field in schema:
        # Measured values hardly repeat: building a dictionary of them would only take time.
        plain = [path for path, kind in _leaves(field) if not pa.types.is_floating(kind)]
        dictionary += plain
        bounded += plain
        if field.name in free_of_nan:
            bounded.append(field.name)
    return dictionary, bounded


def statistics_property(schema: pa.Schema) -> str:
    """The columns with statistics in the log, as ``delta.dataSkippingStatsColumns`` names them."""
    return ",".join(field.name for field in schema if _has_statistics(field))


def _has_statistics(field: pa.Field) -> bool:
    kind = field.type
    ordered = (
        pa.types.is_integer(kind)
        or pa.types.is_string(kind)
        or pa.types.is_date32(kind)
        or pa.types.is_timestamp(kind)
    )
    return ordered and _PLAIN_NAME.fullmatch(field.name) is not None


def _leaves(field: pa.Field) -> list[tuple[str, pa.DataType]]:
    """Paths and types of the Parquet columns of a field."""
    if not pa.types.is_struct(field.type):
        return [(field.name, field.type)]
    return [(f"{field.name}.{path}", kind) for child in field.type for path, kind in _leaves(child)]


def _extremes(column: pa.ChunkedArray, kind: pa.DataType) -> tuple[Any, Any] | None:
    """Bounds of the values as JSON; None where JSON, or readers, cannot tell them rightly."""
    if pa.types.is_string(kind):
        least, greatest = _min_max(column)
        above = _text_above(greatest)
        return None if above is None else (least[:_LONGEST_STATISTIC], above)
    if pa.types.is_timestamp(kind):
        least, greatest = _min_max(column.cast(pa.int64()))
        if least < _YEARS_US[0] or greatest > _YEARS_US[1]:
            return None
        # Readers may look at milliseconds only: round away from what is inside.
        return _instant(least // 1000), _instant(-(-greatest // 1000))
    if pa.types.is_date32(kind):
        least, greatest = _min_max(column.cast(pa.int32()))
        if least < _YEARS_DAYS[0] or greatest > _YEARS_DAYS[1]:
            return None
        return _date(least), _date(greatest)
    return _min_max(column)


def _text_above(text: str) -> str | None:
    """The text itself, or a short one that stands after it and all that start like it."""
    if len(text) <= _LONGEST_STATISTIC:
        return text
    for length in range(_LONGEST_STATISTIC, 0, -1):
        following = ord(text[length - 1]) + 1
        if following == _FIRST_SURROGATE:
            following = _AFTER_SURROGATES
        if following <= sys.maxunicode:
            return text[: length - 1] + chr(following)
    return None


def _min_max(column: pa.ChunkedArray) -> tuple[Any, Any]:
    both = pc.min_max(column)
    return both["min"].as_py(), both["max"].as_py()


def _date(days: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=days)).isoformat()


def _instant(millis: int) -> str:
    instant = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=millis)  # noqa: DTZ001
    return instant.isoformat(timespec="milliseconds") + "Z"
