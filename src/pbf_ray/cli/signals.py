"""Ctrl-C and SIGTERM: the first asks to finish, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Self

__all__ = ["StopSignals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered, remembers the first signal and raises ``KeyboardInterrupt`` at the second.

    Attributes:
        received: How many have come.
        asked: Set once one has come.
    """

    def __init__(self) -> None:
        self.received = 0
        self.asked = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.renew()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def renew(self) -> None:
        """Take the signals again: Ray, when it is started, takes SIGTERM for itself."""
        for number in _SIGNALS:
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.received += 1
        self.asked.set()
        if self.received > 1:
            raise KeyboardInterrupt
