"""Opens a build file: what it is, by its bytes, and through what it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, NoReturn, TypeAlias, cast

from pbf_ray.formats import _core
from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.ilt import open_ilt
from pbf_ray.formats.layer_source import LayerSource, NativeSource, build_file_errors
from pbf_ray.formats.limits import ReadLimits
from pbf_ray.formats.recognised import HEAD_BYTES, unsupported
from pbf_ray.formats.scan_folder import open_scan_folder

__all__ = ["BuildInput", "open_build"]

_ARCHIVES: Final = ("zip", "ilt")

BuildInput: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview"
"""A path (of a file, or of a folder of scan XML files), or the bytes of a file."""


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
        file: A path (it is memory-mapped: if it is written to while it is in use, reading it ends
            with an error), or bytes; or a folder of scan XML files, one per layer.
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
    data = file if isinstance(file, bytes | bytearray | memoryview) else None
    path = "" if data is not None else os.fspath(cast("str | os.PathLike[str]", file))
    name = name or path or "<bytes>"
    source: LayerSource
    if data is None and Path(path).is_dir():
        source = open_scan_folder(Path(path), limits, tolerate_damage=tolerate)
        return BuildFile(name, source, on_damage=on_damage)
    with build_file_errors(name):
        if format is None:
            if data is None:
                format = _core.sniff_file(path) or _refuse(name, Path(path))
            else:
                format = _core.sniff(data) or _refuse(name, memoryview(data).cast("B"))
        if format in _ARCHIVES:
            archive = path if data is None else data
            source = open_ilt(archive, name=name, limits=limits, tolerate_damage=tolerate)
        elif data is None:
            reader = _core.Reader.open_file(path, format, limits.native(), tolerate)
            source = NativeSource(name, reader)
        else:
            reader = _core.Reader.open_bytes(data, format, limits.native(), tolerate)
            source = NativeSource(name, reader)
    return BuildFile(name, source, on_damage=on_damage)


def _refuse(name: str, file: memoryview | Path) -> NoReturn:
    """Says what a file is that no reader takes."""
    if isinstance(file, Path):
        with file.open("rb") as source:
            head = source.read(HEAD_BYTES)
            size = source.seek(0, os.SEEK_END)
    else:
        head, size = bytes(file[:HEAD_BYTES]), file.nbytes
    raise unsupported(name, head, size=size)
