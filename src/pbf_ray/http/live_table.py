"""An output table in memory, kept up to date by the epochs that were written since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.selection import RowSelection

__all__ = ["LiveTable"]

_MOST_CHUNKS: Final = 64


class LiveTable:
    """The rows of a job in one table; each refresh reads only what is new.

    Rows that were removed (by their age, or by a reset of the job) are noticed by their number,
    and everything is read anew.

    Args:
        store: Where the table is.
        contract: The table; one of those with a row per result, which fit into memory.
        job_id: The job.
        kept: What is kept of rows, the key and the epoch among it; all if not given.
    """

    def __init__(
        self,
        store: TableStore,
        contract: TableContract,
        job_id: str,
        kept: Callable[[pa.Table], pa.Table] | None = None,
    ) -> None:
        self._store = store
        self._contract = contract
        self._job_id = job_id
        self._kept = kept
        self._rows = self._whole(contract.schema.empty_table())
        self._epoch = -1

    @property
    def rows(self) -> pa.Table:
        """What was there at the last refresh, in no set order; one object while nothing changes."""
        return self._rows

    def refresh(self, epoch: int) -> pa.Table:
        """Read what is new.

        Args:
            epoch: The last epoch that the store has applied, by which the rows are complete.

        Returns:
            The rows that are new or were replaced; all of them where everything was read anew.

        Raises:
            StoreError: The store cannot be read.
        """
        new = self._scan(self._epoch)
        rows = self._rows
        if new.num_rows and self._contract.changes == "upsert" and self._rows.num_rows:
            replaced = pc.is_in(self._rows[self._contract.key], new[self._contract.key])
            rows = pa.concat_tables([self._rows.filter(pc.invert(replaced)), new])
        elif new.num_rows:
            rows = pa.concat_tables([self._rows, new])
        # Rows of an epoch that is being written just now are counted, and seen, next time.
        if self._store.count(self._contract, job_id=self._job_id) < rows.num_rows:
            rows = new = self._scan(-1)
        newest = pc.max(new["epoch"]).as_py()
        self._epoch = max(self._epoch, epoch, -1 if newest is None else newest)
        crowded = rows.column(0).num_chunks > _MOST_CHUNKS
        self._rows = rows.combine_chunks() if crowded else rows
        return new

    def _scan(self, after_epoch: int) -> pa.Table:
        selection = RowSelection(self._job_id, after_epoch=after_epoch)
        parts = [
            self._whole(pa.Table.from_batches([batch]))
            for batch in self._store.scan(self._contract, selection)
        ]
        return pa.concat_tables(parts) if parts else self._rows.slice(0, 0)

    def _whole(self, rows: pa.Table) -> pa.Table:
        return rows if self._kept is None else self._kept(rows)
