"""Rows that wait for the watermark: segments, written once, released piece by piece.

A segment holds the rows of one epoch that had to wait, ordered by layer and event time, in one
Arrow file of the checkpoint. It is mapped into memory, not loaded. Which of its rows still wait
is never stored: it follows from the watermark (or from the closing of the layer), so a restored
operator knows it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.kernels.grouping import group_rows
from pbf_ray.kernels.order import canonical_order, event_order_key
from pbf_ray.monitoring.columns import column_values
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.layer_states import LayerId
from pbf_ray.streaming.manifest import SegmentRef
from pbf_ray.streaming.rows import ROUTED_SCHEMA

__all__ = ["EVERYTHING", "PendingRows", "order_of", "sorted_by_layer"]

EVERYTHING: Final = 2**64
"""A limit above the order key of every row, NaN included."""


def order_of(rows: pa.Table) -> npt.NDArray[np.uint64]:
    """Event order key per row."""
    return event_order_key(*column_values(rows["timestamp"]))


def sorted_by_layer(rows: pa.Table) -> tuple[pa.Table, list[LayerId], npt.NDArray[np.int64]]:
    """Rows by layer, and in canonical event order within each.

    Args:
        rows: ``ROUTED_SCHEMA``.

    Returns:
        The rows; the layers; int64[layers + 1], where each layer's rows start.
    """
    codes, keys = group_rows(rows["build_id"], rows["layer"])
    topics = rows["topic"].combine_chunks().dictionary_encode()
    names = topics.dictionary.to_pylist() if len(topics) else []
    rank = np.argsort(np.argsort(np.array(names, object))).astype(np.int64)
    topic = rank[topics.indices.to_numpy()] if len(names) else np.empty(0, np.int64)
    position = [
        topic,
        rows["partition"].to_numpy().astype(np.int64),
        rows["offset"].to_numpy(),
    ]
    order, starts = canonical_order(codes, len(keys), order_of(rows), position)
    return rows.take(order), keys, starts


@dataclass
class _Run:
    """Rows ``[start, stop)`` of a segment: one layer's, still waiting."""

    segment: _Segment
    start: int
    stop: int


@dataclass
class _Segment:
    ref: SegmentRef
    table: pa.Table
    order: npt.NDArray[np.uint64]
    waiting: int


class PendingRows:
    """All waiting rows of one window actor.

    Args:
        folder: The checkpoint, where segments are written.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._runs: dict[LayerId, list[_Run]] = {}
        self._segments: dict[str, _Segment] = {}

    # -- asking ----------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return sum(segment.waiting for segment in self._segments.values())

    @property
    def size(self) -> int:
        """Bytes of the segments."""
        return sum(segment.ref.file.size for segment in self._segments.values())

    @property
    def refs(self) -> tuple[SegmentRef, ...]:
        """Segments that still hold waiting rows, oldest first."""
        return tuple(segment.ref for segment in self._segments.values())

    def layers(self) -> Iterable[LayerId]:
        """Layers with waiting rows."""
        return self._runs.keys()

    def count(self, key: LayerId) -> int:
        """Rows of a layer that wait."""
        return sum(run.stop - run.start for run in self._runs.get(key, ()))

    def waiting(self, key: LayerId) -> pa.Table:
        """The waiting rows of a layer, oldest segment first."""
        runs = self._runs.get(key, [])
        return pa.concat_tables(
            [run.segment.table.slice(run.start, run.stop - run.start) for run in runs]
            or [ROUTED_SCHEMA.empty_table()]
        )

    # -- changing --------------------------------------------------------------------------

    def add(self, name: str, epoch: int, rows: pa.Table) -> None:
        """Write rows as a new segment.

        Args:
            name: Its file in the checkpoint; must be fresh.
            epoch: The epoch that read them.
            rows: ``ROUTED_SCHEMA``, not empty.
        """
        table, keys, starts = sorted_by_layer(rows)

        def fill(file: object) -> None:
            with pa.ipc.new_file(file, ROUTED_SCHEMA) as writer:
                writer.write_table(table.combine_chunks())

        reference = self._folder.write(name, fill)
        if reference is None:
            raise FileExistsError(name)
        self._index(SegmentRef(reference, epoch, table.num_rows), keys, starts)

    def restore(
        self,
        ref: SegmentRef,
        *,
        mine: Callable[[LayerId], bool],
        released_below: Callable[[LayerId], int],
        released_until: Callable[[LayerId], int],
    ) -> None:
        """Map a segment of the last commit.

        Args:
            ref: The segment; its checksum is verified.
            mine: Whether a layer belongs to this actor.
            released_below: Order key below which the rows of a layer are released.
            released_until: Epoch up to which all rows of a layer are released.
        """
        path = self._folder.verify(ref.file)
        codes, keys = group_rows(*_columns(_map(path), "build_id", "layer"))
        starts = np.searchsorted(codes, np.arange(len(keys) + 1))
        self._index(
            ref,
            [key if mine(key) and ref.epoch > released_until(key) else None for key in keys],
            starts,
        )
        for key in keys:
            if mine(key):
                self._advance(key, released_below(key))
        self._forget_empty()

    def release(self, limits: Iterable[tuple[LayerId, int]]) -> list[pa.Table]:
        """Take out the rows of some layers that lie below an order key.

        Args:
            limits: Layer and order key; ``EVERYTHING`` releases the layer whole.

        Returns:
            Slices of segments, without a copy.
        """
        released = []
        for key, limit in limits:
            released.extend(self._advance(key, limit))
        self._forget_empty()
        return released

    # -- inside ----------------------------------------------------------------------------

    def _index(
        self, ref: SegmentRef, keys: Sequence[LayerId | None], starts: npt.NDArray[np.int64]
    ) -> None:
        table = _map(self._folder.path / ref.file.name)
        segment = _Segment(ref, table, order_of(table), 0)
        for number, key in enumerate(keys):
            start, stop = int(starts[number]), int(starts[number + 1])
            if key is not None and stop > start:
                self._runs.setdefault(key, []).append(_Run(segment, start, stop))
                segment.waiting += stop - start
        self._segments[ref.file.name] = segment

    def _advance(self, key: LayerId, limit: int) -> list[pa.Table]:
        taken = []
        left = []
        for run in self._runs.get(key, ()):
            order = run.segment.order[run.start : run.stop]
            count = (
                run.stop - run.start
                if limit == EVERYTHING
                else int(np.searchsorted(order, np.uint64(limit), side="left"))
            )
            if count:
                taken.append(run.segment.table.slice(run.start, count))
                run.start += count
                run.segment.waiting -= count
            if run.start < run.stop:
                left.append(run)
        if left:
            self._runs[key] = left
        else:
            self._runs.pop(key, None)
        return taken

    def _forget_empty(self) -> None:
        for name in [name for name, segment in self._segments.items() if not segment.waiting]:
            del self._segments[name]


def _map(path: object) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _columns(table: pa.Table, *names: str) -> list[pa.ChunkedArray]:
    return [table[name] for name in names]
