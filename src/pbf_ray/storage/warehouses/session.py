"""What the store of tables asks of a warehouse: statements, rows in Arrow, files loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from pbf_ray.storage.warehouses.dialect import WarehouseDialect

__all__ = ["Parameter", "WarehouseSession"]

Parameter = str | int | float | None
"""What stands for a ``?``."""


class WarehouseSession(Protocol):
    """A connection that opens on use, in each process anew; safe to use by threads, picklable.

    Every statement is a transaction of its own. Errors are those of stores.

    Attributes:
        name: Of the store, for messages.
        dialect: How its SQL looks.
    """

    name: str
    dialect: WarehouseDialect

    def make_place(self) -> None:
        """Make the schema or data set that the tables are in, where the warehouse lets us."""

    def check(self) -> None:
        """See that the warehouse answers, that the place is there, and that it can be written."""

    def execute(self, statement: str, parameters: Sequence[Parameter] = ()) -> int:
        """Run a statement; how many rows it changed."""

    def rows(self, statement: str, parameters: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        """The rows that a small query gives."""

    def batches(
        self, statement: str, parameters: Sequence[Parameter] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a query gives, a batch in memory at a time."""

    def load(self, table: str, rows: pa.Table) -> None:
        """Make a table with the columns of these rows, and load them by a Parquet file.

        Raises:
            StoreError: Not all of them have arrived.
        """

    def close(self) -> None:
        """Let go of the connection of this process."""
