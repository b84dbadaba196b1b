"""The books of a consumer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pbf_ray.kafka.handling import Outcome, Verdict

__all__ = ["ConsumerBooks", "ConsumerMetrics"]

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ConsumerMetrics:
    """What a consumer has done since its start.

    ``received`` is ``processed`` + ``dead_letters`` + ``abandoned`` + ``in_flight``.

    Attributes:
        received: Records taken from the broker.
        processed: Records whose handler succeeded.
        dead_letters: Records whose handler failed, and whose dead letter is acknowledged.
        abandoned: Records taken and not finished here; they are delivered again, to this consumer
            or another one.
        in_flight: Records that wait for their handler or are with it.
        retries: Calls of the handler beyond the first.
        handler_seconds: Time in the handler, with the pauses between its calls.
        partitions: Partitions owned now.
        rebalances: How often partitions came or went.
        lost_partitions: Partitions that were lost without a chance to commit.
        paused: Whether fetching is paused because too much is in flight.
        commits: Commits that the broker has taken.
        commit_failures: Commits that it has not.
        vanished: Records that the broker no longer had (``consumer.accept_loss``).
        last_record_s: When the last record was taken, seconds since 1970; None before.
        last_commit_s: When the last commit was taken by the broker, seconds since 1970.
        committed: Committed offsets by (topic, partition), of the partitions owned now or last.
    """

    received: int = 0
    processed: int = 0
    dead_letters: int = 0
    abandoned: int = 0
    in_flight: int = 0
    retries: int = 0
    handler_seconds: float = 0.0
    partitions: int = 0
    rebalances: int = 0
    lost_partitions: int = 0
    paused: bool = False
    commits: int = 0
    commit_failures: int = 0
    vanished: int = 0
    last_record_s: float | None = None
    last_commit_s: float | None = None
    committed: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values; ``committed`` by ``topic/partition``."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        plain["committed"] = {
            f"{topic}/{partition}": offset
            for (topic, partition), offset in sorted(self.committed.items())
        }
        return plain


class ConsumerBooks:
    """Keeps the metrics. Written by the thread that polls, read by any.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ends = dict.fromkeys(Verdict, 0)
        self._received = 0
        self._finished = 0
        self._retries = 0
        self._handler_seconds = 0.0
        self._partitions = 0
        self._rebalances = 0
        self._lost_partitions = 0
        self._paused = False
        self._commits = 0
        self._commit_failures = 0
        self._vanished = 0
        self._last_record_s: float | None = None
        self._last_commit_s: float | None = None
        self._committed: dict[_Key, int] = {}

    def read(self) -> ConsumerMetrics:
        """The metrics as they are now."""
        with self._lock:
            return ConsumerMetrics(
                received=self._received,
                processed=self._ends[Verdict.PROCESSED],
                dead_letters=self._ends[Verdict.DEAD_LETTER],
                abandoned=self._ends[Verdict.ABANDONED] + self._ends[Verdict.FAILED],
                in_flight=self._received - self._finished,
                retries=self._retries,
                handler_seconds=self._handler_seconds,
                partitions=self._partitions,
                rebalances=self._rebalances,
                lost_partitions=self._lost_partitions,
                paused=self._paused,
                commits=self._commits,
                commit_failures=self._commit_failures,
                vanished=self._vanished,
                last_record_s=self._last_record_s,
                last_commit_s=self._last_commit_s,
                committed=dict(self._committed),
            )

    @property
    def in_flight(self) -> int:
        """Records taken and not finished."""
        return self._received - self._finished

    def take(self, records: int) -> None:
        """Records were taken."""
        with self._lock:
            self._received += records
            self._last_record_s = self._clock()

    def finish(self, outcome: Outcome) -> None:
        """Records have come to an end."""
        with self._lock:
            self._ends[outcome.verdict] += len(outcome.records)
            self._finished += len(outcome.records)
            self._retries += outcome.retries
            self._handler_seconds += outcome.seconds

    def rebalance(self, partitions: int, *, lost: int = 0) -> None:
        """Partitions have come or gone; so many are owned now."""
        with self._lock:
            self._partitions = partitions
            self._rebalances += 1
            self._lost_partitions += lost

    def pause(self, paused: bool) -> None:
        """Fetching is paused, or goes on."""
        self._paused = paused

    def vanish(self, records: int) -> None:
        """Records were gone before they could be taken."""
        with self._lock:
            self._vanished += records

    def own(self, committed: Mapping[_Key, int | None]) -> None:
        """Partitions were assigned, of which the group has committed so much."""
        with self._lock:
            for key, offset in committed.items():
                self._committed.pop(key, None)
                if offset is not None:
                    self._committed[key] = offset

    def commit(self, taken: Mapping[_Key, int], *, refused: bool) -> None:
        """The broker has answered a commit."""
        with self._lock:
            self._committed.update(taken)
            self._commit_failures += refused
            if taken:
                self._commits += 1
                self._last_commit_s = self._clock()
