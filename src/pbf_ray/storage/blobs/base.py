"""What every store of blobs does: whole objects by key, with content type and checksum."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pbf_ray.errors import StoreContentError

__all__ = ["BlobInfo", "BlobStore", "check_content_type", "check_key"]

_DAY_S = 86_400.0
_LONGEST_KEY = 900
"""Bytes; S3 takes 1024, and a prefix may stand before the key."""
_LONGEST_PART = 255
"""Bytes between slashes; what S3 servers on the premises take, as the file systems below them."""
_LONGEST_TYPE = 200
"""Characters of a content type."""


@dataclass(frozen=True)
class BlobInfo:
    """What is known of a blob without reading it.

    Attributes:
        key: Its name, parts separated by ``/``.
        size: Bytes.
        content_type: Media type, ``application/octet-stream`` where none was given.
        sha256: Checksum of the content, in hexadecimal digits.
        stored_at: When it was written, UTC.
    """

    key: str
    size: int
    content_type: str
    sha256: str
    stored_at: datetime


class BlobStore(abc.ABC):
    """Objects that are written whole and never changed in part.

    Rules for subclasses: construct from plain values and open connections on first use; leave them
    out of the pickled state. A blob appears in one instant with all its content, or not at all,
    also if the writer is killed. Errors are those of :class:`~pbf_ray.storage.base.TableStore`.

    Attributes:
        name: Kind and place, for example ``folder:/data/blobs``.
    """

    name: str

    @abc.abstractmethod
    def check(self) -> None:
        """See that the store can be reached and written.

        Raises:
            StoreUnavailableError: It cannot now, but may later.
            StoreError: It never will without a change.
        """

    @abc.abstractmethod
    def put(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> BlobInfo:
        """Write a blob; one of the same key is replaced. Memory is bounded for an iterable.

        Content that is there already under this key is not written again.

        Raises:
            StoreContentError: The key is not one (see :func:`check_key`).
        """

    @abc.abstractmethod
    def get(self, key: str) -> bytes:
        """The content, held against its checksum.

        Raises:
            StoreContentError: There is no such blob, or its content has changed.
        """

    @abc.abstractmethod
    def chunks(self, key: str, *, size: int = 1 << 20) -> Iterator[bytes]:
        """The content in pieces; the checksum is held against it at the end."""

    @abc.abstractmethod
    def info(self, key: str) -> BlobInfo | None:
        """What is known of a blob; None if there is none."""

    @abc.abstractmethod
    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix, in rising order (of their UTF-8 bytes)."""

    @abc.abstractmethod
    def delete(self, key: str) -> bool:
        """Remove a blob; False if there was none."""

    def sweep(self, *, older_than_s: float = _DAY_S, dry_run: bool = False) -> int:
        """Remove what killed writers have left, which no key leads to; how many there were.

        Args:
            older_than_s: What is younger stays: its writer may be alive.
            dry_run: Only count.
        """
        del older_than_s, dry_run
        # A store whose writers leave nothing.
        return 0

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of connections; the store opens them again on use."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_key(key: str, *, store: str) -> str:
    """The key, if it can name a blob in every store: a relative path without tricks.

    Raises:
        StoreContentError: It is empty, too long (900 bytes, 255 between slashes), absolute, has
            an empty, ``.`` or ``..`` part, a backslash, or a control character.
    """
    parts = key.split("/")
    try:
        long = len(key.encode()) > _LONGEST_KEY or any(
            len(part.encode()) > _LONGEST_PART for part in parts
        )
    except UnicodeEncodeError:
        long = True
    if (
        long
        or any(part in ("", ".", "..") for part in parts)
        or any(character in "\\\x7f" or character < " " for character in key)
    ):
        raise StoreContentError(
            store,
            f"{key!r} cannot be the key of a blob",
            advice=f"use names of at most {_LONGEST_PART} bytes separated by single slashes, "
            f"{_LONGEST_KEY} bytes in all, no . or ..",
            key=key,
        )
    return key


def check_content_type(content_type: str, *, store: str) -> str:
    """The media type, if every store can keep it: it travels as a header.

    Raises:
        StoreContentError: It is not of the form ``type/subtype``, of printable ASCII, or longer
            than 200 characters.
    """
    kind, slash, subtype = content_type.partition("/")
    plain = content_type.isascii() and content_type.isprintable()
    plain = plain and content_type == content_type.strip() and len(content_type) <= _LONGEST_TYPE
    if not (kind and slash and subtype and plain):
        raise StoreContentError(
            store,
            f"{content_type!r} is no content type",
            advice="name one such as image/png or application/octet-stream",
            content_type=content_type,
        )
    return content_type
