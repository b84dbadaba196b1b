"""The keyed window operator: from routed rows to quality rows and layer results.

One operator owns some of the hash buckets of (build_id, layer). Per epoch it sets late rows
aside, drops repeats, lets rows wait until the watermark has passed them (or, in strict mode,
until their layer closes), updates the running statistics in event order, and closes layers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import (
    CHANNELS,
    ISPM_ANOMALIES,
    ISPM_MONITORING,
    LATE_RECORDS,
    LAYER_QUALITY,
    QUALITY_METRICS,
)
from pbf_ray.kernels.grouping import bucket_of, group_rows
from pbf_ray.kernels.order import event_order_key
from pbf_ray.kernels.rolling import rolling_update
from pbf_ray.monitoring.columns import channel_values, column_values
from pbf_ray.monitoring.dates import event_date
from pbf_ray.monitoring.quality import frame_columns
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.dedup import Repeats
from pbf_ray.streaming.event_time import BuildId, EventTimeStep, Phase
from pbf_ray.streaming.layer_states import LayerId, LayerStates
from pbf_ray.streaming.manifest import WindowFiles
from pbf_ray.streaming.pending import EVERYTHING, PendingRows, order_of, sorted_by_layer
from pbf_ray.streaming.release import by_key, released_parts
from pbf_ray.streaming.rows import RowStamp, empty_routed, in_contract
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.state_files import StateFiles
from pbf_ray.streaming.window_step import WindowOutput, WindowStep

__all__ = ["WindowOperator"]

_NEVER = 2**62
_PLACE = ("topic", "partition", "offset")


class WindowOperator:
    """Windows over one share of the layers; a plain state machine, fed epoch by epoch.

    Args:
        folder: The checkpoint.
        buckets: Hash buckets of the job.
        workers: Number of operators.
        worker: Which of them this is; it owns the buckets ``b % workers == worker``.
    """

    _open: set[LayerId]
    _repeats: Repeats | None

    def __init__(
        self, folder: CheckpointFolder, *, buckets: int, workers: int, worker: int
    ) -> None:
        self._folder = folder
        self._buckets = buckets
        self._workers = workers
        self._worker = worker
        self._begin_empty()

    # -- starting --------------------------------------------------------------------------

    def restore(
        self,
        epoch: int,
        windows: Iterable[WindowFiles],
        standing: EventTimeStep,
        *,
        strict: bool,
    ) -> None:
        """Go back to a commit, whoever wrote it and with how many operators.

        Args:
            epoch: The committed epoch, 0 for a new job.
            windows: Files of all operators of that commit.
            standing: Event time after it.
            strict: Whether the job runs in strict mode.

        Raises:
            CheckpointCorruptError: If a file is missing or damaged.
        """
        self._begin_empty()
        self._epoch = epoch
        self._note(standing)
        windows = list(windows)
        self._states_on_disk.restore(windows, self._states, self._is_mine)
        segments = {ref.file.name: ref for window in windows for ref in window.segments}
        limits = self._limits(self._watermarks)
        for ref in sorted(segments.values(), key=lambda ref: (ref.epoch, ref.file.name)):
            self._pending.restore(
                ref,
                mine=self._is_mine,
                released_below=lambda key: 0 if strict else limits.get(key[0], 0),
                released_until=self._closed_epoch,
            )
        self._open.update(
            key for key, slot in self._states.slot_of.items() if not self._states.closed[slot]
        )
        self._open.update(self._pending.layers())

    # -- an epoch --------------------------------------------------------------------------

    def apply(
        self,
        step: WindowStep,
        routed: Iterable[pa.Table],
        emit: Callable[[str, pa.Table], None],
    ) -> WindowOutput:
        """Take in one epoch; epochs come in order, without gaps.

        Args:
            step: What the epoch means.
            routed: ``ROUTED_SCHEMA``; rows of this operator's buckets, from all readers.
            emit: Takes rows of an output table (name, rows in the contract's schema), perhaps
                in several parts.
        """
        if step.stamp.epoch != self._epoch + 1:
            raise ValueError(f"epoch {step.stamp.epoch} does not follow epoch {self._epoch}")
        rows, keys, starts = sorted_by_layer(pa.concat_tables([empty_routed(), *routed]))
        codes = np.repeat(np.arange(len(keys)), np.diff(starts))
        late, late_watermark = self._late(rows, keys, codes)
        if step.replayed and late.any():
            late &= ~self._admitted(step.replayed, rows, codes, keys)
        fresh = ~late
        if step.semantics.dedup_key is not None:
            fresh &= ~self._repeated(step.semantics.dedup_key, rows, codes, keys, fresh)
        duplicates = int((~late).sum() - fresh.sum())
        accepted = rows.filter(pa.array(fresh))
        self._note(step.time)
        self._admit(accepted)
        late_rows = rows.filter(pa.array(late))
        dates = {"date": event_date(accepted["timestamp"])}
        emit(ISPM_MONITORING.name, in_contract(ISPM_MONITORING, accepted, step.stamp, dates))
        watermarks = {"watermark": pa.array(late_watermark[late])}
        emit(LATE_RECORDS.name, in_contract(LATE_RECORDS, late_rows, step.stamp, watermarks))
        anomalies = _anomalies(accepted, late_rows, step.stamp)
        emit(ISPM_ANOMALIES.name, anomalies)
        layer_rows = self._release(step, accepted, emit)
        emit(LAYER_QUALITY.name, layer_rows)
        self._retire(step)
        books = Books(
            accepted=accepted.num_rows,
            late=late_rows.num_rows,
            duplicates=duplicates,
            pending=self._pending.rows,
            anomalies=anomalies.num_rows,
            layers=int(pc.sum(pc.equal(layer_rows["revision"], 1)).as_py() or 0),
            anomalies_by_type=dict(Counter(anomalies["anomaly_type"].to_pylist())),
        )
        self._epoch = step.stamp.epoch
        files = WindowFiles(
            states=self._states_on_disk.write(step.state_name, self._states),
            segments=self._pending.refs,
        )
        size = self._pending.size + self._states_on_disk.size
        return WindowOutput(books, files, size)

    # -- event time ------------------------------------------------------------------------

    def _note(self, time: EventTimeStep) -> None:
        self._watermarks.update(time.watermarks)
        self._moved_on.update(time.moved_on)
        self._phases.update(time.phases)

    @staticmethod
    def _limits(watermarks: Mapping[BuildId, float]) -> dict[BuildId, int]:
        """Order keys of watermarks; rows below them have been passed."""
        started = {name: value for name, value in watermarks.items() if value > -math.inf}
        values = np.array(list(started.values()), np.float64)
        keys = event_order_key(values, np.ones(len(values), np.bool_))
        return dict(zip(started, keys.tolist(), strict=True))

    def _late(
        self, rows: pa.Table, keys: list[LayerId], codes: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """Which rows lie behind the watermark before this epoch, and that watermark."""
        before = {key[0]: self._watermarks.get(key[0], -math.inf) for key in keys}
        limits = self._limits(before)
        limit = np.array([limits.get(key[0], 0) for key in keys], np.uint64)
        watermark = np.array([before[key[0]] for key in keys], np.float64)
        if not keys:
            return np.zeros(0, np.bool_), np.zeros(0, np.float64)
        return order_of(rows) < limit[codes], watermark[codes]

    def _admitted(
        self,
        replayed: frozenset[tuple[str, int, int]],
        rows: pa.Table,
        codes: npt.NDArray[np.int64],
        keys: list[LayerId],
    ) -> npt.NDArray[np.bool_]:
        """Which rows are replays into a layer whose state is still there."""
        standing = [self._phases.get(key[0]) is not Phase.RETIRED for key in keys]
        places = zip(*(rows[name].to_pylist() for name in _PLACE), strict=True)
        return (
            np.array([place in replayed for place in places], np.bool_)
            & np.array(standing, np.bool_)[codes]
        )

    # -- rows ------------------------------------------------------------------------------

    def _repeated(
        self,
        dedup_key: str,
        rows: pa.Table,
        codes: npt.NDArray[np.int64],
        keys: list[LayerId],
        fresh: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        if self._repeats is None or self._repeats.dedup_key != dedup_key:
            self._repeats = Repeats(dedup_key)
            for key in self._pending.layers():
                self._repeats.add(key, self._pending.waiting(key))
        return self._repeats.mark(rows, codes, keys, fresh)

    def _admit(self, accepted: pa.Table) -> None:
        """Note the layers of accepted rows, and how far they reach."""
        codes, keys = group_rows(accepted["build_id"], accepted["layer"])
        if not keys:
            return
        slots = self._states.slots(keys)
        timestamp, valid = column_values(accepted["timestamp"])
        finite = valid & np.isfinite(timestamp)
        np.maximum.at(self._states.newest, slots[codes[finite]], timestamp[finite])
        self._states.changed.update(slots.tolist())
        self._open.update(keys)

    def _release(
        self, step: WindowStep, accepted: pa.Table, emit: Callable[[str, pa.Table], None]
    ) -> pa.Table:
        """Release what event time has passed, write down what waits, close layers.

        Returns:
            Rows of ``LAYER_QUALITY``.
        """
        codes, keys = group_rows(accepted["build_id"], accepted["layer"])
        closing = self._closing(step)
        limits = self._release_limits(step, closing, keys)
        limit = np.array([limits.get(key, 0) % EVERYTHING for key in keys], np.uint64)
        whole = np.array([limits.get(key, 0) == EVERYTHING for key in keys], np.bool_)
        passed = (
            (order_of(accepted) < limit[codes]) | whole[codes] if keys else np.zeros(0, np.bool_)
        )
        at_once, waiting = accepted.filter(pa.array(passed)), accepted.filter(pa.array(~passed))
        for rows in released_parts(self._pending, limits, at_once):
            quality = self._roll(rows, step)
            if step.semantics.quality_metrics:
                emit(QUALITY_METRICS.name, quality)
        if waiting.num_rows:
            self._pending.add(step.segment_name, step.stamp.epoch, waiting)
        return self._close(closing, step)

    def _release_limits(
        self, step: WindowStep, closing: list[LayerId], keys: list[LayerId]
    ) -> dict[LayerId, int]:
        """Order key per layer below which its rows are released now."""
        if step.final:
            return dict.fromkeys([*self._pending.layers(), *keys], EVERYTHING)
        if step.semantics.mode == "strict":
            return dict.fromkeys(closing, EVERYTHING)
        # Only a watermark that moved can have passed waiting rows.
        moved = [key for key in self._pending.layers() if key[0] in step.time.watermarks]
        layers = [*moved, *keys]
        passed_by = self._limits(
            {key[0]: self._watermarks.get(key[0], -math.inf) for key in layers}
        )
        return {key: passed_by[key[0]] for key in layers if key[0] in passed_by}

    def _roll(self, released: pa.Table, step: WindowStep) -> pa.Table:
        """Update the running statistics with released rows; gives the quality rows."""
        rows, keys, starts = sorted_by_layer(released)
        slots = self._states.slots(keys)
        state = self._states.take_rolling(slots)
        frame = rolling_update(order_of(rows), starts, *channel_values(rows, CHANNELS), state)
        self._states.put_rolling(slots, state)
        self._count(rows, keys, slots, starts)
        if self._repeats is not None:
            for number, key in enumerate(keys):
                self._repeats.forget(
                    key, rows.slice(starts[number], starts[number + 1] - starts[number])
                )
        return in_contract(QUALITY_METRICS, rows, step.stamp, frame_columns(frame))

    def _count(
        self,
        rows: pa.Table,
        keys: list[LayerId],
        slots: npt.NDArray[np.int64],
        starts: npt.NDArray[np.int64],
    ) -> None:
        states = self._states
        states.rows[slots] += np.diff(starts)
        timestamp, valid = column_values(rows["timestamp"])
        for number, slot in enumerate(slots.tolist()):
            begin, end = int(starts[number]), int(starts[number + 1])
            some = np.flatnonzero(valid[begin:end])
            if len(some):
                states.reach(slot, timestamp[begin + some[0]], timestamp[begin + some[-1]])
        named = pc.is_valid(rows["anomaly_type"]).to_numpy()
        at = np.flatnonzero(named)
        groups = np.searchsorted(starts, at, side="right") - 1
        for group, kind in zip(groups, rows["anomaly_type"].take(at).to_pylist(), strict=True):
            counts = states.anomalies[slots[group]]
            counts[kind] = counts.get(kind, 0) + 1
        for slot in slots[states.closed[slots]].tolist():
            states.closed[slot] = False
        states.changed.update(slots.tolist())
        self._open.update(keys)

    # -- closing ---------------------------------------------------------------------------

    def _closing(self, step: WindowStep) -> list[LayerId]:
        """Open layers that may close: event time has passed all their rows, and moved on."""
        if step.final:
            return sorted(self._open, key=by_key)
        if step.semantics.whole_input:
            return []
        return sorted(
            (key for key in self._open if self._may_close(key, step.semantics)), key=by_key
        )

    def _may_close(self, key: LayerId, semantics: StreamSemantics) -> bool:
        build, layer = key
        watermark = self._watermarks.get(build, -math.inf)
        newest = float(self._states.newest[self._states.slot_of[key]])
        if not newest < watermark:
            return False
        if self._phases.get(build, Phase.ACTIVE) >= Phase.QUIET:
            return True
        moved_on = self._moved_on.get(build)
        if layer is not None and moved_on is not None and layer < moved_on:
            return True
        return watermark > newest + semantics.layer_gap_s

    def _close(self, keys: list[LayerId], step: WindowStep) -> pa.Table:
        for key in keys:
            slot = self._states.slot_of[key]
            self._states.revision[slot] += 1
            self._states.closed[slot] = True
            self._states.closed_epoch[slot] = step.stamp.epoch
            self._states.changed.add(slot)
        self._open.difference_update(keys)
        return self._states.summaries(keys, step.stamp)

    def _retire(self, step: WindowStep) -> None:
        retired = {name for name, phase in step.time.phases.items() if phase is Phase.RETIRED}
        if retired:
            for key in [key for key in self._states.slot_of if key[0] in retired]:
                self._states.drop(key)

    # -- inside ----------------------------------------------------------------------------

    def _begin_empty(self) -> None:
        self._epoch = 0
        self._states = LayerStates()
        self._states_on_disk = StateFiles(self._folder)
        self._pending = PendingRows(self._folder)
        self._open = set()
        self._watermarks: dict[BuildId, float] = {}
        self._moved_on: dict[BuildId, int] = {}
        self._phases: dict[BuildId, Phase] = {}
        self._repeats = None

    def _is_mine(self, key: LayerId) -> bool:
        return bucket_of(*key, self._buckets) % self._workers == self._worker

    def _closed_epoch(self, key: LayerId) -> int:
        if self._phases.get(key[0]) is Phase.RETIRED:
            return _NEVER  # its rows are released, its state is gone
        slot = self._states.slot_of.get(key)
        return 0 if slot is None else int(self._states.closed_epoch[slot])


def _anomalies(accepted: pa.Table, late: pa.Table, stamp: RowStamp) -> pa.Table:
    tables = []
    for rows, is_late in ((accepted, False), (late, True)):
        found = rows.filter(pc.is_valid(rows["anomaly_type"]))
        tables.append(in_contract(ISPM_ANOMALIES, found, stamp, {"late": is_late}))
    return pa.concat_tables(tables)
