"""The common record, read by the standard library's JSON scanner in C.

It takes only records on which that scanner and the exact reader cannot differ: short (so no limit
of depth, digits or chunks is near), valid UTF-8, without a backslash (so every string stands as it
is), strict JSON but for bare ``NaN``, ``Infinity`` and ``-Infinity`` (which both accept), no name
twice in an object. What the values become is checked later, column by column: a value whose Python
type is not that of its column is doubtful. On any doubt the exact reader decides.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pbf_ray.decode.convert import Row

__all__ = ["MAX_COMMON_BYTES", "common_row"]

MAX_COMMON_BYTES: Final = 1000
"""Below the limits of depth (1000) and of digits (1000) whatever the record holds."""


class _RepeatedNameError(ValueError):
    """A name stands twice: which value counts depends on conversion."""


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _RepeatedNameError
    return row


_read = json.JSONDecoder(object_pairs_hook=_object).raw_decode


def common_row(value: bytes | None) -> Row | None:
    """Fields of a common record, unconverted; None if the record is not surely common.

    Args:
        value: The record as it came. What follows the first object does not count.
    """
    if type(value) is not bytes or len(value) > MAX_COMMON_BYTES or b"\\" in value:
        return None
    try:
        row, _ = _read(value.decode())
    except (ValueError, RecursionError):
        return None
    return row if type(row) is dict else None
