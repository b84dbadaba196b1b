"""Opens a build file: what it is, by its bytes, and through what it is read."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn, TypeAlias

from pbf_ray.formats import _core
from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.layer_source import NativeSource, build_file_errors
from pbf_ray.formats.limits import ReadLimits
from pbf_ray.formats.recognised import HEAD_BYTES, unsupported

__all__ = ["BuildInput", "open_build"]

BuildInput: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview"
"""A path, or the bytes of a file."""


def open_build(
    file: BuildInput,
    *,
    format: str | None = None,
    limits: ReadLimits | None = None,
    on_damage: Literal["raise", "skip"] = "raise",
    name: str | None = None,
) -> BuildFile:
    """Open a build file: its header and its index are read, its layers when they are asked for.

    Args:
        file: A path (it is memory-mapped: it must not be shortened while it is in use), or bytes.
        format: Its format, where its bytes are not to be asked.
        limits: How much is read at most.
        on_damage: ``"raise"``: what is damaged is an error. ``"skip"``: what can be read is read,
            and the rest is named in ``damage`` of the file and of its batches.
        name: What it is called in messages, if not by its path.

    Raises:
        BuildFileError: It is no build file, one that is not read here, or damaged.
    """
    limits = limits or ReadLimits()
    tolerate = on_damage == "skip"
    if isinstance(file, bytes | bytearray | memoryview):
        name = name or "<bytes>"
        with build_file_errors(name):
            format = format or _core.sniff(file) or _refuse(name, memoryview(file).cast("B"))
            reader = _core.Reader.open_bytes(file, format, limits.native(), tolerate)
    else:
        path = os.fspath(file)
        name = name or path
        with build_file_errors(name):
            format = format or _core.sniff_file(path) or _refuse(name, Path(path))
            reader = _core.Reader.open_file(path, format, limits.native(), tolerate)
    return BuildFile(name, NativeSource(name, reader), on_damage=on_damage)


def _refuse(name: str, file: memoryview | Path) -> NoReturn:
    """Says what a file is that no reader of the core takes."""
    if isinstance(file, Path):
        with file.open("rb") as source:
            head = source.read(HEAD_BYTES)
            members = _member_names(head, source)
            size = file.stat().st_size
    else:
        head, size = bytes(file[:HEAD_BYTES]), file.nbytes
        members = _member_names(head, file)
    raise unsupported(name, head, members=members, size=size)


def _member_names(head: bytes, file: memoryview | BinaryIO) -> list[str]:
    if not head.startswith(b"PK"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(file) if isinstance(file, memoryview) else file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return []  # a damaged archive is still one, and is said to be
