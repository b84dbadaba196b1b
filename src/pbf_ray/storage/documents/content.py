"""What a document may hold, and what makes two of them the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.documents.base import Document

__all__ = ["MOST_LEVELS", "check_collection", "checked", "digest", "next_prefix"]

MOST_LEVELS: Final = 90
"""How deep objects and lists may be nested; MongoDB takes 100 with what stands around."""
_COLLECTION_BYTES: Final = 120


def check_collection(name: str, *, store: str) -> None:
    """See that every store can have a collection of this name.

    Raises:
        StoreContentError: It cannot.
    """
    problem = ""
    if not name or "\0" in name or "$" in name:
        problem = "it is empty, or contains $ or U+0000"
    elif name.startswith(("system.", "pbf_ray_", ".")) or name.endswith("."):
        problem = "it begins or ends with a dot, or with system. or pbf_ray_"
    elif len(name.encode("utf-8", "surrogatepass")) > _COLLECTION_BYTES:
        problem = f"it has more than {_COLLECTION_BYTES} bytes"
    elif any("\ud800" <= letter <= "\udfff" for letter in name):
        problem = "it has half a surrogate pair"
    if problem:
        raise StoreContentError(
            store,
            f"{name!r} is no name for a collection: {problem}",
            advice="name it with letters, digits and underscores",
        )


def checked(
    documents: Sequence[Document], *, store: str, collection: str
) -> dict[str, dict[str, Any]]:
    """The bodies by id in plain Python types, the last of each id.

    Raises:
        StoreContentError: A body has a value that a document cannot hold; says where.
    """
    bodies: dict[str, dict[str, Any]] = {}
    for document in documents:
        try:
            bodies[_text(document.id, "")] = _object(document.body)
        except _UnfitError as error:
            where, problem = error.args
            raise StoreContentError(
                store,
                f"document {document.id!r} of {collection}{' at ' + where if where else ''}: "
                f"{problem}",
                advice="a body is made of None, bool, int of 64 bits, float, str, list and dict",
                collection=collection,
                document=document.id,
            ) from None
    return bodies


def digest(body: Mapping[str, Any], source: str, version: str) -> str:
    """A mark that two documents share only if body, source and version are the same."""
    text = json.dumps([source, version, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def next_prefix(prefix: str) -> str | None:
    """The least text behind all that begin with a prefix, by code points; None if there is none."""
    for end in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[end]) + 1
        if code == 0xD800:
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:end] + chr(code)
    return None


class _UnfitError(Exception):
    """Where in the body, and what is wrong."""


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise _UnfitError("", f"a {type(body).__name__} is no object")
    plain: dict[str, Any] = _plain(body, "", 1)
    return plain


def _plain(value: Any, where: str, level: int) -> Any:
    """The value in plain Python types."""
    if not isinstance(value, Mapping | list):
        return _leaf(value, where)
    if level > MOST_LEVELS:
        raise _UnfitError("", f"it is nested deeper than {MOST_LEVELS} levels")
    if isinstance(value, list):
        return [_plain(part, f"{where}/{n}", level + 1) for n, part in enumerate(value)]
    plain = {}
    for name, part in value.items():
        if not isinstance(name, str):
            raise _UnfitError(where, f"the name {name!r} is no text")
        plain[_text(name, where)] = _plain(part, f"{where}/{name}", level + 1)
    return plain


def _leaf(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _text(value, where)
    if not isinstance(value, int):
        raise _UnfitError(where, f"a {type(value).__name__} cannot be stored")
    if not -(2**63) <= value < 2**63:
        raise _UnfitError(where, f"{value} does not fit into 64 bits")
    return int(value)


def _text(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _UnfitError(where, "a text has half a surrogate pair") from None
    return str(text)
