"""Rows of text files and Parquet, one at a time, with their line numbers."""

from __future__ import annotations

import codecs
import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pbf_ray.errors import InputFileError
from pbf_ray.simulate.mapping import FileForm

__all__ = ["BadLine", "Row", "read_rows"]

_LONGEST_LINE: Final = 1 << 20
"""Characters. A longer line is bad; without a limit a binary file would be read whole."""
_BATCH_ROWS: Final = 8192


class BadLine(NamedTuple):
    """A line that gives no record.

    Attributes:
        line: Line number, from 1; of Parquet the row number, from 1.
        reason: What is wrong with it.
    """

    line: int
    reason: str


class Row(NamedTuple):
    """The wanted cells of one line.

    Attributes:
        line: Line number, from 1; of Parquet the row number, from 1.
        cells: Values of the wanted columns; None where there is none.
    """

    line: int
    cells: tuple[object, ...]


def read_rows(
    path: Path,
    form: FileForm,
    columns: Sequence[str],
    on_bad_line: Callable[[BadLine], object],
) -> Iterator[Row]:
    """Read the wanted columns of a file, without holding more than a part of it.

    Args:
        path: The file.
        form: Its form.
        columns: Wanted columns, each once.
        on_bad_line: Called for every line that is no row.

    Yields:
        The rows in the order of the file.

    Raises:
        InputFileError: The file cannot be read, or has not these columns.
    """
    if form.format == "parquet":
        yield from _parquet_rows(path, form, columns)
        return
    lines = _lines(path, form, on_bad_line)
    if form.format == "jsonl":
        yield from _json_rows(lines, form, columns, on_bad_line)
    else:
        yield from _delimited_rows(str(path), lines, form, columns, on_bad_line)


def _pieces(path: Path, form: FileForm) -> Iterator[str]:
    """The lines of a text file, those too long in pieces; only reading is guarded here."""
    encoding = "utf-8-sig" if codecs.lookup(form.encoding).name == "utf-8" else form.encoding
    try:
        # Undecodable bytes become surrogates, so that they spoil one line and not the file.
        with path.open(encoding=encoding, errors="surrogateescape") as file:
            yield from iter(partial(file.readline, _LONGEST_LINE), "")
    except OSError as error:
        raise InputFileError(str(path), error.strerror or str(error)) from error
    except UnicodeError as error:
        raise InputFileError(
            str(path),
            f"is not {form.encoding} text: {error}",
            advice="set file.encoding of the mapping to the encoding of the file",
        ) from error


def _lines(
    path: Path, form: FileForm, on_bad_line: Callable[[BadLine], object]
) -> Iterator[tuple[int, str]]:
    pieces = _pieces(path, form)
    number = 0
    for text in pieces:
        number += 1
        whole = len(text) < _LONGEST_LINE or text.endswith("\n")
        if not whole:
            for rest in pieces:
                if rest.endswith("\n"):
                    break
        text = text.rstrip("\n")
        if number <= form.skip_lines or not text.strip():
            continue
        if form.comment is not None and text.startswith(form.comment):
            continue
        if not whole:
            on_bad_line(BadLine(number, f"is longer than {_LONGEST_LINE} characters"))
        elif not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            on_bad_line(BadLine(number, f"is not {form.encoding} text"))
        else:
            yield number, text


def _delimited_rows(
    name: str,
    lines: Iterator[tuple[int, str]],
    form: FileForm,
    columns: Sequence[str],
    on_bad_line: Callable[[BadLine], object],
) -> Iterator[Row]:
    split = _splitter(form)
    if form.columns is not None:
        header, header_line = list(form.columns), 0
    else:
        header, header_line = _header(name, lines, split)
    header = _without_empty_end(header)
    places = _places(name, header_line, header, columns)
    missing = frozenset(form.missing)
    for number, text in lines:
        try:
            cells = split(text)
        except csv.Error as error:
            on_bad_line(BadLine(number, f"cannot be split into cells: {error}"))
            continue
        if len(cells) > len(header):
            cells = cells[: len(header)] + _without_empty_end(cells[len(header) :])
        if len(cells) != len(header):
            on_bad_line(BadLine(number, f"has {len(cells)} cells, the header has {len(header)}"))
        elif cells != header:
            wanted = (cells[place] for place in places)
            yield Row(number, tuple(None if cell in missing else cell for cell in wanted))


def _header(
    name: str, lines: Iterator[tuple[int, str]], split: Callable[[str], list[str]]
) -> tuple[list[str], int]:
    for number, text in lines:
        try:
            return split(text), number
        except csv.Error as error:
            raise InputFileError(
                name, f"the header cannot be split into cells: {error}", line=number
            ) from error
    raise InputFileError(
        name, "has no line that names the columns", advice="is it empty, or still being written?"
    )


def _splitter(form: FileForm) -> Callable[[str], list[str]]:
    separator, quoted = form.separator, form.format in {"csv", "tsv"}

    def split(text: str) -> list[str]:
        if quoted and '"' in text:
            cells = next(
                csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True)
            )
        else:
            cells = text.split(separator)
        return [cell.strip() for cell in cells]

    return split


def _without_empty_end(cells: list[str]) -> list[str]:
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _places(name: str, line: int, header: list[str], columns: Sequence[str]) -> list[int]:
    counts = Counter(header)
    for column in columns:
        if counts[column] != 1:
            problem = "has no column" if not counts[column] else "has more than one column"
            raise InputFileError(
                name,
                f"{problem} {column!r}",
                line=line or None,
                advice=f"its columns are {', '.join(header)}",
            )
    return [header.index(column) for column in columns]


def _json_rows(
    lines: Iterator[tuple[int, str]],
    form: FileForm,
    columns: Sequence[str],
    on_bad_line: Callable[[BadLine], object],
) -> Iterator[Row]:
    missing = frozenset(form.missing)
    for number, text in lines:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            on_bad_line(BadLine(number, f"is not JSON: {error}"))
            continue
        if isinstance(row, dict):
            yield Row(number, tuple(_value(row.get(column), missing) for column in columns))
        else:
            on_bad_line(BadLine(number, "is not a JSON object"))


def _value(value: Any, missing: frozenset[str]) -> object:
    if isinstance(value, str):
        value = value.strip()
        return None if value in missing else value
    if isinstance(value, float) and math.isnan(value) and "NaN" in missing:
        return None
    return value


def _parquet_rows(path: Path, form: FileForm, columns: Sequence[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing = frozenset(form.missing)
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            _places(str(path), 0, list(file.schema_arrow.names), columns)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                values = [_plain(batch.column(column)) for column in columns]
                for cells in zip(*values, strict=True):
                    number += 1
                    yield Row(number, tuple(_value(cell, missing) for cell in cells))
    except OSError as error:  # pyarrow's own ArrowIOError is OSError
        raise InputFileError(str(path), error.strerror or str(error)) from error
    except pa.ArrowException as error:
        raise InputFileError(
            str(path), f"is not readable Parquet: {error}", line=number + 1 if number else None
        ) from error


def _plain(column: Any) -> list[Any]:
    import pyarrow as pa

    # Python's datetime and time hold microseconds.
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    elif pa.types.is_time64(column.type):
        column = column.cast(pa.time64("us"), safe=False)
    return list(column.to_pylist())
