"""Retries of transient errors, with jittered backoff, up to a limit of time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pbf_ray.backoff import Backoff
from pbf_ray.errors import PbfRayError

__all__ = ["RetryPolicy", "retry_transient"]

_T = TypeVar("_T")


def _ignore(error: PbfRayError, pause_s: float) -> None:
    """The default of ``on_retry``."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often to try again.

    Pauses between tries are those of a ``Backoff``.

    Attributes:
        limit_s: Time from the first try after which no further one starts.
        first_pause_s: Longest pause before the second try.
        longest_pause_s: Longest pause of all.
        sleep: Waits so many seconds; a stop signal may raise from it.
        clock: Seconds that never go back.
        draw: A number in [0, 1).
    """

    limit_s: float = 60.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = field(default=random.random)

    def pause_s(self, tries: int) -> float:
        """The pause after so many failed tries, in seconds."""
        return Backoff(self.first_pause_s, self.longest_pause_s, self.draw).pause_s(tries)


def retry_transient(
    call: Callable[[], _T],
    policy: RetryPolicy,
    *,
    on_retry: Callable[[PbfRayError, float], None] = _ignore,
) -> _T:
    """Call until it succeeds, fails for good, or the time is up.

    Args:
        call: Must be safe to call again; commits of stores are.
        policy: Pauses and limit.
        on_retry: Told of each error that is retried and of the pause before the next try; may
            raise to give up.

    Raises:
        PbfRayError: The error of the last try: at once if it is not transient, else when the
            next try would start after the limit.
    """
    start = policy.clock()
    tries = 0
    while True:
        try:
            return call()
        except PbfRayError as error:
            tries += 1
            pause_s = policy.pause_s(tries)
            if not error.transient or policy.clock() - start + pause_s > policy.limit_s:
                raise
            on_retry(error, pause_s)
        policy.sleep(pause_s)
