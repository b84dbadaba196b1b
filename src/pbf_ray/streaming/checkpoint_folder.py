"""A folder that can create files conditionally: where checkpoints live."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pbf_ray.errors import CheckpointCorruptError, CheckpointError

__all__ = ["CheckpointFolder", "FileRef"]


@dataclass(frozen=True)
class FileRef:
    """A file of the checkpoint and what it has to contain.

    Attributes:
        name: Path below the checkpoint folder.
        size: Bytes.
        sha256: Checksum, hex.
    """

    name: str
    size: int
    sha256: str


class CheckpointFolder:
    """A local folder. Files appear whole or not at all, and are never changed.

    Conditional creation is a hard link onto the final name, which fails if it is taken; a file
    system that cannot do that is refused.
    """

    def __init__(self, path: Path | str) -> None:
        if "://" in str(path):
            raise CheckpointError(
                str(path),
                "only local folders can hold checkpoints",
                advice="set checkpoint.path to a folder; on a cluster, to a shared file system",
            )
        self.path = Path(path)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists.

        Returns:
            False if the name is taken (nothing changed).

        Raises:
            CheckpointError: If the folder cannot be written.
        """

        def write(file: BinaryIO) -> None:
            file.write(content)

        return self.write(name, write) is not None

    def write(self, name: str, fill: Callable[[BinaryIO], None]) -> FileRef | None:
        """Write a file through ``fill`` unless it exists; None if the name is taken."""
        target = self.path / name
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("xb") as file:
                    fill(file)
                    file.flush()
                    os.fsync(file.fileno())
                reference = _reference(draft, name)
                os.link(draft, target)
            except FileExistsError:
                return None
            finally:
                draft.unlink(missing_ok=True)
            _sync_folder(target.parent)
        except OSError as error:
            raise _folder_error(self.path, error) from error
        return reference

    def read(self, name: str) -> bytes:
        """Whole content of a file.

        Raises:
            CheckpointCorruptError: If it is missing or unreadable.
        """
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise CheckpointCorruptError(
                str(self.path / name),
                error.strerror or str(error),
                advice="restore the folder from a copy, or run under another job name",
            ) from error

    def verify(self, reference: FileRef) -> Path:
        """Path of a file whose content is what the reference says.

        Raises:
            CheckpointCorruptError: If it is missing or its checksum differs.
        """
        path = self.path / reference.name
        try:
            found = _reference(path, reference.name)
        except OSError as error:
            raise CheckpointCorruptError(
                str(path),
                error.strerror or str(error),
                advice="restore the folder from a copy, or run under another job name",
            ) from error
        if found != reference:
            raise CheckpointCorruptError(
                str(path),
                f"checksum differs ({found.size} bytes, {reference.size} expected)",
                advice="restore the folder from a copy, or run under another job name",
            )
        return path

    def names(self, folder: str) -> list[str]:
        """Names of the finished files in a subfolder, sorted."""
        try:
            return sorted(
                f"{folder}/{entry.name}"
                for entry in os.scandir(self.path / folder)
                if not entry.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _folder_error(self.path, error) from error

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / name).unlink()


def _reference(path: Path, name: str) -> FileRef:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileRef(name, file.tell(), digest.hexdigest())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder_error(path: Path, error: OSError) -> CheckpointError:
    advice = "set checkpoint.path to a folder that this user can write"
    if error.errno == errno.ENOSPC:
        advice = "free some space; the job goes on from its last commit when started again"
    elif error.errno in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP} and error.filename2:
        advice = "this file system has no hard links; use another one for checkpoint.path"
    return CheckpointError(str(path), error.strerror or str(error), advice=advice)
