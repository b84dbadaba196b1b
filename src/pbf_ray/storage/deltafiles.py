"""Data files of Delta tables: Arrow types they can hold, writing, column statistics.

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
import errno
import json
import os
import re
import sys
import uuid
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import StagedFile

__all__ = [
    "file_error",
    "lake_schema",
    "staged_epoch",
    "statistics_property",
    "sync_path",
    "to_lake",
    "write_file",
]

_JOB: Final = b"pbf_ray.job_id"
_EPOCH: Final = b"pbf_ray.epoch"
_LONGEST_STATISTIC: Final = 64
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_ROWS_PER_GROUP: Final = 256 * 1024
_MICROS: Final = pa.timestamp("us", tz="UTC")
_YEARS_US: Final = (-62_135_596_800_000_000, 253_402_300_799_000_000)
"""From the start of year 1 to the last whole second of year 9999: what ISO text can say."""
_YEARS_DAYS: Final = (-719_162, 2_932_896)

_NATIVE_NUMBER: Final = re.compile(r"os error (\d+)")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_LATER: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}


def file_error(store: str, what: str, error: Exception) -> StoreError:
    """An error of the operating system as ours, transient or not.

    Args:
        store: Name of the store, for messages.
        what: What failed.
        error: An OSError; or one of a native library that only says "(os error 28)".
    """
    told = _NATIVE_NUMBER.search(str(error))
    number = getattr(error, "errno", None) or (int(told[1]) if told else None)
    problem = f"{what}: {_COLOURS.sub('', str(error))}"
    if number in _LATER:
        return StoreUnavailableError(store, problem, advice="make room, see the disk")
    if number is None:
        return StoreContentError(store, problem, advice="the file is damaged: see the disk")
    if number == errno.ENOENT:
        return StoreError(store, problem, advice="was the store prepared, or its folder removed?")
    return StoreError(store, problem, advice="see the rights of this user and the place")


def lake_schema(contract: TableContract, *, store: str) -> pa.Schema:
    """The schema of the files of a contract: its own, with timestamps in microseconds.

    Raises:
        StoreContentError: A type cannot be stored exactly in Delta Lake.
    """
    return pa.schema(
        [
            pa.field(
                field.name,
                _lake_type(field.type, f"{contract.name}.{field.name}", store),
                nullable=field.nullable,
                metadata=field.metadata,
            )
            for field in contract.schema
        ]
    )


def _lake_type(kind: pa.DataType, path: str, store: str) -> pa.DataType:
    if pa.types.is_struct(kind) and kind.num_fields:
        return pa.struct(
            [
                field.with_type(_lake_type(field.type, f"{path}.{field.name}", store))
                for field in kind
            ]
        )
    if pa.types.is_timestamp(kind) and kind.tz == "UTC" and kind.unit != "ns":
        return _MICROS
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    exact = (
        pa.types.is_signed_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_float32(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_date32(kind)
    )
    if not exact:
        raise StoreContentError(
            store,
            f"{path}: {kind} cannot be stored exactly in Delta Lake",
            advice="use bool, int8..int64, float32/64, string, binary, date32, UTC timestamps "
            "down to us, or structs of them",
        )
    return kind


def to_lake(table: pa.Table, schema: pa.Schema, *, store: str, name: str) -> pa.Table:
    """Rows in the schema of the files.

    Raises:
        StoreContentError: A timestamp is out of the range of microseconds.
    """
    try:
        return table.cast(schema)
    except pa.ArrowInvalid as error:
        raise StoreContentError(store, f"rows for {name} do not fit: {error}") from error


def write_file(
    folder: Path,
    table: pa.Table,
    *,
    stem: str,
    store: str,
    job_id: str | None = None,
    epoch: int = -1,
) -> StagedFile:
    """Write one data file, which belongs to no table until a commit adds it.

    Args:
        folder: Of the table.
        table: Rows in the lake schema.
        stem: Start of the file name; letters, digits, ``-`` and ``_``.
        store: Name of the store, for messages.
        job_id: Job that stages it; None for a file that holds rows of many epochs.
        epoch: Epoch that it is staged for.

    Raises:
        StoreError: It cannot be written; nothing is left behind.
    """
    name = f"{stem}-{uuid.uuid4().hex}.zstd.parquet"
    path = folder / name
    stats = _statistics(table)
    dictionary, bounded = _encodings(table)
    if job_id is not None:
        owner = {_JOB: job_id.encode(), _EPOCH: str(epoch).encode()}
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **owner})
    try:
        with path.open("xb") as sink:
            pq.write_table(
                table,
                sink,
                compression="zstd",
                row_group_size=_ROWS_PER_GROUP,
                use_dictionary=dictionary,
                write_statistics=bounded,
            )
            sink.flush()
            os.fsync(sink.fileno())
            size = sink.tell()
        sync_path(folder)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise file_error(store, f"cannot write {path}", error) from error
    return StagedFile(name, size, table.num_rows, json.dumps(stats, allow_nan=False))


def sync_path(path: Path) -> None:
    """See that a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def staged_epoch(path: Path) -> tuple[str, int] | None:
    """The job and epoch that a file was staged for.

    Returns:
        None if it was not staged for one, or is no whole data file.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowInvalid:
        return None
    if _JOB not in metadata:
        return None
    return metadata[_JOB].decode(), int(metadata[_EPOCH])


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


def _statistics(table: pa.Table) -> dict[str, Any]:
    """The statistics of the log."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    complete = True
    for field, column in zip(table.schema, table.columns, strict=True):
        if not _has_statistics(field):
            continue
        nulls[field.name] = column.null_count
        if table.num_rows > column.null_count:
            extremes = _extremes(column, field.type)
            if extremes is None:
                complete = False
            else:
                low[field.name], high[field.name] = extremes
    stats: dict[str, Any] = {"numRecords": table.num_rows, "nullCount": nulls}
    if complete:
        stats |= {"minValues": low, "maxValues": high}
    return stats


def _encodings(table: pa.Table) -> tuple[list[str], list[str]]:
    """Parquet columns to encode by dictionary, and those with statistics in the footer."""
    dictionary: list[str] = []
    bounded: list[str] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        # Measured values hardly repeat: building a dictionary of them would only take time.
        plain = [path for path, kind in _leaves(field) if not pa.types.is_floating(kind)]
        dictionary += plain
        bounded += plain
        if pa.types.is_floating(field.type) and not pc.any(pc.is_nan(column)).as_py():
            bounded.append(field.name)
    return dictionary, bounded


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
