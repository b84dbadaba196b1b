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

__all__ = ["start_alone"]


@contextmanager
def start_alone() -> Iterator[None]:
    """Wait until no other test process of this user is within, and let none in meanwhile.

    The system takes the lock from a process that dies.
    """
    place = Path(tempfile.gettempdir()) / f"pbf-ray-tests-{os.getuid()}.lock"
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
