"""Tables in MongoDB: a collection per contract, a document per row, its key as ``_id``.

Epochs are one compare-and-set on the document of the job after another; see ``epochs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from bson.datetime_ms import DatetimeMS
from pymongo.synchronous.database import Database

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.base import EpochCommit, StoreCapabilities, may_apply
from pbf_ray.storage.documents.content import check_collection
from pbf_ray.storage.fitting import conform, distinct_keys, prepared
from pbf_ray.storage.mongodb import epochs
from pbf_ray.storage.mongodb.bulk import Encoded, encoded, insert, replace
from pbf_ray.storage.mongodb.catalogue import check_writing, is_table, prepare_table
from pbf_ray.storage.mongodb.client import MongoAddress, MongoConnection
from pbf_ray.storage.mongodb.columns import (
    EXACT,
    ROW,
    check_types,
    fields_of,
    from_documents,
    to_documents,
)
from pbf_ray.storage.mongodb.epochs import EpochRows, JobState, Pending
from pbf_ray.storage.selectingstore import SelectingStore
from pbf_ray.storage.selection import (
    Condition,
    expression_of,
    written_before,
)

__all__ = ["MongoTables"]

_ROWS_PER_BATCH: Final = 10_000
_COMPARISONS: Final = {"=": "$eq", ">=": "$gte", ">": "$gt", "<=": "$lte", "<": "$lt", "in": "$in"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Database = Database[dict[str, Any]]


class MongoTables(SelectingStore):
    """Tables as collections of a MongoDB database; no transactions are needed.

    All "append" tables of an epoch become visible in one instant to who reads through this
    class; rows of an "upsert" table replace the ones there one by one. ``put`` is not atomic: where
    it is interrupted, some rows are there, and the same call again completes it.

    Args:
        address: The database.
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

    def __init__(self, address: MongoAddress, *, tables: Sequence[str] | None = None) -> None:
        self.name = f"mongodb://{address.place}"
        self.tables = tables
        self._connection = MongoConnection(address, name=self.name)
        self._contracts: dict[str, TableContract] = {}
        self._known: set[str] = set()

    def check(self) -> None:
        """Write a document and remove it."""
        with self._connection.database() as database:
            check_writing(database)

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Note or verify the columns of each table; those that may be null are added."""
        for contract in contracts:
            check_collection(contract.name, store=self.name)
            check_types(contract, store=self.name)
        with self._connection.database() as database:
            for contract in contracts:
                prepare_table(database, contract, fields_of(contract), store=self.name)
        self._contracts.update({contract.name: contract for contract in contracts})

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job, and remove rows that an older one wrote after a ``clear``."""
        with self._connection.database() as database:
            state = epochs.claim(database, job_id, incarnation, store=self.name)
            if state.generation:
                self._sweep(database, job_id, state.generation)

    def commit(self, write: EpochCommit) -> bool:
        """Stage, propose, apply, confirm; what an older run has left pending is finished first."""
        tables = self._conformed(write)
        with self._connection.database() as database:
            while True:
                state = epochs.job_state(database, write.job_id)
                if not may_apply(
                    write, store=self.name, incarnation=state.incarnation, committed=state.epoch
                ):
                    return False
                pending = state.pending
                if pending is None:
                    rows = self._encoded(write, state, tables)
                    pending = epochs.stage(database, write, rows)
                    if not epochs.propose(database, write, state, pending):
                        continue  # fenced off, or another writer of this run was first
                    if not pending.pieces:
                        return True
                    for part in rows:
                        self._apply(database, part, state, pending)
                else:
                    for part in epochs.staged_rows(
                        database, write.job_id, pending, store=self.name
                    ):
                        self._apply(database, part, state, pending)
                if epochs.confirm(database, write, pending):
                    epochs.drop_staged(database, write.job_id, pending.epoch)
                    if pending.epoch == write.epoch:
                        return True

    def put(self, contract: TableContract, table: pa.Table) -> None:
        """Insert rows, or insert and replace them, in bulk."""
        prepared(self._contracts, contract.name, store=self.name)
        rows = distinct_keys(contract, conform(contract, table, store=self.name))
        documents = self._bson(contract, rows, None)
        with self._connection.database() as database:
            collection = database[contract.name]
            if contract.changes == "append":
                insert(collection, documents)
            else:
                there = replace(collection, documents, lambda _: {}, upsert=True)
                replace(collection, there, lambda _: {}, upsert=False)

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch that was confirmed; None before the first."""
        with self._connection.database() as database:
            return epochs.job_state(database, job_id).epoch

    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""
        where = [] if job_id is None else [Condition("job_id", "=", job_id)]
        with self._connection.database() as database:
            self._need(database, contract)
            return database[contract.name].count_documents(self._query(database, contract, where))

    def clear(self, job_id: str, incarnation: int) -> None:
        """Let no row of the job count any more, then delete them from all prepared tables."""
        with self._connection.database() as database:
            while True:
                state = epochs.job_state(database, job_id)
                following = EpochCommit(job_id, incarnation, (state.epoch or 0) + 1)
                may_apply(
                    following,
                    store=self.name,
                    incarnation=state.incarnation,
                    committed=state.epoch,
                )
                if epochs.start_generation(database, job_id, incarnation, state):
                    break
            for name in self._contracts:
                database[name].delete_many({"job_id": job_id})

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Delete old rows in bulk."""
        condition = written_before(contract, before, store=self.name)
        schema = pa.schema([contract.schema.field(contract.key)])
        removed = 0
        for table in self._tables(contract, schema, [condition], limit=None, ordered=False):
            removed += table.num_rows
            if not dry_run and table.num_rows:
                with self._connection.database() as database:
                    keys = table.column(contract.key).to_pylist()
                    database[contract.name].delete_many({"_id": {"$in": keys}})
        return removed

    def maintain(self) -> None:
        """Nothing: MongoDB looks after itself."""

    def close(self) -> None:
        """Close the connections of this process."""
        self._connection.close()

    # -- writing ---------------------------------------------------------------------------

    def _conformed(self, write: EpochCommit) -> dict[str, pa.Table]:
        parts: dict[str, list[pa.Table]] = {}
        for staged in write.rows:
            contract = prepared(self._contracts, staged.table, store=self.name)
            parts.setdefault(staged.table, []).append(
                conform(contract, staged.inline(), store=self.name)
            )
        return {name: pa.concat_tables(tables) for name, tables in parts.items()}

    def _encoded(
        self, write: EpochCommit, state: JobState, tables: dict[str, pa.Table]
    ) -> list[EpochRows]:
        mark = epochs.row_mark(write.job_id, state.generation, write.epoch)
        found = []
        for name, table in tables.items():
            contract = self._contracts[name]
            documents = self._bson(contract, distinct_keys(contract, table), mark)
            found.append(EpochRows(name, contract.changes, documents))
        return found

    def _bson(
        self, contract: TableContract, table: pa.Table, mark: dict[str, Any] | None
    ) -> list[Encoded]:
        what, most = f"row of {contract.name}", epochs.MOST_ROW_BYTES
        return [
            encoded(document, store=self.name, what=what, most=most)
            for document in to_documents(contract, table, mark)
        ]

    @staticmethod
    def _apply(database: _Database, part: EpochRows, state: JobState, pending: Pending) -> None:
        epochs.apply(database, part, generation=state.generation, epoch=pending.epoch)

    def _sweep(self, database: _Database, job_id: str, generation: int) -> None:
        for name in self._contracts:
            database[name].delete_many({"job_id": job_id, f"{ROW}.generation": {"$lt": generation}})

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
        # What the server compares are milliseconds, and NaN is no number everywhere.
        exactly = [
            condition
            for condition in where
            if pa.types.is_temporal(contract.schema.field(condition.column).type)
            or pa.types.is_floating(contract.schema.field(condition.column).type)
        ]
        expression = expression_of(exactly, contract.schema)
        wanted = {*schema.names, *(condition.column for condition in exactly)}
        read = pa.schema([field for field in contract.schema if field.name in wanted])
        fields = fields_of(contract)
        left = limit
        with self._connection.database() as database:
            self._need(database, contract)
            if limit is not None and limit <= 0:
                return
            cursor = database[contract.name].find(
                self._query(database, contract, where),
                {"_id": 1, EXACT: 1, **{fields[name]: 1 for name in read.names}},
            )
            if ordered:
                cursor = cursor.sort("_id", 1)
            if limit is not None and not exactly:
                cursor = cursor.limit(limit)
            with cursor:
                while left is None or left > 0:
                    table = self._next(cursor, contract, read)
                    if table is None:
                        return
                    if expression is not None:
                        table = table.filter(expression)
                    if left is not None:
                        table = table.slice(0, left)
                        left -= table.num_rows
                    yield pa.Table.from_arrays(
                        [table.column(name) for name in schema.names], schema=schema
                    )

    def _next(self, cursor: Any, contract: TableContract, schema: pa.Schema) -> pa.Table | None:
        documents = []
        for document in cursor:
            documents.append(document)
            if len(documents) == _ROWS_PER_BATCH:
                break
        if not documents:
            return None
        return from_documents(contract, documents, schema, store=self.name)

    def _query(
        self, database: _Database, contract: TableContract, where: Sequence[Condition]
    ) -> dict[str, Any]:
        fields = fields_of(contract)
        parts: list[dict[str, Any]] = [
            {fields[condition.column]: _comparison(condition)} for condition in where
        ]
        jobs = [condition.value for condition in where if condition.column == "job_id"]
        hidden = epochs.unseen(database, jobs[0] if jobs else None, contract.changes)
        parts += [{"$nor": hidden}] if hidden else []
        return {"$and": parts} if parts else {}

    def _need(self, database: _Database, contract: TableContract) -> None:
        if contract.name in self._contracts or contract.name in self._known:
            return
        if not is_table(database, contract.name):
            raise StoreContentError(
                self.name,
                f"there is no table {contract.name}",
                advice="run a job that writes it first",
                table=contract.name,
            )
        self._known.add(contract.name)


def _comparison(condition: Condition) -> dict[str, Any]:
    """What the server is asked; of a moment its millisecond, the rows are looked at later."""
    if not isinstance(condition.value, datetime):
        return {_COMPARISONS[condition.comparison]: condition.value}
    least = condition.comparison in {">", ">="}
    millisecond = (condition.value - _EPOCH) // timedelta(milliseconds=1)
    return {"$gte" if least else "$lte": DatetimeMS(millisecond)}
