"""Opens a build file: what it is, by its bytes, and through what it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.ilt import open_ilt
from pbf_ray.formats.layer_source import LayerSource, NativeSource, build_file_errors
from pbf_ray.formats.limits import ReadLimits
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
        file: A path (it is memory-mapped: it must not be shortened while it is in use), or bytes;
            or a folder of scan XML files, one per layer.
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
            found = _core.sniff_file(path) if data is None else _core.sniff(data)
            format = _recognised(name, found)
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


def _recognised(name: str, found: str) -> str:
    if not found:
        raise BuildFileError(
            name,
            "it begins like no build file that is known here",
            code="unsupported",
            byte_offset=0,
            advice="docs/formats.md says what is read; most slicers export CLI",
        )
    return found
