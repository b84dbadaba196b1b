"""Running state per (build_id, layer): constant in size, carried from epoch to epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import CHANNELS, LAYER_QUALITY, layer_key
from pbf_ray.kernels.rolling import RollingState
from pbf_ray.monitoring.columns import nullable
from pbf_ray.monitoring.quality import summary_table
from pbf_ray.streaming.rows import RowStamp, filled

__all__ = ["LayerId", "LayerStates"]

LayerId = tuple[str | None, int | None]

_FLOATS: Final = ("total", "mean", "m2", "minimum", "maximum")
_GROWTH: Final = 256

_STATE_SCHEMA: Final = pa.schema(
    [
        pa.field("build_id", pa.string()),
        pa.field("layer", pa.int32()),
        pa.field("removed", pa.bool_()),
        pa.field("rows", pa.int64()),
        pa.field("first_timestamp", pa.float64()),
        pa.field("last_timestamp", pa.float64()),
        pa.field("newest", pa.float64()),
        pa.field("revision", pa.int64()),
        pa.field("closed", pa.bool_()),
        pa.field("closed_epoch", pa.int64()),
        pa.field("anomalies", pa.string()),
        pa.field("count", pa.list_(pa.int64(), len(CHANNELS))),
        *[pa.field(name, pa.list_(pa.float64(), len(CHANNELS))) for name in _FLOATS],
    ]
)


class LayerStates:
    """The states of all layers of one window actor, as arrays with a slot per layer.

    Attributes:
        slot_of: Slot per layer.
        rolling: Running statistics, a row per slot.
        rows: int64, released rows.
        first_timestamp, last_timestamp: float64 in event order, NaN where ``has_time`` is False.
        newest: float64, highest finite timestamp known, waiting rows included; -inf if none.
        revision: int64, how often the layer has closed.
        closed: bool.
        closed_epoch: int64, epoch of the last closing, 0 if never.
        anomalies: Released anomalies by type.
        changed: Slots to be written with the next state file.
    """

    rolling: RollingState
    rows: npt.NDArray[np.int64]
    first_timestamp: npt.NDArray[np.float64]
    last_timestamp: npt.NDArray[np.float64]
    has_time: npt.NDArray[np.bool_]
    newest: npt.NDArray[np.float64]
    revision: npt.NDArray[np.int64]
    closed: npt.NDArray[np.bool_]
    closed_epoch: npt.NDArray[np.int64]

    def __init__(self) -> None:
        self.slot_of: dict[LayerId, int] = {}
        self.keys: list[LayerId | None] = []
        self.anomalies: list[dict[str, int]] = []
        self.changed: set[int] = set()
        self.removed: set[LayerId] = set()
        self._free: list[int] = []
        self._allocate(0)

    def __len__(self) -> int:
        return len(self.slot_of)

    # -- slots -----------------------------------------------------------------------------

    def slots(self, keys: Iterable[LayerId]) -> npt.NDArray[np.int64]:
        """Slot per key; new layers get a fresh one."""
        return np.array([self._slot(key) for key in keys], np.int64)

    def drop(self, key: LayerId) -> None:
        """Forget a layer for good."""
        slot = self.slot_of.pop(key)
        self.keys[slot] = None
        self.changed.discard(slot)
        self.removed.add(key)
        self._free.append(slot)

    def reach(self, slot: int, first: float, last: float) -> None:
        """Note the first and last timestamp of released rows; replayed ones may come behind."""
        known = self.has_time[slot]
        if not known or _earlier(first, self.first_timestamp[slot]):
            self.first_timestamp[slot] = first
        if not known or not _earlier(last, self.last_timestamp[slot]):
            self.last_timestamp[slot] = last
        self.has_time[slot] = True

    # -- rolling ---------------------------------------------------------------------------

    def take_rolling(self, slots: npt.NDArray[np.int64]) -> RollingState:
        """Copies of the running statistics of some layers."""
        return RollingState(
            self.rolling.count[slots], *(getattr(self.rolling, name)[slots] for name in _FLOATS)
        )

    def put_rolling(self, slots: npt.NDArray[np.int64], state: RollingState) -> None:
        """Put running statistics back."""
        self.rolling.count[slots] = state.count
        for name in _FLOATS:
            getattr(self.rolling, name)[slots] = getattr(state, name)

    # -- closing ---------------------------------------------------------------------------

    def summaries(self, keys: list[LayerId], stamp: RowStamp) -> pa.Table:
        """Rows of ``LAYER_QUALITY`` for layers that close."""
        slots = np.array([self.slot_of[key] for key in keys], np.int64)
        statistics = summary_table(
            keys,
            self.take_rolling(slots),
            n=self.rows[slots],
            first_timestamp=self._time(self.first_timestamp, slots),
            last_timestamp=self._time(self.last_timestamp, slots),
            anomalies=[self.anomalies[slot] for slot in slots],
        )
        given = {
            "layer_key": pa.array([layer_key(stamp.job_id, *key) for key in keys], pa.string()),
            "job_id": stamp.job_id,
            "revision": pa.array(self.revision[slots]),
            "epoch": stamp.epoch,
            "processing_timestamp": stamp.clock_us,
        }
        return filled(LAYER_QUALITY, statistics, given)

    # -- persistence -----------------------------------------------------------------------

    def take_changed(self) -> set[LayerId]:
        """Layers that changed or were dropped since the last call."""
        changed = {key for slot in self.changed if (key := self.keys[slot]) is not None}
        changed |= self.removed
        self.changed.clear()
        self.removed.clear()
        return changed

    def some(self, keys: Iterable[LayerId]) -> pa.Table:
        """The states of some layers; those that are dropped are marked as removed."""
        known = {key: self.slot_of.get(key) for key in sorted(keys, key=repr)}
        removed = [key for key, slot in known.items() if slot is None]
        slots = np.array([slot for slot in known.values() if slot is not None], np.int64)
        return pa.concat_tables([self._removals(removed), self._rows(slots)])

    def everything(self) -> pa.Table:
        """The states of all layers."""
        return self._rows(np.array(sorted(self.slot_of.values()), np.int64))

    def load(self, table: pa.Table, wanted: Callable[[LayerId], bool]) -> None:
        """Take in what ``some`` or ``everything`` gave; later rows replace earlier ones.

        Args:
            table: States.
            wanted: Says which layers are taken.
        """
        keys = zip(table["build_id"].to_pylist(), table["layer"].to_pylist(), strict=True)
        table = table.filter(pa.array([wanted(key) for key in keys], pa.bool_()))
        for row in table.to_pylist():
            key: LayerId = (row["build_id"], row["layer"])
            if row["removed"]:
                if key in self.slot_of:
                    self.drop(key)
                continue
            slot = self._slot(key)
            self.rows[slot] = row["rows"]
            for name in ("first_timestamp", "last_timestamp"):
                value = row[name]
                getattr(self, name)[slot] = np.nan if value is None else value
            self.has_time[slot] = row["first_timestamp"] is not None
            self.newest[slot] = row["newest"]
            self.revision[slot] = row["revision"]
            self.closed[slot] = row["closed"]
            self.closed_epoch[slot] = row["closed_epoch"]
            self.anomalies[slot] = json.loads(row["anomalies"])
            self.rolling.count[slot] = row["count"]
            for name in _FLOATS:
                getattr(self.rolling, name)[slot] = row[name]
        self.changed.clear()
        self.removed.clear()

    # -- inside ----------------------------------------------------------------------------

    def _slot(self, key: LayerId) -> int:
        slot = self.slot_of.get(key)
        if slot is not None:
            return slot
        if not self._free:
            self._allocate(len(self.keys) + max(_GROWTH, len(self.keys)))
        slot = self._free.pop()
        self.slot_of[key] = slot
        self.keys[slot] = key
        self.anomalies[slot] = {}
        self.rows[slot] = self.revision[slot] = self.closed_epoch[slot] = 0
        self.first_timestamp[slot] = self.last_timestamp[slot] = np.nan
        self.newest[slot] = -np.inf
        self.closed[slot] = self.has_time[slot] = False
        self.put_rolling(np.array([slot]), RollingState.empty(1, len(CHANNELS)))
        return slot

    def _allocate(self, size: int) -> None:
        old = len(self.keys)

        for name, kind in (
            ("rows", np.int64),
            ("first_timestamp", np.float64),
            ("last_timestamp", np.float64),
            ("newest", np.float64),
            ("revision", np.int64),
            ("closed_epoch", np.int64),
            ("closed", np.bool_),
            ("has_time", np.bool_),
        ):
            bigger: npt.NDArray[np.generic] = np.zeros(size, kind)
            bigger[:old] = getattr(self, name, bigger[:0])
            setattr(self, name, bigger)
        rolling = RollingState.empty(size, len(CHANNELS))
        if old:
            rolling.count[:old] = self.rolling.count
            for name in _FLOATS:
                getattr(rolling, name)[:old] = getattr(self.rolling, name)
        self.rolling = rolling
        self.keys.extend([None] * (size - old))
        self.anomalies.extend({} for _ in range(size - old))
        self._free.extend(range(size - 1, old - 1, -1))

    def _time(self, times: npt.NDArray[np.float64], slots: npt.NDArray[np.int64]) -> pa.Array:
        return nullable(times[slots], self.has_time[slots])

    def _rows(self, slots: npt.NDArray[np.int64]) -> pa.Table:
        keys = [self.keys[slot] or (None, None) for slot in slots]
        state = self.take_rolling(slots)
        columns = [
            pa.array([key[0] for key in keys], pa.string()),
            pa.array([key[1] for key in keys], pa.int32()),
            pa.array(np.zeros(len(slots), np.bool_)),
            pa.array(self.rows[slots]),
            self._time(self.first_timestamp, slots),
            self._time(self.last_timestamp, slots),
            pa.array(self.newest[slots]),
            pa.array(self.revision[slots]),
            pa.array(self.closed[slots]),
            pa.array(self.closed_epoch[slots]),
            pa.array([json.dumps(self.anomalies[slot]) for slot in slots], pa.string()),
            _per_channel(state.count),
            *[_per_channel(getattr(state, name)) for name in _FLOATS],
        ]
        return pa.Table.from_arrays(columns, schema=_STATE_SCHEMA)

    @staticmethod
    def _removals(keys: list[LayerId]) -> pa.Table:
        rows = [{"build_id": key[0], "layer": key[1], "removed": True} for key in keys]
        return pa.Table.from_pylist(rows, schema=_STATE_SCHEMA)


def _earlier(one: float, other: float) -> bool:
    """Whether a timestamp lies before another in event order: NaN is last."""
    return one < other or (math.isnan(other) and not math.isnan(one))


def _per_channel(array: npt.NDArray[np.generic]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), len(CHANNELS)
    )
