"""Arrow rows as JSON-ready values: times as ISO 8601 text in UTC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["plain_columns", "plain_rows"]


def plain_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """A dictionary per row."""
    columns = plain_columns(rows)
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def plain_columns(rows: pa.Table) -> dict[str, list[Any]]:
    """A list per column. NaN stays NaN, for the JSON writer to make null."""
    return {name: _plain(rows[name]) for name in rows.schema.names}


def _plain(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        text = pc.cast(column.cast(pa.timestamp(kind.unit)), pa.string())
        text = pc.utf8_replace_slice(text, 10, 11, "T")
        listed: list[Any] = pc.binary_join_element_wise(text, "Z", "").to_pylist()
        return listed
    if pa.types.is_floating(kind) and not column.null_count:
        numbers: list[Any] = column.to_numpy().astype(np.float64).tolist()
        return numbers
    values: list[Any] = column.to_pylist()
    return values
