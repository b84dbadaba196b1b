"""Test processes that share a small machine: what is heavy to start is started one at a time.

Ray gives its node half a minute to come up. Three JVMs that start beside it, or a second Ray, can
take the processors for longer than that.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

__all__ = ["pytest_xdist_make_scheduler", "start_alone"]

_THREE_BROKERS = "tests/integration/three_brokers/"


@contextmanager
def start_alone() -> Iterator[None]:
    """Wait until no other test process of this user is within, and let none in meanwhile.

    The system takes the lock from a process that dies.
    """
    place = Path(tempfile.gettempdir()) / f"pbf-ray-tests-{os.getuid()}.lock"
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Sharing(LoadFileScheduling):
    """A file is for one process; so are all that need three brokers, which one process starts."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_THREE_BROKERS):
            return _THREE_BROKERS
        scope: str = super()._split_scope(nodeid)
        return scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """How test files are shared out to processes, where it is by file."""
    return _Sharing(config, log) if config.getvalue("dist") == "loadfile" else None
