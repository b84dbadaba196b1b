"""Replay of real logs as ISPM records, by a mapping."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pbf_ray.contracts import CHANNELS
from pbf_ray.errors import InputFileError
from pbf_ray.simulate.cells import CellError, layer_cell, number_cell, text_cell
from pbf_ray.simulate.event_time import EPOCH_FORMATS
from pbf_ray.simulate.mapping import ReplayMapping
from pbf_ray.simulate.record import SimulatedRecord
from pbf_ray.simulate.rows import BadLine, Row, read_rows
from pbf_ray.simulate.units import UNITS

__all__ = ["BadLine", "ReplayedLog", "replay_records"]

_T = TypeVar("_T")


def replay_records(
    path: Path, mapping: ReplayMapping, *, on_bad_line: Callable[[BadLine], object]
) -> Iterator[SimulatedRecord]:
    """The records of a log, in the order of the file.

    Values are converted to the units of the record; fields that the mapping does not name, and
    missing values, are null. The message id is the file name and line, so that a second replay
    sends the same bytes.

    Args:
        path: The log.
        mapping: What its columns mean.
        on_bad_line: Called with every line that gives no record, for example ``bad.append``. A
            repeated header, an empty line and a comment are not bad.

    Yields:
        Records with their event times; pass them through ``pace`` to send them in time.

    Raises:
        InputFileError: The file cannot be read, has not the mapped columns, or has lines but not
            one good one.
    """
    converter = _Converter(path.name, mapping)
    bad, first_bad, good = 0, BadLine(0, ""), 0

    def report(line: BadLine) -> None:
        nonlocal bad, first_bad
        bad += 1
        if bad == 1:
            first_bad = line
        on_bad_line(line)

    newest: dict[str | None, float] = {}
    for row in read_rows(path, mapping.file, converter.columns, report):
        try:
            record, build_id = converter.record(row)
        except CellError as error:
            report(BadLine(row.line, str(error)))
            continue
        good += 1
        before = newest.get(build_id)
        if before is not None and record.event_time_s < before:
            record = record._replace(behind_s=before - record.event_time_s)
        else:
            newest[build_id] = record.event_time_s
        yield record
    if bad and not good:
        raise InputFileError(
            str(path),
            f"none of its {bad} lines gives a record; the first {first_bad.reason}",
            line=first_bad.line,
            advice=f"check that the mapping {mapping.name} is for this file",
        )


class ReplayedLog:
    """A log as a ``SensorSource``. A second ``records()`` goes on where the first one ended.

    Args:
        path: The log.
        mapping: What its columns mean.
        on_bad_line: Called once with every line that gives no record.
    """

    def __init__(
        self, path: Path, mapping: ReplayMapping, *, on_bad_line: Callable[[BadLine], object]
    ) -> None:
        self._path = path
        self._mapping = mapping
        self._on_bad_line = on_bad_line
        self._given = 0
        self._reported = 0

    def records(self) -> Iterator[SimulatedRecord]:
        """The records of the log that were not given yet; raises as ``replay_records`` does."""
        records = replay_records(self._path, self._mapping, on_bad_line=self._report)
        for record in islice(records, self._given, None):
            self._given += 1
            yield record

    def close(self) -> None:
        """There is nothing to give back: the file is closed with the iterator."""

    def _report(self, line: BadLine) -> None:
        if line.line > self._reported:
            self._reported = line.line
            self._on_bad_line(line)


class _Converter:
    """From a row to a record, for one pass over one file."""

    def __init__(self, file_name: str, mapping: ReplayMapping) -> None:
        fields = mapping.fields
        wanted = [mapping.time.column, *(source.column for source in fields.values())]
        self.columns = list(dict.fromkeys(wanted))
        place = {column: index for index, column in enumerate(self.columns)}
        self._time_place = place[mapping.time.column]
        self._read_time = mapping.time.reader()
        self._decimal = mapping.file.decimal
        self._decimal_epoch = self._decimal != "." and mapping.time.format in EPOCH_FORMATS
        self._texts: list[tuple[str, int]] = [
            (text, place[fields[text].column])
            for text in ("sensor_id", "build_id")
            if text in fields
        ]
        self._layer_place = place[fields["layer"].column] if "layer" in fields else None
        self._channels = [
            (name, place[source.column], UNITS[name][source.unit], source.offset)
            for name, source in fields.items()
            if name in CHANNELS and source.unit is not None
        ]
        constants = mapping.constants
        self._template: dict[str, Any] = {
            "sensor_id": constants.sensor_id,
            "timestamp": None,
            **dict.fromkeys(CHANNELS),
            "build_id": constants.build_id,
            "layer": constants.layer,
        }
        self._producer_id = f"replay-{mapping.name}"
        self._file_name = file_name

    def record(self, row: Row) -> tuple[SimulatedRecord, str | None]:
        """The record of a row and its build id; CellError tells why there is none."""
        cells = row.cells
        values = self._template.copy()
        for name, place in self._texts:
            values[name] = _read(name, text_cell, cells[place])
        if values["sensor_id"] is None:
            raise CellError("sensor_id: is missing")
        if self._layer_place is not None:
            values["layer"] = _read("layer", layer_cell, cells[self._layer_place], self._decimal)
        for name, place, conversion, offset in self._channels:
            number = _read(name, number_cell, cells[place], self._decimal)
            if number is not None:
                values[name] = conversion.convert(number) + offset
        # Last, for the clock must not move on for a line that gives no record.
        event_time_s = _read("time", self._event_time_s, cells[self._time_place])
        values["timestamp"] = event_time_s
        values["_metadata"] = {
            "timestamp": event_time_s,
            "producer_id": self._producer_id,
            "message_id": f"{self._file_name}:{row.line}",
        }
        text = json.dumps(values, separators=(",", ":"))
        record = SimulatedRecord(values["sensor_id"].encode(), text.encode("ascii"), event_time_s)
        return record, values["build_id"]

    def _event_time_s(self, cell: object) -> float:
        if cell is None:
            raise CellError("is missing")
        if self._decimal_epoch and isinstance(cell, str):
            return self._read_time(number_cell(cell, self._decimal))
        return self._read_time(cell)


def _read(name: str, read: Callable[..., _T], *cell: object) -> _T:
    try:
        return read(*cell)
    except (ValueError, OverflowError) as error:
        raise CellError(f"{name}: {error}") from error
