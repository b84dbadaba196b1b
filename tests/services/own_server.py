"""What servers of the tests have in common: a process and a folder, stopped, killed, removed."""

from __future__ import annotations

import abc
import shutil
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from pbf_ray.kafka.owned_process import OwnedProcess

__all__ = ["OwnServer"]


class OwnServer(abc.ABC):
    """A server in a process and a folder of its own; usable as a context manager.

    ``stop`` or ``kill``, and then ``start``, keep port and data.
    """

    stop_s: ClassVar[float] = 20.0
    """How long it may take to stop cleanly."""

    _folder: Path
    _process: OwnedProcess | None

    @abc.abstractmethod
    def start(self) -> Self:
        """Start it, and wait until it can be used."""

    def stop(self) -> None:
        """Stop cleanly; the data stays."""
        if self._process is not None:
            self._process.stop(grace_s=self.stop_s)

    def kill(self) -> None:
        """``kill -9``, as a crash would; the data stays."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
