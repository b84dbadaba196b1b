"""Data files of Delta tables: Arrow types they can hold, writing them, writing one of several."""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import StagedFile
from pbf_ray.storage.deltastatistics import FileStatistics, encodings, without_nan

__all__ = [
    "file_error",
    "lake_schema",
    "merge_files",
    "staged_epoch",
    "sync_path",
    "to_lake",
    "write_file",
]

_JOB: Final = b"pbf_ray.job_id"
_EPOCH: Final = b"pbf_ray.epoch"
_ROWS_PER_GROUP: Final = 256 * 1024
_BYTES_PER_GROUP: Final = 16 * 2**20
"""Of Arrow's memory: what merging holds of wide rows."""
_ROWS_PER_BATCH: Final = 16 * 1024
_NOTHING: Final[Mapping[bytes, bytes]] = MappingProxyType({})
_FORMAT: Final = pads.ParquetFileFormat()
_MICROS: Final = pa.timestamp("us", tz="UTC")

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
    owner: dict[bytes, bytes] = {}
    if job_id is not None:
        owner = {_JOB: job_id.encode(), _EPOCH: str(epoch).encode()}
    path = folder / _new_name(stem)
    return _write(path, table.schema, [table], without_nan(table), store=store, metadata=owner)


def merge_files(
    folder: Path, names: Sequence[str], schema: pa.Schema, *, stem: str, store: str
) -> StagedFile:
    """Write the rows of several data files into one, which belongs to no table yet.

    However large they are, no more than one row group of them is in memory, and one of the new
    file. They are read twice: whether a column holds NaN has to be known first.

    Args:
        folder: Of the table.
        names: The files, in the order of their rows.
        schema: Of the table.
        stem: Start of the name of the new file.
        store: Name of the store, for messages.

    Raises:
        StoreError: One cannot be read, or the new one not be written; nothing is left behind.
    """
    floating = [field.name for field in schema if pa.types.is_floating(field.type)]
    free = set(floating)
    for batch in _batches(folder, names, schema, floating, store):
        free &= without_nan(pa.Table.from_batches([batch]))
    groups = _row_groups(_batches(folder, names, schema, schema.names, store))
    return _write(folder / _new_name(stem), schema, groups, free, store=store)


def _new_name(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex}.zstd.parquet"


def _batches(
    folder: Path, names: Sequence[str], schema: pa.Schema, columns: list[str], store: str
) -> Iterator[pa.RecordBatch]:
    """The rows of files in the schema of the table; Arrow reads one row group at a time."""
    if not columns:
        return
    for name in names:
        try:
            file = _FORMAT.make_fragment(str(folder / name), pafs.LocalFileSystem())
            for group in file.split_by_row_group():
                yield from group.to_batches(
                    schema=schema,
                    columns=columns,
                    batch_size=_ROWS_PER_BATCH,
                    use_threads=False,
                )
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                store,
                f"{folder / name} cannot be read to be merged: {error}",
                advice="see the disk",
            ) from error


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches joined until they are as large as a row group may be."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if held and (
            rows + batch.num_rows > _ROWS_PER_GROUP or size + batch.nbytes > _BYTES_PER_GROUP
        ):
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
    if held:
        yield pa.Table.from_batches(held)


def _write(
    path: Path,
    schema: pa.Schema,
    pieces: Iterable[pa.Table],
    free_of_nan: Collection[str],
    *,
    store: str,
    metadata: Mapping[bytes, bytes] = _NOTHING,
) -> StagedFile:
    """Write pieces one after the other; nothing is left behind if that fails."""
    dictionary, bounded = encodings(schema, free_of_nan)
    statistics = FileStatistics(schema)
    marked = schema.with_metadata({**(schema.metadata or {}), **metadata})
    try:
        with path.open("xb") as sink:
            with pq.ParquetWriter(
                sink,
                marked,
                compression="zstd",
                use_dictionary=dictionary,
                write_statistics=bounded,
            ) as writer:
                for piece in pieces:
                    statistics.add(piece)
                    writer.write_table(
                        piece.replace_schema_metadata(marked.metadata),
                        row_group_size=_ROWS_PER_GROUP,
                    )
            sink.flush()
            os.fsync(sink.fileno())
            size = sink.tell()
        sync_path(path.parent)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise file_error(store, f"cannot write {path}", error) from error
        raise
    return StagedFile(path.name, size, statistics.rows, statistics.to_json())


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
