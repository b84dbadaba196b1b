"""Storing epochs in a thread of its own, one after the other, with patience."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from pbf_ray.errors import PbfRayError
from pbf_ray.logs import get_logger
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from pbf_ray.streaming.pace import Outputs
from pbf_ray.streaming.vitals import stopwatch

__all__ = ["Storing"]

_log = get_logger(__name__)


class Storing:
    """Commits epochs to the stores; one that is away is waited for.

    Args:
        outputs: The stores.
        patience_s: How long a store may be away.
        on_wait: Called when a store is away.
        on_answer: Called when an epoch is stored.
    """

    def __init__(
        self,
        outputs: Outputs,
        *,
        patience_s: float,
        on_wait: Callable[[], None],
        on_answer: Callable[[], None],
    ) -> None:
        self._outputs = outputs
        self._policy = RetryPolicy(limit_s=patience_s)
        self._on_wait = on_wait
        self._on_answer = on_answer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    def submit(
        self, write: EpochCommit, seconds: dict[str, float], *, maintain: bool
    ) -> Future[bool]:
        """Store an epoch; upkeep follows if asked for.

        Args:
            write: The epoch.
            seconds: Takes the time by stage.
            maintain: Whether upkeep follows.
        """
        return self._thread.submit(self._store, write, seconds, maintain)

    def maintain(self) -> None:
        """Wait for a round of upkeep."""
        self._thread.submit(self._maintain).result()

    def close(self) -> None:
        """Wait for what is being stored; drop what is not begun."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _store(self, write: EpochCommit, seconds: dict[str, float], maintain: bool) -> bool:
        with stopwatch(seconds, "store"):
            applied = retry_transient(
                lambda: self._outputs.commit(write), self._policy, on_retry=self._again
            )
        self._on_answer()
        if maintain:
            self._maintain()
        return applied

    def _again(self, error: PbfRayError, pause_s: float) -> None:
        _log.warning("a store is away, trying again", problem=error.what, pause_s=pause_s)
        self._on_wait()

    def _maintain(self) -> None:
        """Upkeep decides nothing: what fails is tried again at the next round."""
        try:
            self._outputs.maintain()
        except PbfRayError as error:
            _log.warning("upkeep of a store failed", problem=error.what)
