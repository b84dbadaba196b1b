"""Places on any file system: local paths, and the URLs that fsspec knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pbf_ray.errors import InputFileError, PbfRayError

__all__ = ["Place", "place_of"]


@dataclass(frozen=True)
class Place:
    """A path on a file system.

    Attributes:
        url: As it is shown and pickled: an absolute path if it is local, else a URL.
        path: As the file system takes it.
        local: Whether it is on this machine's own file system.
    """

    url: str
    path: str
    local: bool

    @cached_property
    def file_system(self) -> Any:
        """The fsspec file system; made anew in every process."""
        return _file_system(self.url)[0]

    @property
    def only_here(self) -> bool:
        """Whether no other process can see it."""
        return self.url.startswith("memory:")

    @property
    def parent(self) -> str:
        """The path of the folder that it is in."""
        return self.path.rpartition("/")[0]

    def exists(self) -> bool:
        """Whether something is there."""
        return bool(self.file_system.exists(self.path))

    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return bool(self.file_system.isdir(self.path))

    def info(self) -> dict[str, Any]:
        """What the file system says about it."""
        return dict(self.file_system.info(self.path))

    def files(self) -> dict[str, Any]:
        """All files below it, with what is said about each."""
        return dict(self.file_system.find(self.path, detail=True))

    def matches(self) -> dict[str, Any]:
        """The files that it matches as a pattern."""
        found = self.file_system.glob(self.path, detail=True)
        return {path: info for path, info in found.items() if info["type"] != "directory"}

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file."""
        return bytes(self.file_system.cat_file(path, start=0, end=count))

    def url_of(self, path: str) -> str:
        """The URL of another path on the same file system."""
        return path if self.local else str(self.file_system.unstrip_protocol(path))

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.url}/{name}", f"{self.path}/{name}", self.local)

    def __getstate__(self) -> dict[str, Any]:
        # A file system holds locks and connections, which stay where they are.
        return {"url": self.url, "path": self.path, "local": self.local}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what the file system raises into ``InputFileError``."""
        try:
            yield
        except PbfRayError:
            raise
        except OSError as error:
            raise InputFileError(self.url, f"cannot be read: {error.strerror or error}") from error


def place_of(path: str | os.PathLike[str]) -> Place:
    """The place that a path or a URL names.

    Raises:
        PbfRayError: There is no such kind of URL, or its driver is not installed.
    """
    text = os.fspath(path)
    file_system, inner = _file_system(text)
    if _is_local(file_system):
        return Place(inner, inner, local=True)
    inner = inner.rstrip("/") or inner
    return Place(str(file_system.unstrip_protocol(inner)), inner, local=False)


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec

    if "://" not in url:
        # Past fsspec's reading of URLs: "::" may stand in the name of a file.
        return fsspec.filesystem("file"), str(Path(url).expanduser().absolute())
    try:
        file_system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        _, _, driver = str(error).partition("Install ")
        raise PbfRayError(
            f"{url}: the driver for this kind of URL is not installed",
            advice=f"pip install {driver.split()[0]}" if driver else str(error),
            url=url,
        ) from error
    except ValueError as error:
        raise PbfRayError(f"{url}: {error}", advice="use a path, or a URL of fsspec") from error
    return file_system, str(path)


def _is_local(file_system: Any) -> bool:
    protocol = file_system.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)
