"""What stores can do, and what waits in them for an epoch: small, frozen, picklable."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from pbf_ray.errors import StoreError

__all__ = ["EpochCommit", "StagedFile", "StagedRows", "StoreCapabilities"]


@dataclass(frozen=True)
class StoreCapabilities:
    """What a store can do, as data that generic code reads.

    Attributes:
        transactions: All tables of an epoch become visible in one instant. Without it each table
            does, one after the other.
        upsert: A contract with ``changes="upsert"`` may be stored: a later row replaces.
        staged_files: ``stage`` writes files, so its result stays small whatever the rows; other
            stores carry the rows themselves.
        ttl: Rows may be given a time to live.
        clear: All rows of a job can be removed.
        new_columns: ``prepare`` adds a column that a table lacks and that may be null.
        prune: Rows of a table that were written before a time can be removed.
    """

    transactions: bool
    upsert: bool
    staged_files: bool
    ttl: bool
    clear: bool = False
    new_columns: bool = False
    prune: bool = False


@dataclass(frozen=True)
class StagedFile:
    """A data file that is written but belongs to no table yet.

    Attributes:
        path: Relative to the folder of its table, with ``/``.
        size: Bytes.
        rows: Rows in it.
        stats: Column statistics as the JSON text of the lake format.
    """

    path: str
    size: int
    rows: int
    stats: str


@dataclass(frozen=True)
class StagedRows:
    """Rows of one table that wait for their epoch to be committed; picklable.

    Attributes:
        table: Name of the contract.
        rows: Number of rows.
        payload: The rows (exact contract schema), or the files that hold them.
        store: Name of the store that staged them, so that commits find their way back.
    """

    table: str
    rows: int
    payload: pa.Table | tuple[StagedFile, ...]
    store: str = ""

    def inline(self) -> pa.Table:
        """The rows themselves.

        Raises:
            StoreError: If they were staged as files.
        """
        if isinstance(self.payload, tuple):
            raise StoreError(
                self.store or "?",
                f"rows of {self.table} were staged as files where inline rows are expected",
                advice="commit rows to the store that staged them",
            )
        return self.payload

    def files(self) -> tuple[StagedFile, ...]:
        """The files that hold the rows.

        Raises:
            StoreError: If the rows are inline.
        """
        if not isinstance(self.payload, tuple):
            raise StoreError(
                self.store or "?",
                f"rows of {self.table} are inline where staged files are expected",
                advice="commit rows to the store that staged them",
            )
        return self.payload


@dataclass(frozen=True)
class EpochCommit:
    """All rows of one epoch.

    Attributes:
        job_id: The job.
        incarnation: The run of the job that commits; it must have claimed the store.
        epoch: Number of the epoch, from 0; a job commits its epochs in rising order.
        rows: What was staged, any number per table; may be empty.
    """

    job_id: str
    incarnation: int
    epoch: int
    rows: tuple[StagedRows, ...] = field(default=())
