"""The input in pieces: bytes of a file, row groups of a file, offsets of a partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np

from pbf_ray.batch.places import place_of
from pbf_ray.batch.quality.sources import FileRecords, RecordFile, RecordSource

__all__ = [
    "buckets_for",
    "LineSlice",
    "RowGroupSlice",
    "Slice",
    "TopicSlice",
    "lines_in",
    "slices_of",
    "uncounted",
    "with_first_records",
]

_CHUNK_BYTES: Final = 8 << 20
_MOST_BUCKETS: Final = 1024
_PACKED_GROWTH: Final = 10
"""Bytes of records per byte of a compressed file, at a guess."""


@dataclass(frozen=True)
class LineSlice:
    """The lines of a file that begin within a range of bytes.

    Attributes:
        file: The file.
        begin: First byte.
        end: Behind the last byte.
        first_record: Number in the file of the first line.
    """

    file: RecordFile
    begin: int
    end: int
    first_record: int = 0


@dataclass(frozen=True)
class RowGroupSlice:
    """Row groups of a Parquet file.

    Attributes:
        file: The file.
        row_groups: Their numbers.
        first_record: Number in the file of the first row.
    """

    file: RecordFile
    row_groups: tuple[int, ...]
    first_record: int


@dataclass(frozen=True)
class TopicSlice:
    """Offsets [begin, end) of a partition.

    Attributes:
        topic: The topic.
        partition: The partition.
        begin: First offset.
        end: Behind the last.
        bootstrap_servers: The brokers.
        client: Further librdkafka settings; may hold secrets.
        timeout_s: How long brokers may not answer.
    """

    topic: str
    partition: int
    begin: int
    end: int
    bootstrap_servers: str
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0


Slice: TypeAlias = LineSlice | RowGroupSlice | TopicSlice


def slices_of(source: RecordSource, *, split_bytes: int, split_records: int) -> list[Slice]:
    """Pieces in the order of the records; they depend on the input and the sizes alone.

    Args:
        source: What is to be read.
        split_bytes: Bytes of a file per piece, about.
        split_records: Offsets of a partition per piece.
    """
    if isinstance(source, FileRecords):
        return [piece for file in source.files for piece in _of_file(file, split_bytes)]
    return [
        TopicSlice(
            *place,
            begin=first,
            end=min(first + split_records, end),
            bootstrap_servers=source.bootstrap_servers,
            client=source.client,
            timeout_s=source.timeout_s,
        )
        for place, (begin, end) in sorted(source.ranges.items())
        for first in range(begin, end, split_records)
    ]


def _of_file(file: RecordFile, split_bytes: int) -> Iterator[Slice]:
    if file.kind == "json":
        parts = 1 if file.packed else max(1, -(-file.size // split_bytes))
        for part in range(parts):
            yield LineSlice(file, file.size * part // parts, file.size * (part + 1) // parts)
        return
    rows_per_part = max(1, sum(file.row_groups) * split_bytes // max(file.size, split_bytes))
    groups: list[int] = []
    first = at = 0
    for number, rows in enumerate(file.row_groups):
        groups.append(number)
        at += rows
        if at - first >= rows_per_part or number == len(file.row_groups) - 1:
            yield RowGroupSlice(file, tuple(groups), first)
            groups, first = [], at


def buckets_for(source: RecordSource, slices: Sequence[Slice], *, split_bytes: int) -> int:
    """Into how many parts records are split by layer: a part is about as large as a piece.

    Args:
        source: What is to be read.
        slices: Its pieces.
        split_bytes: Bytes of a file per piece, about.
    """
    packed = 0
    if isinstance(source, FileRecords):
        files = [file for file in source.files if file.packed or file.row_groups]
        packed = sum(file.size for file in files) * _PACKED_GROWTH
    return max(1, min(_MOST_BUCKETS, max(len(slices), -(-packed // split_bytes))))


def uncounted(slices: Sequence[Slice]) -> list[LineSlice]:
    """Pieces whose lines have to be counted, so that those after them know their numbers."""
    return [
        piece
        for piece in slices
        if isinstance(piece, LineSlice) and not piece.file.packed and piece.end < piece.file.size
    ]


def lines_in(piece: LineSlice) -> int:
    """How many lines of a file begin in a piece.

    Raises:
        InputFileError: The file cannot be read.
    """
    place = place_of(piece.file.url)
    # A line begins at the byte behind a newline, and at the first byte of the file.
    count = int(piece.begin == 0)
    with place.errors(), place.file_system.open(place.path, "rb") as stream:
        at = max(piece.begin - 1, 0)
        stream.seek(at)
        while at < piece.end - 1:
            block = stream.read(min(_CHUNK_BYTES, piece.end - 1 - at))
            if not block:
                break
            count += int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))
            at += len(block)
    return count


def with_first_records(slices: Sequence[Slice], counts: Mapping[LineSlice, int]) -> list[Slice]:
    """The pieces, those of lines with the number of their first line.

    Args:
        slices: In the order of the records.
        counts: Lines of each piece that ``uncounted`` named.
    """
    known: list[Slice] = []
    lines: dict[RecordFile, int] = {}
    for piece in slices:
        if isinstance(piece, LineSlice):
            first = lines.get(piece.file, 0)
            lines[piece.file] = first + counts.get(piece, 0)
            piece = replace(piece, first_record=first)
        known.append(piece)
    return known
