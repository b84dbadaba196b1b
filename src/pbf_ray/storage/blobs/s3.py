"""Blobs as objects of an S3 bucket, on the premises or at AWS, through s3fs.

An object appears when S3 has all of it, so a killed writer leaves nothing that can be seen; what
it had uploaded of a large one is removed by ``sweep``. Checksum and content type stand in the
metadata of the object, which come in one answer with its content.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.base import BlobInfo, BlobStore, check_content_type, check_key
from pbf_ray.storage.blobs.s3_client import S3Address, S3Client, s3_code

__all__ = ["S3Blobs"]

_WHOLE: Final = 64 << 20
"""Bytes; larger content is uploaded in parts."""
_WHOLE_OF_FILE: Final = 16 << 20
"""As ``_WHOLE``, for content that is not in memory."""
_SMALL: Final = 1 << 20
"""Bytes; up to these it is cheaper to send content in vain than to ask first."""
_PART: Final = 8 << 20
_MOST_PARTS: Final = 10_000
_AT_ONCE: Final = 4
_LONGEST: Final = 1024
_PROBE: Final = ".pbf_ray-check"
_MISSING: Final = {"NoSuchKey", "404"}

_Source = Callable[[int, int], bytes]


class S3Blobs(BlobStore):
    """Blobs in a bucket, below a prefix.

    An object that somebody else has put there can be read; its checksum is then not known, and
    ``sha256`` is empty.

    Args:
        address: The bucket.
        make_bucket: Make it if it is not there.
    """

    def __init__(self, address: S3Address, *, make_bucket: bool = False) -> None:
        prefix = address.prefix.strip("/")
        self.address = replace(address, prefix=prefix)
        self.name = self.address.name
        if prefix:
            check_key(prefix, store=self.name)
        self.make_bucket = make_bucket
        self._before = f"{prefix}/" if prefix else ""
        self._client = S3Client(self.address, name=self.name)
        self._bucket_seen = False
        self._conditional = True

    def check(self) -> None:
        """Write an object and remove it."""
        self._see_bucket()
        probe = {"Key": f"{self._before}{_PROBE}"}
        self._client.call("put_object", **probe, Body=b"")
        self._client.call("delete_object", **probe)

    def put(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> BlobInfo:
        """Write an object, a large one in parts.

        An iterable goes to a temporary file first, so that its checksum is known.
        """
        full_key = self._full(key)
        check_content_type(content_type, store=self.name)
        if isinstance(content, bytes):
            whole = content
            digest = hashlib.sha256(whole).hexdigest()
            info = BlobInfo(key, len(whole), content_type, digest, datetime.now(UTC))
            return self._put(full_key, info, lambda start, end: whole[start:end], _WHOLE)
        with ExitStack() as stack:
            with self._spooling():
                spool = stack.enter_context(tempfile.TemporaryFile())
            hashing, size = hashlib.sha256(), 0
            for piece in content:
                with self._spooling():
                    spool.write(piece)
                hashing.update(piece)
                size += len(piece)
            with self._spooling():
                spool.flush()
            file = spool.fileno()
            info = BlobInfo(key, size, content_type, hashing.hexdigest(), datetime.now(UTC))
            return self._put(
                full_key,
                info,
                lambda start, end: os.pread(file, end - start, start),
                _WHOLE_OF_FILE,
            )

    def get(self, key: str) -> bytes:
        """The content, held against its checksum."""
        return b"".join(self._read(key, None))

    def chunks(self, key: str, *, size: int = 1 << 20) -> Iterator[bytes]:
        """The content in pieces, of one answer; a blob replaced meanwhile goes on as it was."""
        return self._read(key, size)

    def info(self, key: str) -> BlobInfo | None:
        """What the metadata say."""
        found = self._head(key, self._full(key))
        if found is None:
            self._see_bucket()
        return found

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix; all of them are gathered first.

        Servers do not agree on the order of their listings.
        """
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self._client.call("list_objects_v2", Prefix=f"{self._before}{prefix}", **more)
            found += [entry["Key"].removeprefix(self._before) for entry in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        # Consoles mark folders by objects whose names end with a slash.
        blobs = (key for key in found if key != _PROBE and not key.endswith("/"))
        yield from sorted(blobs, key=str.encode)

    def delete(self, key: str) -> bool:
        """Remove an object."""
        there = self.info(key) is not None
        if there:
            self._client.call("delete_object", Key=self._full(key))
        return there

    def sweep(self, *, older_than_s: float = 86_400.0, dry_run: bool = False) -> int:
        """Give up uploads that were not ended."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        removed = 0
        more: dict[str, str] = {}
        while True:
            page = self._client.call("list_multipart_uploads", Prefix=self._before, **more)
            for upload in page.get("Uploads", []):
                if upload["Initiated"] < before:
                    if not dry_run:
                        self._abort(upload["Key"], upload["UploadId"])
                    removed += 1
            if not page.get("IsTruncated"):
                return removed
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def close(self) -> None:
        """Let go of the connections of this process."""
        self._client.close()

    # -- writing ---------------------------------------------------------------------------

    @contextmanager
    def _spooling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailableError(
                self.name,
                f"content cannot be gathered in {tempfile.gettempdir()}: {error.strerror}",
                advice="make room there, or set TMPDIR",
            ) from error

    def _put(self, full_key: str, info: BlobInfo, source: _Source, whole: int) -> BlobInfo:
        if self.make_bucket:
            self._see_bucket()
        facts: dict[str, Any] = {
            "Key": full_key,
            "ContentType": info.content_type,
            "Metadata": {"sha256": info.sha256, "stored-at": info.stored_at.isoformat()},
        }
        if self.address.storage_class is not None:
            facts["StorageClass"] = self.address.storage_class
        if info.size <= _SMALL and self._put_new(facts, source(0, info.size)):
            return info
        there = self._head(info.key, full_key)
        if there is not None and _same(there, info):
            return there
        if info.size <= whole:
            self._client.call("put_object", **facts, Body=source(0, info.size))
        else:
            self._put_in_parts(facts, info, source)
        return info

    def _put_new(self, facts: dict[str, Any], body: bytes) -> bool:
        """Write an object if there is none of the key; whether that is done."""
        if not self._conditional:
            return False
        try:
            self._client.call("put_object", **facts, Body=body, IfNoneMatch="*")
        except StoreError as error:
            if s3_code(error) in {"NotImplemented", "501"}:
                self._conditional = False  # an older server, which has to be asked first
            elif s3_code(error) not in {"PreconditionFailed", "412"}:
                raise
            return False
        return True

    def _put_in_parts(self, facts: dict[str, Any], info: BlobInfo, source: _Source) -> None:
        size = max(_PART, -(-info.size // _MOST_PARTS))
        made = self._client.call("create_multipart_upload", **facts)
        upload = {"Key": facts["Key"], "UploadId": made["UploadId"]}

        def send(number: int) -> dict[str, Any]:
            start = number * size
            body = source(start, min(start + size, info.size))
            sent = self._client.call("upload_part", **upload, PartNumber=number + 1, Body=body)
            # Checksums of parts, where the library has made some, go back with their numbers.
            sums = {name: sent[name] for name in sent if name.startswith("Checksum")}
            sums.pop("ChecksumType", None)
            return {"PartNumber": number + 1, "ETag": sent["ETag"], **sums}

        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="s3-parts")
        try:
            parts = list(pool.map(send, range(-(-info.size // size))))
            pool.shutdown()
            self._client.call(
                "complete_multipart_upload", **upload, MultipartUpload={"Parts": parts}
            )
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            if isinstance(error, StoreError) and s3_code(error) == "NoSuchUpload":
                # An answer may have been lost, and the request made again.
                there = self._head(info.key, facts["Key"])
                if there is not None and _same(there, info):
                    return
            with suppress(StoreError):
                self._abort(facts["Key"], made["UploadId"])
            raise

    def _abort(self, full_key: str, upload: str) -> None:
        try:
            self._client.call("abort_multipart_upload", Key=full_key, UploadId=upload)
        except StoreError as error:
            if s3_code(error) not in {"NoSuchUpload", "404"}:
                raise

    def _see_bucket(self) -> None:
        """Once in each process: that the bucket is there."""
        if self._bucket_seen:
            return
        try:
            self._client.call("head_bucket")
        except StoreError as error:
            if s3_code(error) not in {"NoSuchBucket", "404"}:
                raise
            if not self.make_bucket:
                raise StoreError(
                    self.name,
                    "there is no such bucket",
                    advice="create the bucket, or name another",
                    code="NoSuchBucket",
                ) from None
            self._make_bucket()
        self._bucket_seen = True

    def _make_bucket(self) -> None:
        region = self.address.region
        place: dict[str, Any] = {}
        if self.address.endpoint is None and region not in {None, "us-east-1"}:
            place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._client.call("create_bucket", **place)
        except StoreError as error:
            # Somebody else was first.
            if s3_code(error) != "BucketAlreadyOwnedByYou":
                raise

    # -- reading ---------------------------------------------------------------------------

    def _read(self, key: str, size: int | None) -> Iterator[bytes]:
        try:
            answer = self._client.call("get_object", Key=self._full(key))
        except StoreError as error:
            if s3_code(error) not in _MISSING:
                raise
            raise StoreContentError(self.name, f"there is no blob {key!r}", key=key) from None
        info, body = _info(key, answer), answer["Body"]
        digest = hashlib.sha256()
        try:
            for piece in self._pieces(body, size):
                digest.update(piece)
                yield piece
        finally:
            self._client.drop(body)
        if info.sha256 and digest.hexdigest() != info.sha256:
            raise StoreContentError(
                self.name,
                f"{key!r}: its content is not what was written",
                advice="write it again, or restore a copy",
                key=key,
            )

    def _pieces(self, body: Any, size: int | None) -> Iterator[bytes]:
        """Pieces of exactly this size but the last: the network's own are smaller."""
        if size is None:
            yield self._client.read(body)
            return
        gathered = bytearray()
        while piece := self._client.read(body, size - len(gathered)):
            gathered += piece
            if len(gathered) == size:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)

    def _head(self, key: str, full_key: str) -> BlobInfo | None:
        try:
            return _info(key, self._client.call("head_object", Key=full_key))
        except StoreError as error:
            if s3_code(error) not in _MISSING:
                raise
            return None

    def _full(self, key: str) -> str:
        full_key = f"{self._before}{check_key(key, store=self.name)}"
        if len(full_key.encode()) > _LONGEST:
            raise StoreContentError(
                self.name,
                f"{key!r} cannot be the key of a blob",
                advice=f"with the prefix it is longer than the {_LONGEST} bytes that S3 takes",
                key=key,
            )
        return full_key


def _info(key: str, answer: dict[str, Any]) -> BlobInfo:
    facts: dict[str, str] = answer.get("Metadata", {})
    stored_at: datetime = answer["LastModified"]
    with suppress(KeyError, ValueError):
        stored_at = datetime.fromisoformat(facts["stored-at"])
    return BlobInfo(
        key,
        int(answer["ContentLength"]),
        answer.get("ContentType") or "application/octet-stream",
        facts.get("sha256", ""),
        stored_at.astimezone(UTC),
    )


def _same(one: BlobInfo, other: BlobInfo) -> bool:
    return (one.size, one.content_type, one.sha256) == (
        other.size,
        other.content_type,
        other.sha256,
    )
