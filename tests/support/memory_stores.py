"""Stores of blobs, documents and cached values in memory, which may be made to fail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pbf_ray.errors import FencedError, StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs import BlobInfo, BlobStore, check_key
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.documents import Document, DocumentStore, StoredDocument

__all__ = ["MemoryBlobs", "MemoryCache", "MemoryDocuments"]


class _Failing:
    """Fails the next calls, as many as were asked for."""

    name: str
    down: int = 0
    terminal: bool = False

    def _call(self) -> None:
        if self.down:
            self.down -= 1
            kind = StoreError if self.terminal else StoreUnavailableError
            raise kind(self.name, "does not answer", advice="start it")


class MemoryBlobs(_Failing, BlobStore):
    def __init__(self, name: str = "memory-blobs") -> None:
        self.name = name
        self.held: dict[str, tuple[bytes, BlobInfo]] = {}

    def check(self) -> None:
        self._call()

    def put(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> BlobInfo:
        check_key(key, store=self.name)
        self._call()
        whole = content if isinstance(content, bytes) else b"".join(content)
        digest = hashlib.sha256(whole).hexdigest()
        if (old := self.held.get(key)) and old[1].sha256 == digest:
            return old[1]
        info = BlobInfo(key, len(whole), content_type, digest, datetime.now(UTC))
        self.held[key] = (whole, info)
        return info

    def get(self, key: str) -> bytes:
        self._call()
        if key not in self.held:
            raise StoreContentError(self.name, f"there is no {key}", key=key)
        return self.held[key][0]

    def chunks(self, key: str, *, size: int = 1 << 20) -> Iterator[bytes]:
        whole = self.get(key)
        yield from (whole[start : start + size] for start in range(0, len(whole), size))

    def info(self, key: str) -> BlobInfo | None:
        self._call()
        return self.held[key][1] if key in self.held else None

    def keys(self, prefix: str = "") -> Iterator[str]:
        self._call()
        yield from sorted((key for key in self.held if key.startswith(prefix)), key=str.encode)

    def delete(self, key: str) -> bool:
        self._call()
        return self.held.pop(key, None) is not None

    def close(self) -> None:
        pass


class MemoryCache(_Failing, CacheStore):
    def __init__(self, name: str = "memory-cache") -> None:
        self.name = name
        self.held: dict[str, tuple[bytes, float | None]] = {}
        self.jobs: dict[str, tuple[int, int | None]] = {}

    def check(self) -> None:
        self._call()

    def put(self, values: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        self._call()
        self.held.update({key: (value, ttl_s) for key, value in values.items()})

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._call()
        return {key: self.held[key][0] for key in keys if key in self.held}

    def keys(self, prefix: str = "") -> Iterator[str]:
        yield from [key for key in self.held if key.startswith(prefix)]

    def delete(self, keys: Sequence[str]) -> int:
        return sum(self.held.pop(key, None) is not None for key in keys)

    def claim(self, job_id: str, incarnation: int) -> None:
        known, epoch = self.jobs.get(job_id, (incarnation, None))
        if known > incarnation:
            raise FencedError(job_id, mine=incarnation, newer=known, where=self.name)
        self.jobs[job_id] = (incarnation, epoch)

    def apply(
        self,
        job_id: str,
        incarnation: int,
        epoch: int,
        values: Mapping[str, bytes],
        *,
        ttl_s: float | None = None,
    ) -> bool:
        self.claim(job_id, incarnation)
        reached = self.jobs[job_id][1]
        if reached is not None and epoch <= reached:
            return False
        self.put(values, ttl_s=ttl_s)
        self.jobs[job_id] = (incarnation, epoch)
        return True

    def applied_epoch(self, job_id: str) -> int | None:
        return self.jobs[job_id][1] if job_id in self.jobs else None

    def close(self) -> None:
        pass


class MemoryDocuments(_Failing, DocumentStore):
    def __init__(self, name: str = "memory-documents") -> None:
        self.name = name
        self.held: dict[str, dict[str, StoredDocument]] = {}

    def check(self) -> None:
        self._call()

    def put(
        self, collection: str, documents: Sequence[Document], *, source: str, version: str = "1"
    ) -> None:
        self._call()
        place = self.held.setdefault(collection, {})
        for one in documents:
            body: dict[str, Any] = dict(one.body)
            place[one.id] = StoredDocument(one.id, body, datetime.now(UTC), source, version)

    def get(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        self._call()
        place = self.held.get(collection, {})
        return [place[one] for one in ids if one in place]

    def scan(self, collection: str, **_: Any) -> Iterator[StoredDocument]:
        self._call()
        yield from (one for _, one in sorted(self.held.get(collection, {}).items()))

    def count(self, collection: str) -> int:
        return len(self.held.get(collection, {}))

    def delete(self, collection: str, ids: Sequence[str]) -> int:
        place = self.held.get(collection, {})
        return sum(place.pop(one, None) is not None for one in ids)

    def collections(self) -> list[str]:
        return sorted(self.held)

    def close(self) -> None:
        pass
