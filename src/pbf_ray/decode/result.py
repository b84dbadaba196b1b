"""What became of a batch of records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

__all__ = ["MODES", "REJECTS_SCHEMA", "DecodeResult"]

MODES: Final = ("PERMISSIVE", "DROPMALFORMED", "FAILFAST", "dead_letter")

REJECTS_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class DecodeResult:
    """What became of a batch.

    Attributes:
        table: The decoded rows, in the order of the values.
        rejects: In mode ``dead_letter`` the values not in ``table``: their ``index`` (int64), a
            ``reason`` (a code of ``REASONS``) and a ``detail`` for people. Empty in other modes.
        indices: int64, per row of ``table`` the index of its value.
        flagged: bool, per row of ``table`` whether a field could not be converted and is null
            while the others stand.
        exact: How many values the exact reader had to read, the fast one being in doubt: three
            to four times slower. What sends mostly such records can be sped up at the source.
    """

    table: pa.Table
    rejects: pa.Table
    indices: pa.Int64Array
    flagged: pa.BooleanArray
    exact: int
