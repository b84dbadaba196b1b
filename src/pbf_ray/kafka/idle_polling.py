"""Polls a client whose program is silent.

What librdkafka has to tell (acknowledgements, statistics, errors) waits in memory until somebody
polls. A program that sends seldom would hear of its records late, and one that holds a producer
for days without sending would pay for it with memory.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

__all__ = ["Pollable", "poll_when_idle"]


class Pollable(Protocol):
    """What can be polled."""

    def poll_if_idle(self) -> bool:
        """Poll if nobody has lately; False when there is nothing to poll any more."""


def poll_when_idle(client: Pollable, every_s: float) -> threading.Thread:
    """Poll a client in a thread of its own, until it is closed or nobody holds it any more.

    Only an idle one: beside a busy sender each callback would wait for the interpreter's lock.

    Args:
        client: What to poll; it is not kept alive.
        every_s: How often to look, seconds.
    """
    thread = threading.Thread(
        target=_run, args=(weakref.ref(client), every_s), name="idle-polling", daemon=True
    )
    thread.start()
    return thread


def _run(held: weakref.ref[Pollable], every_s: float) -> None:
    while True:
        time.sleep(every_s)
        client = held()
        if client is None or not client.poll_if_idle():
            return
        del client
