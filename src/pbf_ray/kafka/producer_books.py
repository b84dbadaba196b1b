"""The books of a producer: every record that it was given is sent, failed or queued."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.deliveries import ProducerMetrics

__all__ = ["ProducerBooks"]


class ProducerBooks:
    """Counts records and remembers what went wrong. Thread-safe.

    Args:
        clock: Seconds since 1970.

    Attributes:
        retries: Sends that were repeated, as the client told last.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.retries = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._accepted = 0
        self._sent = 0
        self._given_up = 0
        self._refused = 0
        self._sent_bytes = 0
        self._last_sent_s: float | None = None
        self._first_error: BrokerError | None = None
        self._untold: BrokerError | None = None

    def accept(self) -> None:
        """A record goes into the buffer."""
        with self._lock:
            self._accepted += 1

    def withdraw(self) -> None:
        """The record that was accepted last did not go into the buffer after all."""
        with self._lock:
            self._accepted -= 1

    def refuse(self, error: BrokerError) -> None:
        """A record failed before it was in the buffer; its sender is told."""
        with self._lock:
            self._refused += 1
            self._first_error = self._first_error or error

    def acknowledge(self, size: int) -> None:
        """The broker has acknowledged an accepted record of so many bytes."""
        now_s = self._clock()
        with self._lock:
            self._sent += 1
            self._sent_bytes += size
            self._last_sent_s = now_s

    def give_up(self, error: BrokerError, *, told: bool) -> bool:
        """An accepted record was not delivered.

        Args:
            error: Why.
            told: Whether its sender is told.

        Returns:
            Whether it is the first failure of all.
        """
        with self._lock:
            first = self._first_error is None
            self._given_up += 1
            self._first_error = self._first_error or error
            if not told:
                self._untold = self._untold or error
            return first

    def leave_untold(self, error: BrokerError) -> None:
        """Nobody listened any more when a record was given up."""
        with self._lock:
            self._untold = self._untold or error

    def take_untold(self) -> BrokerError | None:
        """The first failure that nobody was told of; it is told now."""
        with self._lock:
            untold, self._untold = self._untold, None
            return untold

    @property
    def first_error(self) -> BrokerError | None:
        """Why the first of the failed records failed, None while none has."""
        return self._first_error

    def read(self) -> ProducerMetrics:
        """The books as they are now."""
        with self._lock:
            return ProducerMetrics(
                sent=self._sent,
                failed=self._given_up + self._refused,
                queued=self._accepted - self._sent - self._given_up,
                sent_bytes=self._sent_bytes,
                retries=self.retries,
                last_sent_s=self._last_sent_s,
            )
