"""What a contract's columns are called and hold, as texts that a catalogue keeps and compares.

For databases that do not tell Arrow's types of their columns: the store notes them itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError

__all__ = ["described_columns", "verify_columns"]

_REQUIRED = " not null"


def described_columns(contract: TableContract) -> dict[str, str]:
    """Arrow's type of each leaf by its dotted path, with ``not null`` where it must not be."""
    return dict(_columns(contract))


def verify_columns(
    contract: TableContract, there: Mapping[str, str], key: str, *, store: str, advice: str
) -> None:
    """Hold a contract against what was noted of its table; columns that may be null may lack.

    Args:
        contract: The table.
        there: Its columns as :func:`described_columns` gave them once.
        key: The key column that was noted.
        store: Name of the store, for messages.
        advice: What to do if they differ.

    Raises:
        StoreContentError: They differ.
    """
    wanted = described_columns(contract)
    lacking = [column for column in wanted if column not in there]
    problems = [f"has the unknown column {column}" for column in there if column not in wanted]
    problems += [
        f"has {column} as {there[column]}, not {kind}"
        for column, kind in wanted.items()
        if column in there and there[column] != kind
    ]
    if key != contract.key:
        problems.append(f"has the key {key}, not {contract.key}")
    if problems or any(wanted[column].endswith(_REQUIRED) for column in lacking):
        problems = [f"lacks {column}" for column in lacking] + problems
        raise StoreContentError(
            store,
            f"table {contract.name} does not fit: {'; '.join(problems)}",
            advice=advice,
            table=contract.name,
        )


def _columns(contract: TableContract) -> Iterator[tuple[str, str]]:
    for field in contract.schema:
        required = not field.nullable or field.name == contract.key
        yield from _leaves(field.type, field.name, _REQUIRED * required)


def _leaves(kind: pa.DataType, path: str, required: str) -> Iterator[tuple[str, str]]:
    if not pa.types.is_struct(kind):
        yield path, f"{kind}{required}"
        return
    for child in kind:
        yield from _leaves(child.type, f"{path}.{child.name}", "")
