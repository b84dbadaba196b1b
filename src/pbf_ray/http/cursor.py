"""Cursors: where a page of a list ended, as an opaque text that the next request brings back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pbf_ray.http.problems import ProblemError

__all__ = ["decode_cursor", "encode_cursor"]

_FILTER_DIGITS: Final = 12
_MOST_CHARACTERS: Final = 4096


def encode_cursor(position: list[Any], filters: Mapping[str, Any]) -> str:
    """A cursor.

    Args:
        position: Sort values of the last row of the page, JSON-ready.
        filters: What the list was chosen by.
    """
    text = json.dumps([_digest(filters), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(
    cursor: str, filters: Mapping[str, Any], kinds: Sequence[type | tuple[type, ...]]
) -> list[Any]:
    """The position that a cursor stands for.

    Args:
        cursor: What a client sent.
        filters: What the list is chosen by now.
        kinds: What each part of the position may be, beside None.

    Raises:
        ProblemError: It is none of ours, or it belongs to other filters.
    """
    try:
        if len(cursor) > _MOST_CHARACTERS:
            raise ValueError("too long")  # noqa: TRY301
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        digest, *position = parts
        fits = len(position) == len(kinds) and all(
            part is None or (isinstance(part, kind) and not isinstance(part, bool))
            for part, kind in zip(position, kinds, strict=True)
        )
        if not fits or not isinstance(digest, str):
            raise ValueError("not of this list")  # noqa: TRY301
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise ProblemError(
            400,
            "bad-cursor",
            "the cursor is none that this list gave",
            advice="begin without a cursor",
        ) from error
    if digest != _digest(filters):
        raise ProblemError(
            400,
            "bad-cursor",
            "the cursor belongs to other filters",
            advice="send the filters of the first page again, or begin without a cursor",
        )
    found: list[Any] = position
    return found


def _digest(filters: Mapping[str, Any]) -> str:
    text = json.dumps(filters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_FILTER_DIGITS]
