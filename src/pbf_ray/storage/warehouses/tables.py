"""Tables in a warehouse: Parquet files loaded beside them, one MERGE by key for each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage.base import EpochCommit, StoreCapabilities, may_apply
from pbf_ray.storage.fitting import conform, distinct_keys, prepared
from pbf_ray.storage.selectingstore import SelectingStore
from pbf_ray.storage.selection import Condition, written_before
from pbf_ray.storage.warehouses import epochs
from pbf_ray.storage.warehouses.catalogue import is_table, prepare_tables
from pbf_ray.storage.warehouses.columns import loadable, rows_of
from pbf_ray.storage.warehouses.epochs import JobState, Pending, Staged
from pbf_ray.storage.warehouses.session import WarehouseSession
from pbf_ray.storage.warehouses.statements import TableStatements

__all__ = ["WarehouseTables"]

_PUT_PREFIX: Final = "pbf_ray_staged_put_"
_DAY_S: Final = 86_400.0


class WarehouseTables(SelectingStore):
    """Tables of a warehouse, over the session of one; no transactions are needed.

    All "append" tables of an epoch become visible in one instant to who reads through this class;
    rows of an "upsert" table replace the ones there table by table. ``put`` is atomic.

    Args:
        session: Of the warehouse.
        tables: The contracts that it wants when it is a further output of a job; None for all.
    """

    capabilities = StoreCapabilities(
        transactions=False,
        upsert=True,
        staged_files=False,
        ttl=False,
        clear=True,
        new_columns=True,
        prune=True,
    )

    def __init__(self, session: WarehouseSession, *, tables: Sequence[str] | None = None) -> None:
        self.name = session.name
        self.tables = tables
        self._session = session
        self._prepared: dict[str, TableStatements] = {}
        self._known: set[str] = set()

    def check(self) -> None:
        """Connect, and write where that can be undone."""
        self._session.check()

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Note or verify the columns of each table; those that may be null are added."""
        wanted = [self._statements(contract) for contract in contracts]
        self._session.make_place()
        prepare_tables(self._session, wanted)
        self._prepared.update({statements.contract.name: statements for statements in wanted})

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job, and remove what older ones have left behind."""
        state = epochs.claim(self._session, job_id, incarnation)
        if state.cleared:
            for statements in self._prepared.values():
                if statements.has_job():
                    self._session.execute(*statements.sweep(job_id, state.cleared))
        # What an older run has staged and not proposed, it cannot propose any more.
        prefix = epochs.staged_prefix(job_id)
        kept = () if state.pending is None else state.pending.staged
        places = {one.place for one in kept}
        self._drop(
            name
            for name in self._found(prefix)
            if name not in places and _run_of(name, prefix) < incarnation
        )

    def commit(self, write: EpochCommit) -> bool:
        """Stage, propose, merge, confirm; what an older run has left pending is finished first."""
        tables = self._conformed(write)
        while True:
            state = epochs.job_state(self._session, write.job_id)
            if not may_apply(
                write, store=self.name, incarnation=state.incarnation, committed=state.epoch
            ):
                return False
            pending = state.pending
            if pending is None:
                try:
                    pending = self._stage(write, state, tables)
                except StoreContentError:
                    # Gone while it was filled, because a newer run removes what is staged?
                    if epochs.job_state(self._session, write.job_id) == state:
                        raise
                    continue
                proposed = epochs.propose(self._session, write, state, pending)
                # Where a driver repeats a statement, the second one finds the work done.
                if not (proposed or self._decided(write, pending)):
                    # Fenced off, or another writer of this run was first.
                    self._discard(pending.staged)
                    continue
                if not pending.staged:
                    return True
            if not self._apply(write, state, pending):
                continue
            if epochs.confirm(self._session, write, pending):
                self._drop(one.place for one in pending.staged)
                if pending.epoch == write.epoch:
                    return True

    def put(self, contract: TableContract, table: pa.Table) -> None:
        """Load the rows, and one MERGE."""
        statements = self._prepared_one(contract.name)
        rows = distinct_keys(contract, conform(contract, table, store=self.name))
        if not rows.num_rows:
            return
        staged = self._load(statements, rows, f"{_PUT_PREFIX}{int(time.time())}_")
        try:
            self._session.execute(
                statements.merge(
                    staged.place, staged.columns, changes=contract.changes, sequence=None
                )
            )
        finally:
            self._discard([staged])

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch that was confirmed; None before the first."""
        return epochs.job_state(self._session, job_id).epoch

    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""
        where = [] if job_id is None else [Condition("job_id", "=", job_id)]
        self._need(contract)
        ((number,),) = self._session.rows(*self._statements(contract).count(where))
        return int(number)

    def clear(self, job_id: str, incarnation: int) -> None:
        """Let no row of the job count any more, then delete them from all prepared tables."""
        while True:
            state = epochs.job_state(self._session, job_id)
            following = EpochCommit(job_id, incarnation, (state.epoch or 0) + 1)
            may_apply(
                following, store=self.name, incarnation=state.incarnation, committed=state.epoch
            )
            if epochs.clear(self._session, job_id, incarnation, state):
                break
        for statements in self._prepared.values():
            if statements.has_job():
                mine = Condition("job_id", "=", job_id)
                self._session.execute(*statements.delete([mine]))
        if state.pending is not None:
            self._drop(one.place for one in state.pending.staged)

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Delete old rows in one statement."""
        condition = written_before(contract, before, store=self.name)
        self._need(contract)
        statements = self._statements(contract)
        if dry_run:
            ((number,),) = self._session.rows(*statements.count([condition]))
            return int(number)
        return self._session.execute(*statements.delete([condition]))

    def maintain(self) -> None:
        """Remove what writers that were killed within ``put`` have staged, after a day."""
        before = time.time() - _DAY_S
        self._drop(name for name in self._found(_PUT_PREFIX) if _run_of(name, _PUT_PREFIX) < before)

    def close(self) -> None:
        """Close the connection of this process."""
        self._session.close()

    # -- writing ---------------------------------------------------------------------------

    def _conformed(self, write: EpochCommit) -> dict[str, pa.Table]:
        parts: dict[str, list[pa.Table]] = {}
        for staged in write.rows:
            contract = self._prepared_one(staged.table).contract
            if "job_id" not in contract.schema.names:
                raise StoreContentError(
                    self.name,
                    f"{contract.name} has no job_id, by which its epochs would be told apart",
                    advice="write it by put()",
                    table=contract.name,
                )
            parts.setdefault(staged.table, []).append(
                conform(contract, staged.inline(), store=self.name)
            )
        return {name: pa.concat_tables(tables) for name, tables in parts.items()}

    def _stage(self, write: EpochCommit, state: JobState, tables: dict[str, pa.Table]) -> Pending:
        prefix = f"{epochs.staged_prefix(write.job_id)}{write.incarnation}_"
        staged: list[Staged] = []
        try:
            for name, table in tables.items():
                if table.num_rows:
                    statements = self._prepared_one(name)
                    rows = distinct_keys(statements.contract, table)
                    staged.append(self._load(statements, rows, prefix))
        except Exception:
            self._discard(staged)
            raise
        return Pending(write.epoch, state.sequence + 1, tuple(staged))

    def _load(self, statements: TableStatements, rows: pa.Table, prefix: str) -> Staged:
        columns = tuple(column.name for column in statements.columns)
        staged = Staged(statements.contract.name, epochs.unique_name(prefix), columns)
        try:
            self._session.load(staged.place, loadable(statements.contract, rows))
        except Exception:
            self._discard([staged])
            raise
        return staged

    def _decided(self, write: EpochCommit, pending: Pending) -> bool:
        return epochs.job_state(self._session, write.job_id).pending == pending

    def _apply(self, write: EpochCommit, state: JobState, pending: Pending) -> bool:
        """Merge what is pending; False if another one has finished it meanwhile."""
        for staged in pending.staged:
            statements = self._prepared_one(staged.table)
            merge = statements.merge(
                staged.place,
                staged.columns,
                changes=statements.contract.changes,
                sequence=pending.sequence,
                floor=state.cleared,
            )
            try:
                self._session.execute(merge)
            except StoreContentError:
                # Gone because it is confirmed?
                if self._decided(write, pending):
                    raise
                return False
        return True

    def _found(self, prefix: str) -> list[str]:
        begins = self._session.dialect.name_of(prefix)
        found = self._session.rows(self._session.dialect.table_names, [begins])
        # In our words: these names are of small letters, digits and underscores.
        return [str(name).lower() for (name,) in found]

    def _discard(self, staged: Iterable[Staged]) -> None:
        """Remove staged rows that are of no use; what cannot be now, a claim or upkeep removes."""
        with suppress(StoreError):
            self._drop(one.place for one in staged)

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._session.execute(f"DROP TABLE IF EXISTS {self._session.dialect.quoted(name)}")

    # -- reading ---------------------------------------------------------------------------

    def _tables(
        self,
        contract: TableContract,
        schema: pa.Schema,
        where: Sequence[Condition],
        *,
        limit: int | None,
        ordered: bool,
    ) -> Iterator[pa.Table]:
        self._need(contract)
        if limit is not None and limit <= 0:
            return
        # Each field once for SQL, in the order of the contract; Arrow puts them in order.
        stored = pa.schema([field for field in contract.schema if field.name in schema.names])
        question = self._statements(contract).select(
            stored.names, where, limit=limit, ordered=ordered
        )
        for batch in self._session.batches(*question):
            table = rows_of(contract, batch, stored, store=self.name)
            yield pa.Table.from_arrays([table.column(name) for name in schema.names], schema=schema)

    def _prepared_one(self, name: str) -> TableStatements:
        contracts = {one: known.contract for one, known in self._prepared.items()}
        prepared(contracts, name, store=self.name)
        return self._prepared[name]

    def _statements(self, contract: TableContract) -> TableStatements:
        known = self._prepared.get(contract.name)
        if known is not None and known.contract == contract:
            return known
        return TableStatements(contract, self._session.dialect, store=self.name)

    def _need(self, contract: TableContract) -> None:
        if contract.name in self._prepared or contract.name in self._known:
            return
        if not is_table(self._session, contract.name):
            raise StoreContentError(
                self.name,
                f"there is no table {contract.name}",
                advice="run a job that writes it first",
                table=contract.name,
            )
        self._known.add(contract.name)


def _run_of(name: str, prefix: str) -> int:
    """The number behind the prefix: of a run, or of the second that it was made in."""
    number = name.removeprefix(prefix).partition("_")[0]
    return int(number) if number.isdigit() else 0
