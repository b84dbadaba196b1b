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

_AFTER_S: Final = 5.0


class StallWatch:
    """Watches the acknowledgements of one producer; what it finds goes to the log. Thread-safe.

    Args:
        why: Says what keeps the topics of the producer from being written; may take seconds, and
            is called in a thread of its own.
        after_s: How long records wait unacknowledged before somebody is told, seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        why: Callable[[], str],
        *,
        after_s: float = _AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._why = why
        self._after_s = after_s
        self._clock = clock
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._asked = False
        self._told = False

    def acknowledged(self) -> None:
        """Note that a record was acknowledged."""
        if self._since_s is None:
            return
        with self._lock:
            since_s, self._since_s = self._since_s, None
            told, self._told = self._told, False
            self._asked = False
            if told and since_s is not None:
                _log.warning(
                    "records are acknowledged again, after %.0f s", self._clock() - since_s
                )

    def waiting(self, records: int) -> None:
        """Note how many records wait to be acknowledged."""
        if not records:
            self.acknowledged()
            return
        with self._lock:
            now_s = self._clock()
            if self._since_s is None:
                self._since_s = now_s
            if self._asked or now_s - self._since_s < self._after_s:
                return
            self._asked = True
            since_s = self._since_s
        asking = threading.Thread(
            target=self._tell, args=(records, since_s), name="stall-watch", daemon=True
        )
        asking.start()

    def _tell(self, records: int, since_s: float) -> None:
        why = self._why()
        with self._lock:
            if self._since_s != since_s:
                return  # it was over before anybody could say why
            self._told = True
            _log.warning(
                "no acknowledgement for %.0f s, %d records wait and are sent again: %s",
                self._clock() - since_s,
                records,
                why or "the brokers do not say why",
            )
