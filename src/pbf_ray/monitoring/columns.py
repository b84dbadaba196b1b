"""Arrow columns as the arrays that kernels take: values and, apart from them, validity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["channel_values", "column_values", "nullable"]


def column_values(
    column: pa.Array | pa.ChunkedArray,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values and validity of a numeric column.

    Args:
        column: Any Arrow type that casts to float64, nullable.

    Returns:
        float64[n], 0.0 where null, and bool[n], False where null. Either may be read-only.
    """
    column = column.cast(pa.float64())
    if column.null_count == 0:
        return column.to_numpy(), np.ones(len(column), np.bool_)
    return column.fill_null(0.0).to_numpy(), _to_bools(pc.is_valid(column))


def channel_values(
    table: pa.Table, channels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values and validity of channels, a row each.

    Args:
        table: A table that has the channels as columns.
        channels: Column names.

    Returns:
        float64[c, n], 0.0 where null, and bool[c, n], False where null.

    Raises:
        KeyError: If the table lacks a channel.
    """
    values = np.empty((len(channels), table.num_rows))
    valid = np.empty((len(channels), table.num_rows), np.bool_)
    for row, name in enumerate(channels):
        values[row], valid[row] = column_values(table.column(name))
    return values, valid


def nullable(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> pa.DoubleArray:
    """An Arrow column of values; null where not valid, NaN stays NaN.

    Args:
        values: float64[n], not copied.
        valid: bool[n].
    """
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    values = np.ascontiguousarray(values, dtype=np.float64)
    return pa.Array.from_buffers(pa.float64(), values.size, [bitmap, pa.py_buffer(values)])


def _to_bools(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    bools: NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return bools
