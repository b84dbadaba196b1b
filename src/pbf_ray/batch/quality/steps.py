"""What workers do: read and split records by layer, then the rolling quality of whole layers."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from pbf_ray.batch.output import StagedFile
from pbf_ray.batch.places import Place
from pbf_ray.batch.quality.reading import read_slice
from pbf_ray.batch.quality.slices import LineSlice, Slice, lines_in
from pbf_ray.batch.quality.work import EPOCH, QualityWork
from pbf_ray.batch.table_files import TableFile, cannot_write, part_name, table_file
from pbf_ray.contracts import (
    DEAD_LETTERS,
    ISPM_ANOMALIES,
    ISPM_MONITORING,
    LAYER_QUALITY,
    QUALITY_METRICS,
    RECORD_SCHEMA,
    TableContract,
    layer_key,
)
from pbf_ray.kernels.grouping import bucket_of, group_rows
from pbf_ray.monitoring.dates import event_date
from pbf_ray.monitoring.judge import judge
from pbf_ray.monitoring.quality import quality_of_layers
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.ingest import ingest_decoded
from pbf_ray.streaming.rows import filled, in_contract

__all__ = ["CountLines", "LayersTask", "ReadTask", "Receipt", "RollLayers", "SplitRecords"]

_SPLIT_SCHEMA: Final = pa.schema(
    [
        *RECORD_SCHEMA,
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
    ]
)
"""What the second step has to know of a record; the rest it makes anew."""

_ROWS_PER_GROUP: Final = 250_000
_BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class ReadTask:
    """A piece of the input; small and picklable.

    Attributes:
        piece: Which.
        number: Its number.
        tasks: How many there are.
    """

    piece: Slice
    number: int
    tasks: int


@dataclass(frozen=True)
class LayersTask:
    """A bucket of layers.

    Attributes:
        bucket: Its number.
        splits: Files of the first step that have rows of it, below the staging folder, each with
            the numbers of the batches.
    """

    bucket: int
    splits: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Receipt:
    """What came of a task; small and picklable.

    Attributes:
        number: Number of the task in its step.
        files: What was written for the output.
        books: What became of the records that were read; empty in the second step but for layers.
        split: File with the rows by bucket, below the staging folder.
        batches: Per bucket that has rows, the numbers of its batches in that file.
    """

    number: int
    files: tuple[StagedFile, ...]
    books: Books
    split: str = ""
    batches: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class CountLines:
    """Counts the lines of a piece of a file."""

    def __call__(self, piece: LineSlice) -> tuple[LineSlice, int]:
        """The piece, and how many lines begin in it."""
        return piece, lines_in(piece)


@dataclass(frozen=True)
class SplitRecords:
    """The first step: decode, judge, write rows of records, and split them by layer.

    Attributes:
        work: The run.
    """

    work: QualityWork

    def __call__(self, task: ReadTask) -> Receipt:
        """Do it for a piece of the input.

        Raises:
            InputFileError: The file cannot be read.
            BrokerError: The topic cannot be read.
            MalformedRecordError: A record is void, and the mode is ``fail``.
            StoreUnavailableError: The output cannot be written.
        """
        tables = _StagedTables(self.work.staging, task.number, task.tasks)
        books = Books()
        split = f"_split/{secrets.token_hex(8)}.arrow"
        batches: dict[int, list[int]] = {}
        with ExitStack() as stack:
            writer: Any = None
            written = 0
            for records in read_slice(task.piece):
                stamp = self.work.stamp(list(records.batch.topics))
                found = ingest_decoded(records.decoded, records.batch, self.work.plan, stamp)
                rows = found.rows
                dates = {"date": event_date(rows["timestamp"])}
                anomalies = rows.filter(pc.is_valid(rows["anomaly_type"]))
                books.add(found.books)
                kinds = dict(Counter(anomalies["anomaly_type"].to_pylist()))
                books.add(
                    Books(
                        accepted=rows.num_rows,
                        anomalies=anomalies.num_rows,
                        anomalies_by_type=kinds,
                    )
                )
                tables.write(
                    ISPM_MONITORING, in_contract(ISPM_MONITORING, rows, stamp, dates), stack
                )
                late = {"late": False}
                tables.write(
                    ISPM_ANOMALIES, in_contract(ISPM_ANOMALIES, anomalies, stamp, late), stack
                )
                tables.write(DEAD_LETTERS, found.dead_letters, stack)
                for bucket, part in _by_bucket(rows.select(_SPLIT_SCHEMA.names), self.work.buckets):
                    if writer is None:
                        writer = stack.enter_context(_split_file(self.work.staging, split))
                    for batch in part.combine_chunks().to_batches():
                        writer.write_batch(batch)
                        batches.setdefault(bucket, []).append(written)
                        written += 1
        return Receipt(
            number=task.number,
            files=tables.files(),
            books=books,
            split=split if batches else "",
            batches={bucket: tuple(numbers) for bucket, numbers in batches.items()},
        )


@dataclass(frozen=True)
class RollLayers:
    """The second step: rolling quality and summaries of the layers of a bucket.

    Attributes:
        work: The run.
    """

    work: QualityWork

    def __call__(self, task: LayersTask) -> Receipt:
        """Do it for a bucket; its layers are in memory, whole.

        Raises:
            StoreUnavailableError: The output cannot be written.
        """
        profile = self.work.semantics.profile
        rows = pa.concat_tables(
            [self._read(name, numbers) for name, numbers in task.splits]
        ).combine_chunks()
        codes = judge(rows, profile)
        quality, layers = quality_of_layers(rows, codes, profile)
        tables = _StagedTables(self.work.staging, task.bucket, self.work.buckets)
        with ExitStack() as stack:
            if self.work.semantics.quality_metrics:
                stamp = self.work.stamp(rows["topic"])
                for first in range(0, quality.num_rows, _ROWS_PER_GROUP):
                    part = quality.slice(first, _ROWS_PER_GROUP)
                    tables.write(
                        QUALITY_METRICS, in_contract(QUALITY_METRICS, part, stamp, {}), stack
                    )
            tables.write(LAYER_QUALITY, self._in_contract(layers), stack)
        return Receipt(
            number=task.bucket, files=tables.files(), books=Books(layers=layers.num_rows)
        )

    def _read(self, name: str, numbers: Sequence[int]) -> pa.Table:
        place = self.work.staging / name
        with place.errors(), _arrow_input(place) as stream, pa.ipc.open_file(stream) as file:
            return pa.Table.from_batches([file.get_batch(number) for number in numbers])

    def _in_contract(self, layers: pa.Table) -> pa.Table:
        keys = [
            layer_key(self.work.job_id, build, layer)
            for build, layer in zip(
                layers["build_id"].to_pylist(), layers["layer"].to_pylist(), strict=True
            )
        ]
        given = {
            "layer_key": pa.array(keys, pa.string()),
            "job_id": self.work.job_id,
            "revision": 1,
            "processing_timestamp": self.work.clock_us,
            "epoch": EPOCH,
        }
        return filled(LAYER_QUALITY, layers, given)


class _StagedTables:
    """Files of one task, one per table, opened when there are rows."""

    def __init__(self, staging: Place, number: int, tasks: int) -> None:
        self._staging = staging
        self._name = part_name(number, tasks)
        self._attempt = secrets.token_hex(8)
        self._open: dict[str, TableFile] = {}

    def write(self, contract: TableContract, rows: pa.Table, stack: ExitStack) -> None:
        if not rows.num_rows:
            return
        if contract.name not in self._open:
            place = self._staging / self._staged(contract.name)
            self._open[contract.name] = stack.enter_context(
                table_file(place, contract.schema, dictionary=_repeating(contract))
            )
        self._open[contract.name].write(rows)

    def files(self) -> tuple[StagedFile, ...]:
        return tuple(
            StagedFile(f"{table}/{self._name}", self._staged(table), file.rows)
            for table, file in self._open.items()
        )

    def _staged(self, table: str) -> str:
        return f"{table}/{self._attempt}.staged"


def _repeating(contract: TableContract) -> list[str]:
    """Columns of few different values; a dictionary of the others would only cost."""
    return [
        field.name
        for field in contract.schema
        if field.name not in {contract.key, "offset", "timestamp", "key", "value", "detail"}
        and not pa.types.is_floating(field.type)
        and not pa.types.is_struct(field.type)
        and not pa.types.is_boolean(field.type)
    ]


def _by_bucket(rows: pa.Table, buckets: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows per bucket, by the stable hash of (build_id, layer)."""
    codes, keys = group_rows(rows["build_id"], rows["layer"])
    if not keys:
        return
    bucket_of_key = np.array([bucket_of(*key, buckets) for key in keys], np.int64)
    bucket = bucket_of_key[codes]
    order = np.argsort(bucket, kind="stable")
    sorted_rows = rows.take(pa.array(order))
    found, starts = np.unique(bucket[order], return_index=True)
    ends = np.append(starts[1:], rows.num_rows)
    for number, start, end in zip(found.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield number, sorted_rows.slice(start, end - start)


@contextmanager
def _split_file(staging: Place, name: str) -> Iterator[Any]:
    place = staging / name
    try:
        place.file_system.makedirs(place.parent, exist_ok=True)
        with (
            place.file_system.open(place.path, "wb") as file,
            pa.BufferedOutputStream(pa.PythonFile(file, "w"), _BUFFER_BYTES) as stream,
            pa.ipc.new_file(stream, _SPLIT_SCHEMA) as writer,
        ):
            yield writer
    except OSError as error:
        raise cannot_write(place.url, error) from error


def _arrow_input(place: Place) -> Any:
    if place.local:
        return pa.memory_map(place.path)
    return pa.PythonFile(place.file_system.open(place.path, "rb"), "r")
