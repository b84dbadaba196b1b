"""What a store is: staged rows, epoch commits, the interface of tables and of a user's sink.

Every store keeps one promise: after ``commit(epoch)`` has returned, all rows of that epoch are
visible, once; if it raises or the process dies, calling it again (also with rows staged anew)
gives the same tables. The stream relies on nothing else.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol, Self, runtime_checkable

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import FencedError, StoreError
from pbf_ray.storage.fitting import conform, subset_schema
from pbf_ray.storage.selection import RowSelection, conditions_of, expression_of
from pbf_ray.storage.staging import EpochCommit, StagedFile, StagedRows, StoreCapabilities

__all__ = [
    "EpochCommit",
    "Sink",
    "StagedFile",
    "StagedRows",
    "StoreCapabilities",
    "TableStore",
    "may_apply",
]


@runtime_checkable
class Sink(Protocol):
    """The least that a user's own output has to be: the stream only writes to it.

    Rows arrive inline (:meth:`StagedRows.inline`). The order of calls is ``prepare``, ``claim``,
    then one ``commit`` per epoch. ``commit`` may be called again for an epoch that it has already
    applied, after any crash: whatever identifies an applied epoch (its number, or the keys of its
    rows) has to be written in the same transaction as the rows, or the rows have to be written
    by key. A sink travels to other processes: keep configuration in it, open connections on use.
    A sink that also has ``clear(job_id, incarnation)``, as a TableStore has, lets
    ``pbf-ray stream reset --clear-outputs`` remove the rows of the job.

    Attributes:
        name: Unique among the outputs of the job; used in messages.
        tables: The contracts that it wants, by name; None for all.
    """

    name: str
    tables: Sequence[str] | None

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Make ready for these tables; called at each start."""

    def claim(self, job_id: str, incarnation: int) -> None:
        """Note that this run of the job is now the one; FencedError if a newer one is known."""

    def commit(self, write: EpochCommit) -> bool:
        """Apply an epoch once; False if it had been applied before."""


class TableStore(abc.ABC):
    """Tables with atomic, idempotent epochs, a fence, and reading.

    Subclass this for a store of your own (or satisfy the smaller :class:`Sink` for something that
    is only written to). Rules for subclasses:

    - Construct from plain values; open connections on first use, one set per process, and leave
      them out of the pickled state. What ``prepare`` was given stays in it.
    - ``stage`` may run in any process and any number of times, makes nothing visible, and need
      not be followed by a commit.
    - ``commit`` looks at the fence, at the last committed epoch, and writes, in one atomic step
      (per table where ``capabilities.transactions`` is False). :func:`may_apply` is the decision.
    - Values survive exactly: nulls, NaN, infinities, -0.0, a null struct (not the same as a
      struct of nulls), any Unicode, any bytes.
    - Errors are :class:`StoreUnavailableError` (the same call may work later),
      :class:`StoreContentError` or :class:`StoreError` (it will not), with advice.

    Attributes:
        name: Kind and place, for example ``sqlite:/data/operational.sqlite``; unique in a job.
        capabilities: What the store can do.
        tables: The contracts that it wants when it is a further output of a job; None for all.
    """

    name: str
    capabilities: StoreCapabilities
    tables: Sequence[str] | None = None

    @abc.abstractmethod
    def check(self) -> None:
        """See that the store can be reached and written.

        Raises:
            StoreUnavailableError: It cannot now, but may later.
            StoreError: It never will without a change.
        """

    @abc.abstractmethod
    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Create the tables, or verify that those there fit; apply migrations. Repeatable.

        Raises:
            StoreContentError: A table has other columns (named in the message), was written by a
                newer version, or the contract needs what the store cannot do.
        """

    @abc.abstractmethod
    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job; from now on older runs of it cannot commit. Repeatable.

        Raises:
            FencedError: A newer run is registered.
        """

    def stage(
        self, contract: TableContract, table: pa.Table, *, job_id: str, epoch: int, part: str
    ) -> StagedRows:
        """Put rows where ``commit`` can take them, invisibly; callable in any process.

        Args:
            contract: The table.
            table: Rows with the columns and types of the contract, in any order of columns.
            job_id: The job.
            epoch: The epoch that the rows belong to.
            part: Tells apart the callers of one epoch, for names and messages.

        Raises:
            StoreContentError: The rows do not fit the contract.
        """
        del job_id, epoch, part
        rows = conform(contract, table, store=self.name)
        return StagedRows(contract.name, rows.num_rows, rows, self.name)

    @abc.abstractmethod
    def commit(self, write: EpochCommit) -> bool:
        """Make all rows of an epoch visible, once.

        Returns:
            True if this call applied the epoch, False if it had been applied before.

        Raises:
            FencedError: A newer run of the job has claimed the store.
            StoreError: This run has not claimed it, or a table was not prepared.
        """

    @abc.abstractmethod
    def put(self, contract: TableContract, table: pa.Table) -> None:
        """Write rows by key in one atomic step, outside the epochs of any job.

        A key that is there keeps its row under an "append" contract and gets the new one under an
        "upsert" contract, so that the same call twice, also after a crash, leaves the same rows.
        Of rows with one key the first counts under "append", the last under "upsert".

        Args:
            contract: The table, which was prepared.
            table: Rows with the columns and types of the contract, in any order of columns.

        Raises:
            StoreContentError: The rows do not fit the contract.
            StoreError: The table was not prepared.
        """

    @abc.abstractmethod
    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job that is applied as a whole; None before the first."""

    @abc.abstractmethod
    def read(
        self,
        contract: TableContract,
        *,
        job_id: str | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Rows in the exact schema of the contract, or of the named columns, in no set order.

        Args:
            contract: The table.
            job_id: Only rows of this job.
            columns: Only these top-level columns, in this order.
            limit: At most so many rows.

        Raises:
            StoreContentError: The table is missing or holds what does not fit the contract.
        """

    def scan(
        self,
        contract: TableContract,
        selection: RowSelection | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a selection names, as batches.

        This one reads what the job has and chooses in memory; stores that can, let the server
        choose and hold a batch at a time.

        Args:
            contract: The table.
            selection: Which rows; all if not given. With a limit or a key to go on from, they
                come in the order of their keys.
            columns: Only these top-level columns, in this order.

        Raises:
            StoreContentError: The table is missing, holds what does not fit the contract, or has
                no column that the selection chooses by.
        """
        chosen = selection or RowSelection()
        schema = subset_schema(contract, columns, store=self.name)
        condition = expression_of(conditions_of(contract, chosen, store=self.name), contract.schema)
        table = self.read(contract, job_id=chosen.job_id)
        if condition is not None:
            table = table.filter(condition)
        if chosen.paged:
            table = table.sort_by(contract.key)
        if chosen.limit is not None:
            table = table.slice(0, max(chosen.limit, 0))
        yield from table.select(schema.names).to_batches()

    @abc.abstractmethod
    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""

    def clear(self, job_id: str, incarnation: int) -> None:
        """Remove all rows of a job; its epoch and run stay noted. Repeatable, not atomic.

        Raises:
            FencedError: A newer run is registered.
            StoreError: The store cannot do it (see ``capabilities``), or was not claimed.
        """
        del job_id, incarnation
        raise StoreError(
            self.name,
            "its rows cannot be removed",
            advice="run under another job name, whose outputs start afresh",
        )

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Remove the rows that were written (``processing_timestamp``) before a time.

        Safe beside a running job. What was removed does not come back by a replay: the epoch of the
        rows is committed.

        Args:
            contract: The table.
            before: A time with a zone.
            dry_run: Only count.

        Returns:
            How many rows were removed, or would be.

        Raises:
            StoreContentError: The table is missing, or does not say when its rows were written.
            StoreError: The store cannot do it (see ``capabilities``).
        """
        del contract, before, dry_run
        raise StoreError(
            self.name,
            "rows cannot be removed by their age",
            advice="remove them with the tools of the store",
        )

    @abc.abstractmethod
    def maintain(self) -> None:
        """Compact, clean up; cheap when there is nothing to do. Safe beside a running job."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of connections; the store opens them again on use."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def may_apply(
    write: EpochCommit, *, store: str, incarnation: int | None, committed: int | None
) -> bool:
    """Whether an epoch is to be applied, seen from what a store has registered.

    Args:
        write: The epoch.
        store: Name of the store, for messages.
        incarnation: The run that has claimed the store; None if none has.
        committed: The last applied epoch of the job; None before the first.

    Returns:
        False for an epoch that is already applied.

    Raises:
        FencedError: A newer run has claimed the store.
        StoreError: The run of the write has not claimed it.
    """
    if incarnation is not None and incarnation > write.incarnation:
        raise FencedError(write.job_id, mine=write.incarnation, newer=incarnation, where=store)
    if incarnation != write.incarnation:
        raise StoreError(
            store,
            f"run {write.incarnation} of job {write.job_id} has not claimed it "
            f"(registered: {incarnation})",
            advice="call claim(job_id, incarnation) before the first commit; if it was called, "
            "somebody has emptied or replaced the store",
        )
    return committed is None or write.epoch > committed
