"""Repeats within the lateness: records that say they are the same message."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.streaming.layer_states import LayerId

__all__ = ["Repeats"]

_Message = tuple[str | None, float | None]
"""Id and timestamp."""


class Repeats:
    """Ids of the rows that wait for the watermark, per layer.

    A repeat has the id and the timestamp of its original: one whose original is released is
    late, so the waiting rows are all that has to be known. Of repeats in several partitions the
    one that is read first stays.

    Args:
        dedup_key: Text field of the record, or ``struct.field``. Null ids are never repeats.
    """

    def __init__(self, dedup_key: str) -> None:
        self.dedup_key = dedup_key
        self._path = dedup_key.split(".")
        self._known: dict[LayerId, set[_Message]] = {}

    def add(self, key: LayerId, rows: pa.Table) -> None:
        """Note rows of a layer."""
        self._known.setdefault(key, set()).update(
            message for message in self._messages(rows) if message[0] is not None
        )

    def forget(self, key: LayerId, rows: pa.Table) -> None:
        """Rows of a layer are released."""
        known = self._known.get(key)
        if known is None:
            return
        known.difference_update(self._messages(rows))
        if not known:
            del self._known[key]

    def mark(
        self,
        rows: pa.Table,
        codes: npt.NDArray[np.int64],
        keys: list[LayerId],
        fresh: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        """Which fresh rows repeat a known one or an earlier one here; notes the others.

        Args:
            rows: ``ROUTED_SCHEMA`` in canonical order.
            codes: int64 per row, index into ``keys``.
            keys: Layers.
            fresh: bool per row; others are passed over.

        Returns:
            bool per row.
        """
        repeated = np.zeros(len(fresh), np.bool_)
        for row, message in enumerate(self._messages(rows)):
            if message[0] is None or not fresh[row]:
                continue
            known = self._known.setdefault(keys[codes[row]], set())
            if message in known:
                repeated[row] = True
            else:
                known.add(message)
        return repeated

    def _messages(self, rows: pa.Table) -> list[_Message]:
        column = rows[self._path[0]]
        for name in self._path[1:]:
            column = pc.struct_field(column, name)
        return list(zip(column.to_pylist(), rows["timestamp"].to_pylist(), strict=True))
