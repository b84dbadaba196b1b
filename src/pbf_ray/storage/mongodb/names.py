"""Field names as MongoDB takes them, escaped so that they come back.

A field name must not be empty, begin with ``$`` or contain a dot or U+0000, and some names are
taken. Such characters become ``%`` and the two hex digits of their code, as in addresses of the
web; so does ``%`` itself, and the empty name is a lone ``%``. Ordinary names stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import unquote

__all__ = ["escape_body", "escape_name", "unescape_body", "unescape_name"]

_EMPTY_NAME: Final = "%"


def escape_name(name: str, taken: Collection[str] = ()) -> str:
    """A field name as MongoDB can hold it.

    Args:
        name: Any text.
        taken: Names that mean something else where the field is to stand.
    """
    if not name:
        return _EMPTY_NAME
    escaped = name.replace("%", "%25").replace(".", "%2E").replace("\0", "%00")
    if name.startswith("$") or name in taken:
        escaped = f"%{ord(name[0]):02X}{escaped[1:]}"
    return escaped


def unescape_name(name: str) -> str:
    """The inverse of :func:`escape_name`."""
    if "%" not in name:
        return name
    return "" if name == _EMPTY_NAME else unquote(name)


def escape_body(value: Any, taken: Collection[str] = ()) -> Any:
    """A JSON value with all its field names escaped; ``taken`` counts for the outermost."""
    if isinstance(value, dict):
        return {escape_name(name, taken): escape_body(part) for name, part in value.items()}
    if isinstance(value, list):
        return [escape_body(part) for part in value]
    return value


def unescape_body(value: Any) -> Any:
    """The inverse of :func:`escape_body`; integers come back as plain ones."""
    if isinstance(value, dict):
        return {unescape_name(name): unescape_body(part) for name, part in value.items()}
    if isinstance(value, list):
        return [unescape_body(part) for part in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
