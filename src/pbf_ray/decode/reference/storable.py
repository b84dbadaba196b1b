"""Values that no store may hold."""

from __future__ import annotations

from typing import Any

from pbf_ray.decode.reasons import MAX_STRING_BYTES

__all__ = ["unstorable_detail"]


def unstorable_detail(row: dict[str, Any], parent: str = "") -> str | None:
    """Name the first field that no store may hold.

    Args:
        row: Converted values by field name.
        parent: Path of the struct that the row is, with a trailing dot.

    Returns:
        What is wrong with it, or None.
    """
    for name, value in row.items():
        detail = None
        if isinstance(value, dict):
            detail = unstorable_detail(value, f"{parent}{name}.")
        elif isinstance(value, str):
            if "\x00" in value:
                detail = f"{parent}{name} holds U+0000"
            elif len(value) > MAX_STRING_BYTES // 4 and len(value.encode()) > MAX_STRING_BYTES:
                detail = f"{parent}{name} is longer than {MAX_STRING_BYTES} bytes"
        if detail:
            return detail
    return None
