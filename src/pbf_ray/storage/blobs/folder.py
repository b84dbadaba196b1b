"""Blobs in a folder: plain files that any program opens, each with a sidecar that names it.

``scans/layer-7.png`` is ``scans/layer-7~<checksum>.png`` and its sidecar
``scans/layer-7.png~.json``. The content is written first, under a name of its own; the rename of
the sidecar is the one instant in which a blob appears or is replaced. What a killed writer
leaves is named by no sidecar, so it is no blob; the same ``put`` takes its place, or ``sweep``
removes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.base import BlobInfo, BlobStore, check_content_type, check_key

__all__ = ["FolderBlobs"]

_PARTS: Final = "~parts"
_LOCK: Final = "~lock"
_SIDECAR: Final = "~.json"
_LONGEST_NAME: Final = 180
"""Bytes of a name before what is added to it; file systems take 255."""
_LONGEST_SUFFIX: Final = 20
_CONTENT: Final = re.compile(r"~[0-9a-f]{32}(\.[^~]*)?$")
_PIECE: Final = 1 << 20
_DAY_S: Final = 86_400.0
_MEANWHILE: Final = 100
"""How often a blob may be replaced under a reader before it gives up."""


class FolderBlobs(BlobStore):
    """Blobs below a folder of a local disk; several processes may write at once.

    Args:
        root: The folder; made by the first write.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).absolute()
        self.name = f"folder:{self.root}"
        self._tidied = False

    def check(self) -> None:
        """Write a file and remove it."""
        self._new_part().unlink()

    def put(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
    ) -> BlobInfo:
        """Write content, then sidecar; both are on the disk when this returns."""
        check_key(key, store=self.name)
        check_content_type(content_type, store=self.name)
        part = self._new_part()
        try:
            size, sha256 = self._write(part, [content] if isinstance(content, bytes) else content)
            there = self.info(key)
            if (
                there is not None
                and (there.sha256, there.content_type) == (sha256, content_type)
                and self._intact(there)
            ):
                return there
            stored = BlobInfo(key, size, content_type, sha256, datetime.now(UTC))
            self._replace(stored, part)
        finally:
            part.unlink(missing_ok=True)
        return stored

    def get(self, key: str) -> bytes:
        """The content, held against its checksum."""
        return b"".join(self.chunks(key, size=_PIECE * 8))

    def chunks(self, key: str, *, size: int = 1 << 20) -> Iterator[bytes]:
        """The content in pieces; a blob that is replaced meanwhile goes on as it was."""
        check_key(key, store=self.name)
        with self._translating():
            info, file = self._opened(key)
            with file:
                digest = hashlib.sha256()
                while piece := file.read(size):
                    digest.update(piece)
                    yield piece
        if digest.hexdigest() != info.sha256:
            raise self._damaged(key, "its content is not what was written")

    def info(self, key: str) -> BlobInfo | None:
        """What the sidecar says."""
        check_key(key, store=self.name)
        with self._translating():
            return self._read_sidecar(self._sidecar(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix; all of them are gathered first."""
        # Whole parts of the prefix are folders that hold every key of it.
        folder = self.root.joinpath(*(_name(part) for part in prefix.split("/")[:-1] if part))
        with self._translating():
            sidecars = [
                place / name
                for place, names in self._walked(folder)
                for name in names
                if name.endswith(_SIDECAR) and place != self.root / _PARTS
            ]
            found = [key for path in sidecars if (key := self._key_of(path)) is not None]
        yield from sorted((key for key in found if key.startswith(prefix)), key=str.encode)

    def delete(self, key: str) -> bool:
        """Remove the sidecar, then the content; the folders stay."""
        check_key(key, store=self.name)
        if not self.root.exists():
            return False
        with self._translating(), self._locked():
            sidecar = self._sidecar(key)
            there = self._read_sidecar(sidecar)
            if there is None:
                return False
            sidecar.unlink()
            _sync_folder(sidecar.parent)
            self._content(there).unlink(missing_ok=True)
        return True

    def sweep(self, *, older_than_s: float = _DAY_S, dry_run: bool = False) -> int:
        """Remove unfinished files, and contents that no key names."""
        if not self.root.exists():
            return 0
        before = time.time() - older_than_s
        removed = self._remove_parts(before, dry_run=dry_run)
        with self._translating(), self._locked():
            for place, names in self._walked(self.root):
                if place == self.root / _PARTS:
                    continue
                named = {_LOCK, *self._named_contents(place, names)}
                for name in names:
                    # Somebody's own file has no ~ in its name, or ends otherwise.
                    ours = _CONTENT.search(name) is not None and name not in named
                    if ours and (place / name).stat().st_mtime < before:
                        if not dry_run:
                            (place / name).unlink()
                        removed += 1
        return removed

    def close(self) -> None:
        """Nothing is kept open."""

    # -- writing ---------------------------------------------------------------------------

    def _new_part(self) -> Path:
        if not self._tidied:
            self._tidied = True
            self._remove_parts(time.time() - _DAY_S)
        with self._translating():
            folder = self.root / _PARTS
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / uuid.uuid4().hex
            part.touch()
        return part

    def _remove_parts(self, before: float, *, dry_run: bool = False) -> int:
        """Remove unfinished files that were last written before a time; how many there were."""
        removed = 0
        with self._translating(), contextlib.suppress(FileNotFoundError):
            for part in (self.root / _PARTS).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if part.stat().st_mtime < before:
                        if not dry_run:
                            part.unlink()
                        removed += 1
        return removed

    def _write(self, path: Path, content: Iterable[bytes]) -> tuple[int, str]:
        """Size and checksum of what was written and is on the disk."""
        size, digest = 0, hashlib.sha256()
        with self._translating():
            file = path.open("wb")
        with file:
            # An error of the caller's iterable is none of the store.
            for piece in content:
                with self._translating():
                    file.write(piece)
                digest.update(piece)
                size += len(piece)
            with self._translating():
                file.flush()
                os.fsync(file.fileno())
        return size, digest.hexdigest()

    def _replace(self, info: BlobInfo, part: Path) -> None:
        sidecar, content = self._sidecar(info.key), self._content(info)
        facts = {
            "key": info.key,
            "size": info.size,
            "content_type": info.content_type,
            "sha256": info.sha256,
            "stored_at": info.stored_at.isoformat(),
        }
        draft = part.with_name(f"{part.name}{_SIDECAR}")
        try:
            self._write(draft, [json.dumps(facts, ensure_ascii=True).encode()])
            with self._translating(), self._locked():
                _make_folder(sidecar.parent)
                before = self._read_sidecar(sidecar)
                part.replace(content)
                # The content has its name on the disk before anything points to it.
                _sync_folder(content.parent)
                draft.replace(sidecar)
                _sync_folder(sidecar.parent)
                if before is not None and (old := self._content(before)) != content:
                    old.unlink(missing_ok=True)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, of all processes; the kernel frees a dead one's lock."""
        with (self.root / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- reading ---------------------------------------------------------------------------

    def _opened(self, key: str) -> tuple[BlobInfo, BinaryIO]:
        seen: BlobInfo | None = None
        for _ in range(_MEANWHILE):
            info = self._read_sidecar(self._sidecar(key))
            if info is None:
                raise StoreContentError(self.name, f"there is no blob {key!r}", key=key)
            try:
                return info, self._content(info).open("rb")
            except FileNotFoundError:
                if info == seen:
                    raise self._damaged(key, "its content is missing") from None
                seen = info
        raise StoreUnavailableError(
            self.name, f"{key!r} is replaced all the time", advice="read it later", key=key
        )

    def _read_sidecar(self, path: Path) -> BlobInfo | None:
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            facts: dict[str, Any] = json.loads(text)
            return BlobInfo(
                facts["key"],
                int(facts["size"]),
                facts["content_type"],
                facts["sha256"],
                datetime.fromisoformat(facts["stored_at"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(str(path), f"its sidecar cannot be read: {error!r}") from None

    def _intact(self, info: BlobInfo) -> bool:
        """Whether the content is what the sidecar says: a ``put`` also mends."""
        with self._translating():
            try:
                with self._content(info).open("rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest() == info.sha256
            except FileNotFoundError:
                return False

    def _key_of(self, sidecar: Path) -> str | None:
        info = self._read_sidecar(sidecar)
        return None if info is None else info.key

    @staticmethod
    def _walked(folder: Path) -> Iterator[tuple[Path, list[str]]]:
        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise error

        for where, _, names in os.walk(folder, onerror=failed):
            yield Path(where), names

    def _named_contents(self, place: Path, names: list[str]) -> set[str]:
        infos = (self._read_sidecar(place / name) for name in names if name.endswith(_SIDECAR))
        return {self._content(info).name for info in infos if info is not None}

    # -- names -----------------------------------------------------------------------------

    def _place(self, key: str) -> tuple[Path, str]:
        *folders, leaf = key.split("/")
        return self.root.joinpath(*map(_name, folders)), _name(leaf)

    def _sidecar(self, key: str) -> Path:
        folder, leaf = self._place(key)
        return folder / f"{leaf}{_SIDECAR}"

    def _content(self, info: BlobInfo) -> Path:
        folder, leaf = self._place(info.key)
        stem, dot, suffix = leaf.rpartition(".")
        if not stem or "~" in suffix or len(suffix.encode()) > _LONGEST_SUFFIX:
            stem, dot, suffix = leaf, "", ""
        return folder / f"{stem}~{info.sha256[:32]}{dot}{suffix}"

    # -- errors ----------------------------------------------------------------------------

    def _damaged(self, key: str, problem: str) -> StoreContentError:
        return StoreContentError(
            self.name,
            f"{key!r}: {problem}",
            advice="write it again, or restore a copy",
            key=key,
        )

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, type(error).__name__)
            problem = f"{error.strerror or error} ({error.filename})"
            if error.errno in _TRANSIENT:
                raise StoreUnavailableError(
                    self.name, problem, advice="make room, or see the disk", code=code
                ) from error
            raise StoreError(
                self.name, problem, advice="see that this user may write the folder", code=code
            ) from error


_TRANSIENT: Final = {
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EINTR, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.EBUSY, errno.ETIMEDOUT, errno.ESTALE, errno.ENOLCK,
}  # fmt: skip


def _name(part: str) -> str:
    """The name on disk: ``~`` is ours, and long names are cut, with a checksum of the whole."""
    escaped = part.replace("%", "%25").replace("~", "%7E")
    if len(escaped.encode()) <= _LONGEST_NAME:
        return escaped
    short = escaped.encode()[:100].decode(errors="ignore")
    return f"{short}~{hashlib.sha256(part.encode()).hexdigest()[:32]}"


def _make_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir()
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
