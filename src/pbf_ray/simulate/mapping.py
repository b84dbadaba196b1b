"""Which column of a log is which field of the ISPM record: the mapping file (TOML)."""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Callable
from datetime import UTC, date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pbf_ray.contracts import CHANNELS
from pbf_ray.errors import InputFileError, SettingError
from pbf_ray.simulate.event_time import (
    EPOCH_FORMATS,
    TimeOfDay,
    calendar_time,
    epoch_time,
    read_zone,
)
from pbf_ray.simulate.units import UNITS

__all__ = [
    "Constants",
    "FieldSource",
    "FileForm",
    "ReplayMapping",
    "TimeSource",
    "load_mapping",
    "parse_mapping",
]

_KEYS: Final = ("sensor_id", "build_id", "layer")
_Name = Annotated[str, Field(min_length=1)]
FieldName = Literal[
    "sensor_id", "build_id", "layer", "temperature", "pressure", "laser_power", "scan_speed"
]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileForm(_Table):
    """Form of the file.

    Attributes:
        format: ``"csv"`` (comma, or ``delimiter``), ``"pipe"`` (``|``), ``"tsv"``, ``"jsonl"`` (an
            object a line) or ``"parquet"``.
        encoding: Encoding of text files; a byte order mark is skipped.
        delimiter: Separator of csv, one character.
        decimal: Decimal mark of text files.
        columns: Column names where no line names them. Without this, the first line does, and
            repeats of that line are skipped.
        skip_lines: Lines before the header that are not looked at.
        comment: Lines that start with this are skipped.
        missing: Texts that mean "no value".
    """

    format: Literal["csv", "pipe", "tsv", "jsonl", "parquet"]
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    columns: Annotated[tuple[_Name, ...], Field(min_length=1)] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    comment: _Name | None = None
    missing: tuple[str, ...] = ("", "-", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")

    @property
    def separator(self) -> str:
        """What stands between two cells."""
        return self.delimiter or {"pipe": "|", "tsv": "\t"}.get(self.format, ",")


class TimeSource(_Table):
    """Where the event time comes from.

    Attributes:
        column: Column that holds it.
        format: ``"epoch_s"``, ``"epoch_ms"``, ``"epoch_us"``, ``"epoch_ns"``, ``"iso8601"``,
            ``"HH:MM:SS"`` or a ``strptime`` pattern with ``%``.
        start_date: Date of the first record, for ``"HH:MM:SS"``.
        time_zone: Zone of times that name none, for example ``"Europe/Berlin"``.
        wrap_after_h: Step back in hours that means a midnight was passed, for ``"HH:MM:SS"``.
    """

    column: _Name
    format: str
    start_date: date | None = None
    time_zone: str | None = None
    wrap_after_h: Annotated[float, Field(gt=0.0, lt=24.0)] = 12.0

    def reader(self) -> Callable[[object], float]:
        """A new reader: from a cell to seconds since 1970-01-01 UTC, or ValueError.

        It has to see the cells of one file in order.
        """
        zone = None if self.time_zone is None else read_zone(self.time_zone)
        if self.format in EPOCH_FORMATS:
            return partial(epoch_time, ticks_per_s=EPOCH_FORMATS[self.format])
        if self.format == "HH:MM:SS" and self.start_date is not None:
            return TimeOfDay(self.start_date, zone or UTC, wrap_after_s=self.wrap_after_h * 3600.0)
        return calendar_time(None if self.format == "iso8601" else self.format, zone)


class FieldSource(_Table):
    """Where a field of the record comes from.

    Attributes:
        column: Column that holds it.
        unit: Unit of the column; channels need one.
        offset: Added after conversion, in the unit of the record; for a gauge pressure the
            ambient pressure in bar.
    """

    column: _Name
    unit: str | None = None
    offset: float = 0.0


class Constants(_Table):
    """Fields that are the same in every record of the file."""

    sensor_id: _Name | None = None
    build_id: _Name | None = None
    layer: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None


class ReplayMapping(_Table):
    """How a log becomes ISPM records. Made by ``load_mapping`` or ``parse_mapping``.

    Attributes:
        name: Name; stands in the records as part of the producer id.
        description: What it is for.
        file: Form of the file.
        time: Where the event time comes from.
        constants: Fields that never change.
        fields: Columns by field; fields in neither are null.
    """

    name: _Name
    description: str = ""
    file: FileForm
    time: TimeSource
    constants: Constants = Constants()
    fields: dict[FieldName, FieldSource]


def load_mapping(path: Path) -> ReplayMapping:
    """Read a mapping file.

    Raises:
        InputFileError: It cannot be read, or is not TOML.
        SettingError: A key is unknown, missing or of no use; the error names it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputFileError(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputFileError(str(path), "is not UTF-8", byte_offset=error.start) from error
    except tomllib.TOMLDecodeError as error:
        raise InputFileError(str(path), f"is not TOML: {error}") from error
    return parse_mapping(document, source=str(path))


def parse_mapping(document: dict[str, Any], *, source: str) -> ReplayMapping:
    """Make a mapping from the tables of a mapping file.

    Args:
        document: The tables.
        source: Where they come from, for messages.

    Raises:
        SettingError: A key is unknown, missing or of no use; the error names it.
    """
    try:
        mapping = ReplayMapping.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingError(key or "mapping", source, f"{first['msg']}{more}") from error
    problem = _problem(mapping)
    if problem is not None:
        key, what, advice = problem
        raise SettingError(key, source, what, advice=advice)
    return mapping


def _problem(mapping: ReplayMapping) -> tuple[str, str, str] | None:
    return _file_problem(mapping.file) or _time_problem(mapping.time) or _field_problem(mapping)


def _file_problem(form: FileForm) -> tuple[str, str, str] | None:
    unused = {
        "csv": (),
        "pipe": ("delimiter",),
        "tsv": ("delimiter",),
        "jsonl": ("delimiter", "columns"),
        "parquet": ("delimiter", "columns", "encoding", "decimal", "skip_lines", "comment"),
    }[form.format]
    for key in unused:
        if key in form.model_fields_set:
            return f"file.{key}", f"means nothing for {form.format}", "leave it out"
    try:
        codec = codecs.lookup(form.encoding)
        "0".encode(codec.name)
    except (LookupError, ValueError):
        return "file.encoding", f"{form.encoding!r} is no text encoding", "for example utf-8"
    if form.separator in {form.decimal, '"', "\n", "\r"}:
        return (
            "file.delimiter",
            f"{form.separator!r} cannot be told from numbers or lines",
            ('with decimal = "," the delimiter is mostly ";"'),
        )
    return None


def _time_problem(time: TimeSource) -> tuple[str, str, str] | None:
    known = (*EPOCH_FORMATS, "iso8601", "HH:MM:SS")
    if time.format not in known and "%" not in time.format:
        return (
            "time.format",
            f"{time.format!r} is unknown",
            f"one of {', '.join(known)} or a pattern",
        )
    if time.time_zone is not None:
        try:
            read_zone(time.time_zone)
        except ValueError as error:
            return "time.time_zone", str(error), "for example UTC or Europe/Berlin"
    elif time.format not in (*EPOCH_FORMATS, "iso8601") and "%z" not in time.format:
        return "time.time_zone", f"{time.format} names no zone", "say whose clock it is"
    if time.format == "HH:MM:SS" and time.start_date is None:
        return "time.start_date", "is missing", "HH:MM:SS needs the date of the first record"
    if time.format != "HH:MM:SS":
        for key in ("start_date", "wrap_after_h"):
            if key in time.model_fields_set:
                return f"time.{key}", f"means nothing for {time.format}", "leave it out"
    return None


def _field_problem(mapping: ReplayMapping) -> tuple[str, str, str] | None:
    fields = mapping.fields
    for key in _KEYS:
        if key in fields and getattr(mapping.constants, key) is not None:
            return f"constants.{key}", "is a column too", "give only one of them"
    if "sensor_id" not in fields and mapping.constants.sensor_id is None:
        return "fields.sensor_id", "is missing", "name its column, or set constants.sensor_id"
    if not any(channel in fields for channel in CHANNELS):
        return "fields", "maps no channel", f"map one of {', '.join(CHANNELS)}"
    for name, field in fields.items():
        if name in CHANNELS:
            problem = _unit_problem(name, field)
            if problem is not None:
                return problem
            continue
        for key in ("unit", "offset"):
            if key in field.model_fields_set:
                return f"fields.{name}.{key}", "only channels have one", "leave it out"
    return None


def _unit_problem(channel: str, field: FieldSource) -> tuple[str, str, str] | None:
    key, choice = f"fields.{channel}.unit", f"one of {', '.join(UNITS[channel])}"
    if field.unit is None:
        return key, "is missing", choice
    if field.unit not in UNITS[channel]:
        if "gauge" in field.unit or field.unit in {"barg", "psig"}:
            choice = "give the plain unit, and the ambient pressure in bar as offset"
        return key, f"{field.unit!r} cannot be converted", choice
    return None
