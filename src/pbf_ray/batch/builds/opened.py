"""Opened files of this process: a task finds open what the task before it has opened.

So the index of a large file is read once per process and not once per task. What is kept is a
memory map and an index, small beside a layer.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from pbf_ray.batch.builds.inputs import InputFile, InputPath, find_inputs, has_changed
from pbf_ray.batch.builds.tasks import ParseTask, ReadingOptions, split
from pbf_ray.batch.places import place_of
from pbf_ray.errors import BuildFileError, InputFileError
from pbf_ray.formats import BuildFile, open_build

__all__ = ["LocalCopy", "Opened", "OpenedBuilds", "open_path", "open_task"]

_MOST: Final = 4
_COPY_BYTES: Final = 4 << 20

_Key = tuple[InputFile, ReadingOptions]


class LocalCopy:
    """What keeps a local copy; the copy goes with it.

    Args:
        remove: Removes the copy.
    """

    def __init__(self, remove: Callable[[], None]) -> None:
        weakref.finalize(self, remove)


@dataclass
class Opened:
    """An opened build file, and what has to live as long as it is in use.

    Attributes:
        build: The file.
        copy: The local copy of a remote file; it goes with the last reference.
        copy_bytes: Local disk that the copy takes.
    """

    build: BuildFile
    copy: LocalCopy | None = None
    copy_bytes: int = 0


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: Opened | None = None
    error: BuildFileError | None = None


class OpenedBuilds:
    """The files that were opened last; thread-safe.

    Args:
        most: How many are kept open.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._slots: OrderedDict[_Key, _Slot] = OrderedDict()
        self._guard = threading.Lock()

    def open(self, task: ParseTask) -> Opened:
        """The file of a task, opened now or before. Hold the result while you use the file.

        Raises:
            BuildFileError: It cannot be read; each time it is asked for.
            InputFileError: This machine does not see it, or it has changed since it was found.
        """
        key = (task.file, task.options)
        with self._guard:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.error is not None:
                raise slot.error.with_traceback(None)
            if slot.opened is None:
                self._make_room(key)
                try:
                    slot.opened = _open(task)
                except BuildFileError as error:
                    slot.error = error
                    raise
            return slot.opened

    def _make_room(self, key: _Key) -> None:
        file, options = key
        with self._guard:
            copies = [
                (other, slot.opened.copy_bytes)
                for other, slot in self._slots.items()
                if slot.opened is not None and slot.opened.copy_bytes
            ]
            taken = sum(size for _, size in copies)
            for other, size in copies:
                if taken + file.size <= options.spool_bytes:
                    break
                del self._slots[other]
                taken -= size


_OPENED: Final = OpenedBuilds()


def open_task(task: ParseTask) -> Opened:
    """As ``OpenedBuilds.open``, with the files of this process."""
    return _OPENED.open(task)


def open_path(path: InputPath, options: ReadingOptions) -> tuple[InputFile, Opened]:
    """One build file, by a path or a URL; a folder of scan files is one.

    Raises:
        BuildFileError: It cannot be read.
        InputFileError: There is no such file, or more than one.
    """
    found = find_inputs([path]).files
    if len(found) > 1:
        raise InputFileError(
            str(path), f"names {len(found)} build files", advice="name one of them"
        )
    return found[0], _open(split(found, options, split_bytes=max(1, found[0].size))[0])


def _open(task: ParseTask) -> Opened:
    file, options = task.file, task.options
    place = place_of(file.url)
    try:
        if has_changed(file):
            raise BuildFileError(
                file.url,
                "it has changed since it was found",
                code="io",
                advice="read it again when it is no longer being written",
            )
        if place.local:
            return Opened(_open_build(file.url, file, options))
        if not file.members and file.size <= options.memory_bytes:
            return Opened(_open_build(place.file_system.cat_file(place.path), file, options))
        return _open_copy(file, options)
    except FileNotFoundError as error:
        if socket.gethostname() != task.planned_on:
            raise InputFileError(
                file.url,
                f"is not there on {socket.gethostname()}, though {task.planned_on} sees it",
                advice="workers read files themselves: use a place that all machines see "
                "(a shared folder, S3), or --engine local",
            ) from error
        raise BuildFileError(
            file.url, "is gone since it was found", code="io", advice="check it"
        ) from error
    except OSError as error:
        raise BuildFileError(
            file.url, f"cannot be read: {error.strerror or error}", code="io"
        ) from error


def _open_build(source: str | bytes, file: InputFile, options: ReadingOptions) -> BuildFile:
    return open_build(
        source,
        limits=options.limits,
        on_damage="skip" if options.on_damage == "skip" else "raise",
        name=file.url,
    )


def _open_copy(file: InputFile, options: ReadingOptions) -> Opened:
    if file.size > options.spool_bytes:
        raise BuildFileError(
            file.url,
            f"its {file.size} bytes are more than the {options.spool_bytes} that copies may take",
            code="limit_exceeded",
            advice="raise builds.spool_bytes, or copy it to a local disk",
        )
    if file.members:
        folder = tempfile.TemporaryDirectory(prefix="pbf-ray-")
        kept = LocalCopy(folder.cleanup)
        for member in file.members:
            with (Path(folder.name) / member.file_name).open("wb") as target:
                _copy(member.url, target)
        return Opened(_open_build(folder.name, file, options), kept, file.size)
    # A file without a name goes with the process, however that ends.
    copy = tempfile.TemporaryFile(prefix="pbf-ray-")  # noqa: SIM115 - it lives on
    kept = LocalCopy(copy.close)
    _copy(file.url, copy)
    copy.flush()
    build = _open_build(f"/proc/self/fd/{copy.fileno()}", file, options)
    return Opened(build, kept, file.size)


def _copy(url: str, target: IO[bytes]) -> None:
    place = place_of(url)
    with place.file_system.open(place.path, "rb") as source:
        shutil.copyfileobj(source, target, _COPY_BYTES)
