"""Pieces of the input as batches of raw or decoded records with their positions."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.batch.places import place_of
from pbf_ray.batch.quality.parquet_records import decoded_columns
from pbf_ray.batch.quality.slices import LineSlice, RowGroupSlice, Slice, TopicSlice
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import DecodeResult, from_json
from pbf_ray.errors import InputFileError
from pbf_ray.kafka.partition_reader import PartitionReader, RawBytes, ReadBatch

__all__ = ["PositionedRecords", "read_slice"]

_NEWLINE: Final = ord("\n")
_LOOK_BYTES: Final = 64 << 10
_UNPACKED_BYTES: Final = 32 << 20
"""Compressed files are worked through in pieces of so many bytes."""


@dataclass(frozen=True)
class PositionedRecords:
    """Records of a piece.

    Attributes:
        batch: Raw, with positions; what is read from columns has no raw values.
        decoded: The same decoded, mode ``dead_letter``.
    """

    batch: ReadBatch
    decoded: DecodeResult


def read_slice(piece: Slice) -> Iterator[PositionedRecords]:
    """The records of a piece, in one or more batches.

    Raises:
        InputFileError: A file cannot be read.
        BrokerError: A topic cannot be read.
    """
    if isinstance(piece, TopicSlice):
        yield _decoded(_of_topic(piece))
    elif isinstance(piece, RowGroupSlice):
        yield _of_row_groups(piece)
    else:
        first, begins = piece.first_record, piece.begin == 0
        for lines in _packed_lines(piece) if piece.file.packed else [_plain_lines(piece)]:
            if begins:
                lines, begins = lines.removeprefix(codecs.BOM_UTF8), False
            values = _split_lines(lines, piece.file.url)
            yield _decoded(_batch(piece, first, values))
            first += len(values)


def _decoded(batch: ReadBatch) -> PositionedRecords:
    return PositionedRecords(batch, from_json(batch.value, RECORD_SCHEMA, mode="dead_letter"))


def _batch(
    piece: LineSlice | RowGroupSlice,
    first: int,
    values: pa.Array,
    *,
    keys: RawBytes | None = None,
    timestamp_ms: Any = None,
) -> ReadBatch:
    count = len(values)
    return ReadBatch(
        topics=(piece.file.topic,),
        topic=np.zeros(count, np.int32),
        partition=np.full(count, piece.file.partition, np.int32),
        offset=np.arange(first, first + count, dtype=np.int64),
        timestamp_ms=np.full(count, -1, np.int64) if timestamp_ms is None else timestamp_ms,
        key=pa.nulls(count, pa.binary()) if keys is None else keys,
        value=values,
    )


# -- lines ---------------------------------------------------------------------------------


def _plain_lines(piece: LineSlice) -> bytes:
    """Whole lines: those that begin in the piece, the last one to its end."""
    place = place_of(piece.file.url)
    with place.errors(), place.file_system.open(place.path, "rb") as stream:
        # From one byte before: a newline there says that a line begins at the first byte.
        first = _behind_newline(stream, piece.begin - 1) if piece.begin else 0
        if first >= piece.end:
            return b""
        last = _behind_newline(stream, piece.end - 1)
        stream.seek(first)
        return bytes(stream.read(last - first))


def _behind_newline(stream: Any, at: int) -> int:
    """The place behind the first newline at or after a place, or the end of the file."""
    stream.seek(at)
    while block := bytes(stream.read(_LOOK_BYTES)):
        newline = block.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        at += len(block)
    return at


def _packed_lines(piece: LineSlice) -> Iterator[bytes]:
    place = place_of(piece.file.url)
    rest = b""
    with place.errors(), place.file_system.open(place.path, "rb") as packed:
        try:
            with gzip.open(packed) as stream:
                while block := stream.read(_UNPACKED_BYTES):
                    whole = block.rfind(b"\n") + 1
                    if whole:
                        yield rest + block[:whole]
                        rest = block[whole:]
                    else:
                        rest += block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputFileError(
                piece.file.url,
                f"is no whole gzip file: {error}",
                advice="it may still be being written",
            ) from error
    if rest:
        yield rest


def _split_lines(block: bytes, url: str) -> pa.Array:
    """The lines without their newlines, as an Arrow array of type binary."""
    if not block:
        return pa.array([], pa.binary())
    if len(block) >= 2**31:
        raise InputFileError(url, "has a line of 2 GiB or more, or is split too coarsely")
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
    if block[-1] != _NEWLINE:
        ends = np.append(ends, len(block))
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    # This copies from newline to newline; a mask of bytes takes ten times as long.
    values = block.replace(b"\n", b"")
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.binary(), len(ends), buffers)


# -- Parquet and topics --------------------------------------------------------------------


def _of_row_groups(piece: RowGroupSlice) -> PositionedRecords:
    place = place_of(piece.file.url)
    with place.errors(), place.file_system.open(place.path, "rb") as stream:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        if piece.file.kind == "columns":
            table = file.read_row_groups(
                piece.row_groups, columns=[name for name in RECORD_SCHEMA.names if name in names]
            )
            values = pa.nulls(table.num_rows, pa.binary())
            batch = _batch(piece, piece.first_record, values)
            return PositionedRecords(batch, decoded_columns(table, piece.file.url))
        wanted = [name for name in ("key", "value", "timestamp") if name in names]
        table = file.read_row_groups(piece.row_groups, columns=wanted)
    values = _bytes(table["value"])
    keys = _bytes(table["key"]) if "key" in wanted else None
    stamps = None
    if "timestamp" in wanted and pa.types.is_timestamp(table["timestamp"].type):
        # Cut to the millisecond, which is what a broker has.
        millis = table["timestamp"].cast(pa.timestamp("ms", tz="UTC"), safe=False)
        stamps = millis.cast(pa.int64()).fill_null(-1).to_numpy()
    return _decoded(_batch(piece, piece.first_record, values, keys=keys, timestamp_ms=stamps))


def _bytes(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.chunks else pa.array([], whole.type)
    return whole if pa.types.is_binary(whole.type) else whole.cast(pa.large_binary())


def _of_topic(piece: TopicSlice) -> ReadBatch:
    place = (piece.topic, piece.partition)
    with PartitionReader(piece.bootstrap_servers, piece.client) as reader:
        return reader.read({place: (piece.begin, piece.end)}, timeout_s=piece.timeout_s)
