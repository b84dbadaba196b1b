"""Says why a producer waits, after a while without any acknowledgement, and when that is over.

Where only some partitions stand still, the records of the others are acknowledged on: it is told
once nothing but theirs is left, at a flush or when they have filled the buffer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["StallWatch"]

_log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0


class StallWatch:
    """Watches the acknowledgements of one producer; what it finds goes to the log. Thread-safe.

    Args:
        why: Says what keeps the topics of the producer from being written; may take seconds, and
            is called in a thread of its own.
        every_s: How long records wait unacknowledged before the reason is looked for, and looked
            for again, seconds: while a broker dies it changes. The same is not told twice.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        why: Callable[[], str],
        *,
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._why = why
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._next_s = 0.0
        self._asking = False
        self._told: str | None = None

    def acknowledged(self) -> None:
        """Note that a record was acknowledged."""
        if self._since_s is None:
            return
        with self._lock:
            since_s, self._since_s = self._since_s, None
            told, self._told = self._told, None
            if told is not None and since_s is not None:
                waited_s = self._clock() - since_s
                _log.warning("records are acknowledged again, after %.0f s", waited_s)

    def waiting(self, records: int) -> None:
        """Note how many records wait to be acknowledged."""
        if not records:
            self.acknowledged()
            return
        with self._lock:
            now_s = self._clock()
            if self._since_s is None:
                self._since_s = now_s
                self._next_s = now_s + self._every_s
            if self._asking or now_s < self._next_s:
                return
            self._asking = True
            self._next_s = now_s + self._every_s
            since_s = self._since_s
        threading.Thread(
            target=self._tell, args=(records, since_s), name="stall-watch", daemon=True
        ).start()

    def _tell(self, records: int, since_s: float) -> None:
        why = self._why() or "the brokers do not say why"
        with self._lock:
            self._asking = False
            # It may be over before anybody could say why.
            if self._since_s != since_s or why == self._told:
                return
            self._told = why
            _log.warning(
                "no acknowledgement for %.0f s, %d records wait and are sent again: %s",
                self._clock() - since_s,
                records,
                why,
            )
