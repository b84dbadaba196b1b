"""The same blob in several stores: there as a whole, or not at all.

The content goes to every store first; then a small mark beside it, with the checksum, says that it
is in all of them. A reader goes by the mark: content that only some of the stores have got is not
there yet, and a store that still has what was there before gives that. Writing again completes
what is missing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.base import BlobInfo, BlobStore, check_key

__all__ = ["CopiedBlobs"]

_MARKS: Final = "_complete/"
_CHUNK: Final = 1 << 20
_IN_MEMORY: Final = 32 << 20


class CopiedBlobs(BlobStore):
    """Blobs that are written to all of several stores.

    Args:
        stores: Two or more, with different names; the first that can be read is read.
    """

    def __init__(self, stores: Sequence[BlobStore]) -> None:
        names = [store.name for store in stores]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"copies need two stores or more, all different: {names}")
        self.stores = tuple(stores)
        self.name = " + ".join(names)

    def check(self) -> None:
        """Check every store."""
        for store in self.stores:
            store.check()

    def put(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> BlobInfo:
        """Write all copies, then the marks; an iterable is kept in a file meanwhile.

        Raises:
            StoreUnavailableError: A copy is missing and may be written later; until then readers
                get what was there before.
            StoreError: A copy cannot be written.
        """
        check_key(key, store=self.name)
        chunks = [content] if isinstance(content, bytes) else content
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
            for chunk in chunks:
                held.write(chunk)
            for store in self.stores:
                held.seek(0)
                with _naming(store, key):
                    info = store.put(key, _pieces(held), content_type=content_type)
        before = self._mark(key)
        if before is None or before.sha256 != info.sha256:
            for store in self.stores:
                with _naming(store, key):
                    store.put(_MARKS + key, _written(info), content_type="application/json")
        return info

    def get(self, key: str) -> bytes:
        """The content of the first store that has what is complete."""
        _, store = self._complete(key)
        return store.get(key)

    def chunks(self, key: str, *, size: int = _CHUNK) -> Iterator[bytes]:
        """The content in pieces, from the first store that has what is complete."""
        _, store = self._complete(key)
        yield from store.chunks(key, size=size)

    def info(self, key: str) -> BlobInfo | None:
        """What is known of a blob that is complete."""
        try:
            return self._complete(check_key(key, store=self.name))[0]
        except StoreContentError:
            return None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys of complete blobs."""
        found: set[str] = set()
        reached = 0
        failure: StoreError | None = None
        for store in self.stores:
            try:
                found |= {key.removeprefix(_MARKS) for key in store.keys(_MARKS + prefix)}
                reached += 1
            except StoreUnavailableError as error:
                failure = error
        if failure is not None and not reached:
            raise failure
        yield from sorted(found, key=str.encode)

    def delete(self, key: str) -> bool:
        """Remove the marks, then the copies."""
        check_key(key, store=self.name)
        marked = [store.delete(_MARKS + key) for store in self.stores]
        held = [store.delete(key) for store in self.stores]
        return any(marked) or any(held)

    def sweep(self, *, older_than_s: float = 86_400.0, dry_run: bool = False) -> int:
        """Sweep every store."""
        return sum(store.sweep(older_than_s=older_than_s, dry_run=dry_run) for store in self.stores)

    def close(self) -> None:
        """Close every store."""
        for store in self.stores:
            store.close()

    def _complete(self, key: str) -> tuple[BlobInfo, BlobStore]:
        """The blob that was written to all, and a store that has it."""
        copies: list[tuple[BlobInfo | None, BlobStore]] = []
        failures: list[StoreUnavailableError] = []
        for store in self.stores:
            try:
                copies.append((store.info(key), store))
            except StoreUnavailableError as error:
                failures.append(error)
        mark = self._mark(key)
        for info, store in copies:
            if info is not None and mark is not None and info.sha256 == mark.sha256:
                return info, store
        # Killed between the last copy and the first mark: it is complete all the same.
        first, store = copies[0] if copies else (None, self.stores[0])
        same = {info.sha256 if info else None for info, _ in copies}
        if first is not None and len(copies) == len(self.stores) and len(same) == 1:
            return first, store
        if failures:
            raise failures[0]
        raise StoreContentError(
            self.name,
            f"there is no {key}, or not all of its copies",
            advice="store it again: that completes what is missing",
            key=key,
        )

    def _mark(self, key: str) -> BlobInfo | None:
        """What the newest mark that can be read says; None if there is none."""
        marks = []
        failures = []
        for store in self.stores:
            try:
                if store.info(_MARKS + key) is not None:
                    marks.append(_read(key, store.get(_MARKS + key), store.name))
            except StoreUnavailableError as error:
                failures.append(error)
        if len(failures) == len(self.stores):
            raise failures[0]
        return max(marks, key=lambda mark: mark.stored_at, default=None)


@contextmanager
def _naming(store: BlobStore, key: str) -> Iterator[None]:
    """Errors say which copy is missing."""
    try:
        yield
    except StoreError as error:
        kind = StoreUnavailableError if error.transient else StoreError
        raise kind(
            store.name,
            f"its copy of {key} is missing: {error.facts.get('problem', error.what)}",
            advice=error.advice or "store it again: that completes what is missing",
            key=key,
        ) from error


def _pieces(held: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    while piece := held.read(_CHUNK):
        yield piece


def _written(info: BlobInfo) -> bytes:
    return json.dumps(
        {
            "size": info.size,
            "content_type": info.content_type,
            "sha256": info.sha256,
            "stored_at": info.stored_at.isoformat(),
        }
    ).encode()


def _read(key: str, mark: bytes, store: str) -> BlobInfo:
    try:
        facts = json.loads(mark)
        return BlobInfo(
            key,
            int(facts["size"]),
            str(facts["content_type"]),
            str(facts["sha256"]),
            datetime.fromisoformat(facts["stored_at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreContentError(
            store, f"the mark of {key} is damaged: {error}", advice="store it again", key=key
        ) from error
