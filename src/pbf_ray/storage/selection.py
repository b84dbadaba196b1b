"""Which rows a reader wants, as conditions that each store puts into its own words."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError

__all__ = [
    "Condition",
    "RowSelection",
    "conditions_of",
    "expression_of",
    "time_column",
    "written_before",
]

_TIME_COLUMNS: Final = ("timestamp", "last_timestamp", "processing_timestamp")


@dataclass(frozen=True)
class RowSelection:
    """Which rows; what is not given does not matter.

    Attributes:
        job_id: Of this job.
        builds: Of these builds.
        layers: From the first to the last of these two layers, both included.
        since: At this time or later; see :func:`time_column` for which time.
        until: Before this time.
        after_epoch: Written by an epoch later than this: what is new since a reader looked.
        after_key: With a key behind this one: the next page, after the last key of the one before.
        limit: At most so many rows, the ones with the lowest keys.
    """

    job_id: str | None = None
    builds: Sequence[str] | None = None
    layers: tuple[int, int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_epoch: int | None = None
    after_key: str | int | None = None
    limit: int | None = None

    @property
    def paged(self) -> bool:
        """Whether rows come in the order of their keys."""
        return self.limit is not None or self.after_key is not None


@dataclass(frozen=True)
class Condition:
    """A column compared with a value; ``in`` with a list of values.

    Attributes:
        column: A top-level column of the contract.
        comparison: How.
        value: With what.
    """

    column: str
    comparison: Literal["=", ">=", ">", "<=", "<", "in"]
    value: Any


_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def time_column(contract: TableContract) -> str | None:
    """The column that time ranges are about: event time where the table has it.

    ``timestamp`` of records, ``last_timestamp`` of layers, else ``processing_timestamp``.
    """
    names = contract.schema.names
    return next((name for name in _TIME_COLUMNS if name in names), None)


def conditions_of(
    contract: TableContract, selection: RowSelection, *, store: str
) -> list[Condition]:
    """The conditions, all of which a row has to meet. A null meets none.

    Raises:
        StoreContentError: The table has no column that one of them is about.
        ValueError: A time has no zone.
    """
    found: list[Condition] = []

    def need(column: str | None, what: str, comparison: Any, value: Any) -> None:
        if column is None or column not in contract.schema.names:
            raise StoreContentError(
                store, f"{contract.name} has no {what} to choose by", table=contract.name
            )
        found.append(Condition(column, comparison, value))

    if selection.job_id is not None:
        need("job_id", "job", "=", selection.job_id)
    if selection.builds is not None:
        need("build_id", "build", "in", list(selection.builds))
    if selection.layers is not None:
        need("layer", "layer", ">=", selection.layers[0])
        need("layer", "layer", "<=", selection.layers[1])
    for moment, comparison in ((selection.since, ">="), (selection.until, "<")):
        if moment is not None:
            column = time_column(contract)
            need(column, "time", comparison, _moment(contract, column, moment))
    if selection.after_epoch is not None:
        need("epoch", "epoch", ">", selection.after_epoch)
    if selection.after_key is not None:
        need(contract.key, "key", ">", selection.after_key)
    return found


def written_before(contract: TableContract, before: datetime, *, store: str) -> Condition:
    """The condition that rows were written before a time, by ``processing_timestamp``.

    Raises:
        StoreContentError: The table does not say when its rows were written.
        ValueError: The time has no zone.
    """
    if "processing_timestamp" not in contract.schema.names:
        raise StoreContentError(
            store, f"{contract.name} has no processing_timestamp to go by", table=contract.name
        )
    moment = _moment(contract, "processing_timestamp", before)
    return Condition("processing_timestamp", "<", moment)


def expression_of(conditions: Sequence[Condition], schema: pa.Schema) -> pc.Expression | None:
    """The conditions in Arrow's words; None if there are none."""
    parts = []
    for condition in conditions:
        column = pc.field(condition.column)
        kind = schema.field(condition.column).type
        if condition.comparison == "in":
            parts.append(column.isin(pa.array(condition.value, kind)))
        else:
            value = pa.scalar(condition.value, kind)
            parts.append(_COMPARE[condition.comparison](column, value))
    return reduce(operator.and_, parts) if parts else None


def _moment(contract: TableContract, column: str | None, moment: datetime) -> Any:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: add tzinfo=UTC")
    if column is not None and pa.types.is_floating(contract.schema.field(column).type):
        return moment.timestamp()
    return moment.astimezone(UTC)
