"""Reading and scanning of stores that choose rows themselves, by SQL or queries of a server."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.fitting import subset_schema
from pbf_ray.storage.selection import Condition, RowSelection, conditions_of

__all__ = ["SelectingStore"]


class SelectingStore(TableStore):
    """A store that only has to say how it fetches the rows of some conditions."""

    @abc.abstractmethod
    def _tables(
        self,
        contract: TableContract,
        schema: pa.Schema,
        where: Sequence[Condition],
        *,
        limit: int | None,
        ordered: bool,
    ) -> Iterator[pa.Table]:
        """Rows for which all conditions hold, from one snapshot, as tables of this schema."""

    def read(
        self,
        contract: TableContract,
        *,
        job_id: str | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Rows in the schema of the contract."""
        schema = subset_schema(contract, columns, store=self.name)
        where = [] if job_id is None else [Condition("job_id", "=", job_id)]
        tables = list(self._tables(contract, schema, where, limit=limit, ordered=False))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def scan(
        self,
        contract: TableContract,
        selection: RowSelection | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Rows as batches while they are fetched, in bounded memory.

        A connection may be busy until the last batch was taken or the iterator is closed.
        """
        chosen = selection or RowSelection()
        schema = subset_schema(contract, columns, store=self.name)
        where = conditions_of(contract, chosen, store=self.name)
        for table in self._tables(
            contract, schema, where, limit=chosen.limit, ordered=chosen.paged
        ):
            yield from table.to_batches()
