"""Which files are to be read: files, folders, globs, on any file system that fsspec knows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from pbf_ray.batch.places import Place, place_of
from pbf_ray.errors import InputFileError, PbfRayError
from pbf_ray.formats.sniffing import sniff

__all__ = ["BUILD_SUFFIXES", "FoundInputs", "InputFile", "InputPath", "find_inputs", "has_changed"]

InputPath = str | os.PathLike[str]

BUILD_SUFFIXES: Final = frozenset(
    {".cli", ".sli", ".ilt", ".ovf", ".mtt", ".slm"}
    # Not read, but known: they belong into the errors, which say what to export instead.
    | {".rea", ".f&s", ".openjz", ".eosjz", ".eosjob", ".renam"}
)
"""Suffixes of build files in a folder; XML is asked what it is."""

_CHANGES: Final = ("mtime", "ETag", "etag", "LastModified", "created")
_HEAD_BYTES: Final = 4096
_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True)
class InputFile:
    """A file to be read, as it was when it was found.

    Attributes:
        url: Where it is: an absolute path, or a URL.
        size: Its bytes; of a folder, those of its files.
        version: What the file system says that changes with it, by name; not all of it is said
            on every occasion.
        build: Name of its build in the output; empty until names are given.
        members: Of a build that is a folder of one file per layer: those files, else empty.
    """

    url: str
    size: int
    version: tuple[tuple[str, str], ...] = ()
    build: str = ""
    members: tuple[InputFile, ...] = ()

    @property
    def file_name(self) -> str:
        """The last part of its place."""
        return PurePosixPath(self.url).name


@dataclass(frozen=True)
class FoundInputs:
    """What is to be read, and what was passed over.

    Attributes:
        files: Build files, ordered by place, each with a name of its own.
        skipped: Other files of the folders, ordered by place.
    """

    files: tuple[InputFile, ...]
    skipped: tuple[InputFile, ...]


def find_inputs(paths: Iterable[InputPath]) -> FoundInputs:
    """The build files that paths name.

    A path that names a file is taken whatever it is called. Of a folder (with all below it), and
    of a glob that does not say the suffix, what is called like a build file is taken, and XML that
    is a scan file; scan files that lie in one folder are the layers of one build.

    Args:
        paths: Files, folders, globs (``*``, ``?``, ``[...]``, ``**``), or URLs of such.

    Raises:
        InputFileError: A path names nothing.
        PbfRayError: No file is left to be read, or a file system cannot be used.
    """
    taken: dict[str, InputFile] = {}
    skipped: dict[str, InputFile] = {}
    for path in paths:
        for file, chosen in _found(place_of(path)):
            (taken if chosen else skipped).setdefault(file.url, file)
    if not taken:
        raise PbfRayError(
            f"none of the {len(skipped)} files that were found is called like a build file"
            if skipped
            else "there is no file in what was named",
            advice=f"build files end in {', '.join(sorted(BUILD_SUFFIXES))}; "
            "a file that is named itself is read whatever its name",
        )
    return FoundInputs(
        files=_named([taken[url] for url in sorted(taken)]),
        skipped=tuple(skipped[url] for url in sorted(skipped.keys() - taken.keys())),
    )


def has_changed(file: InputFile) -> bool:
    """Whether a file is not as it was when it was found.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    if file.members:
        return any(map(has_changed, file.members))
    place = place_of(file.url)
    now = _file(place, place.path, place.info())
    before, after = dict(file.version), dict(now.version)
    return now.size != file.size or any(
        before[key] != after[key] for key in before.keys() & after.keys()
    )


def _found(place: Place) -> Iterator[tuple[InputFile, bool]]:
    with place.errors():
        if place.is_folder():
            yield from _in_folder(place, place.files())
        elif place.exists():
            yield _file(place, place.path, place.info()), True
        elif _MAGIC & set(place.path):
            found = place.matches()
            if not found:
                raise InputFileError(place.url, "matches no file", advice="check the pattern")
            if (
                _MAGIC & set(PurePosixPath(place.path).suffix)
                or not PurePosixPath(place.path).suffix
            ):
                yield from _in_folder(place, found)
            else:
                yield from ((_file(place, path, found[path]), True) for path in sorted(found))
        else:
            raise InputFileError(place.url, "there is no such file or folder", advice="check it")


def _in_folder(place: Place, found: dict[str, Any]) -> Iterator[tuple[InputFile, bool]]:
    scans: dict[str, list[str]] = {}
    for path in sorted(found):
        name = PurePosixPath(path)
        if name.suffix.lower() == ".xml" and sniff(place.head(path, _HEAD_BYTES)) == "amxml":
            scans.setdefault(str(name.parent), []).append(path)
        else:
            chosen = name.suffix.lower() in BUILD_SUFFIXES and not name.name.startswith(".")
            yield _file(place, path, found[path]), chosen
    for folder, paths in scans.items():
        members = [_file(place, path, found[path]) for path in paths]
        if len(members) == 1:
            yield members[0], True
            continue
        yield (
            InputFile(
                url=place.url_of(folder),
                size=sum(member.size for member in members),
                members=tuple(members),
            ),
            True,
        )


def _file(place: Place, path: str, info: dict[str, Any]) -> InputFile:
    said = ((key, _plain(info[key])) for key in _CHANGES if info.get(key) is not None)
    return InputFile(url=place.url_of(path), size=int(info["size"]), version=tuple(said))


def _plain(value: object) -> str:
    # The same file system may say a time as seconds here, and as a date there.
    if isinstance(value, datetime):
        value = value.timestamp()
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _named(files: Sequence[InputFile]) -> tuple[InputFile, ...]:
    """Files with names: the stem; where that is not one file's own, the whole name; else more."""
    by_stem = _counted(PurePosixPath(file.url).stem for file in files)
    by_name = _counted(file.file_name for file in files)
    named = []
    for file in files:
        name = PurePosixPath(file.url).stem
        if by_stem[name] > 1:
            name = file.file_name
            if by_name[name] > 1 or by_stem.get(name):
                name += f"-{hashlib.sha256(file.url.encode()).hexdigest()[:8]}"
        named.append(replace(file, build=name))
    return tuple(named)


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
