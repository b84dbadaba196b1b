"""Dead letters as they are shown: the beginning of the value in place of all its bytes."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["shortened"]

_MOST_CHARACTERS: Final = 500


def shortened(rows: pa.Table) -> pa.Table:
    """Rows of ``dead_letters`` without ``key`` and ``value``, with what is shown of the value.

    Args:
        rows: Rows in the schema of the contract.

    Returns:
        The rows with ``value_text`` (string, the first 500 characters; bytes that are no UTF-8 are
        replaced) and ``value_bytes`` (int64, its length), both null without a value.
    """
    values = rows["value"]
    texts = [
        None
        if value is None
        else value[: 4 * _MOST_CHARACTERS].decode("utf-8", "replace")[:_MOST_CHARACTERS]
        for value in values.to_pylist()
    ]
    lengths = pc.cast(pc.binary_length(values), pa.int64())
    kept = rows.drop_columns(["key", "value"])
    kept = kept.append_column(pa.field("value_text", pa.string()), pa.array(texts, pa.string()))
    return kept.append_column(pa.field("value_bytes", pa.int64()), lengths)
