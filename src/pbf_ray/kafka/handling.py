"""Calling a handler: attempts, pauses between them, and what becomes of a record that fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from pbf_ray.backoff import Backoff
from pbf_ray.errors import BrokerError, HandlerFailedError, PbfRayError
from pbf_ray.kafka.consumed_record import ConsumedRecord

__all__ = [
    "BatchHandler",
    "Handling",
    "Hurry",
    "Outcome",
    "RecordHandler",
    "Verdict",
    "is_transient",
]

_log = logging.getLogger(__name__)

RecordHandler: TypeAlias = Callable[[ConsumedRecord], object]
BatchHandler: TypeAlias = Callable[[Sequence[ConsumedRecord]], object]


class Hurry(Protocol):
    """Set when no further attempt is to begin, as a ``threading.Event`` is."""

    def is_set(self) -> bool:
        """Whether it is set."""

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, for so many seconds at most."""


class Verdict(Enum):
    """What became of a record."""

    PROCESSED = "processed"
    DEAD_LETTER = "dead letter"
    FAILED = "failed"
    """For good, and the consumer is to stop."""
    ABANDONED = "abandoned"
    """Not to the end: it will be delivered again."""


@dataclass(slots=True)
class Outcome:
    """What became of records that were handled together.

    Attributes:
        verdict: The same for all of them.
        records: The records.
        retries: Calls of the handler beyond the first.
        error: Of ``FAILED``, why.
        seconds: How long the handler and the pauses took.
    """

    verdict: Verdict
    records: Sequence[ConsumedRecord]
    retries: int = 0
    error: PbfRayError | None = None
    seconds: float = 0.0


def is_transient(error: Exception) -> bool:
    """Whether an error is nobody's fault and passes: those of ``pbf_ray`` say so themselves."""
    return bool(getattr(error, "transient", False))


class Handling:
    """Handles records, each to one of four ends.

    An error is tried again after a pause, ``max_attempts`` calls at most; a transient one without
    end, since a store that is away is no fault of the record. A batch that fails is taken apart:
    each of its records is then handled on its own, so that one bad record does not take good
    ones with it.

    Args:
        handler: Called with a sequence of records if ``batch``, else with each.
        batch: Whether the handler takes batches.
        max_attempts: Most calls for one record, or for one batch as a whole.
        backoff: Pauses between them.
        bury: Writes a record to the dead letters, with the last error and the number of attempts,
            and returns when the broker has acknowledged it; None stops the consumer instead.
        transient: Whether an error of the handler passes.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        handler: Callable[..., object],
        *,
        batch: bool,
        max_attempts: int,
        backoff: Backoff,
        bury: Callable[[ConsumedRecord, Exception, int], object] | None,
        transient: Callable[[Exception], bool] = is_transient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._batch = batch
        self._max_attempts = max_attempts
        self._backoff = backoff
        self._bury = bury
        self._transient = transient
        self._clock = clock

    def handle(self, records: Sequence[ConsumedRecord], hurry: Hurry) -> list[Outcome]:
        """Handle records of one partition, in order; every one is in exactly one outcome.

        Behind a record that is failed or abandoned nothing is handled: those are abandoned too.

        Args:
            records: One record, unless the handler takes batches.
            hurry: Set when no further attempt is to begin.
        """
        began = self._clock()
        if not self._batch or len(records) == 1:
            return [self._one(records[0], hurry)]
        error, calls = self._attempt(records, records[0], hurry)
        whole = Outcome(
            Verdict.PROCESSED, records, max(0, calls - 1), seconds=self._clock() - began
        )
        if error is None:
            return [whole]
        if hurry.is_set():
            whole.verdict = Verdict.ABANDONED
            return [whole]
        _log.warning(
            "a batch of %d records from %s on failed %d times (%r): each on its own now",
            len(records),
            records[0].place,
            calls,
            error,
        )
        outcomes: list[Outcome] = []
        for number, record in enumerate(records):
            outcome = self._one(record, hurry)
            outcome.retries += 1
            outcomes.append(outcome)
            if outcome.verdict in {Verdict.FAILED, Verdict.ABANDONED}:
                if records[number + 1 :]:
                    outcomes.append(Outcome(Verdict.ABANDONED, records[number + 1 :]))
                break
        outcomes[0].retries += whole.retries
        outcomes[0].seconds += whole.seconds
        return outcomes

    def _one(self, record: ConsumedRecord, hurry: Hurry) -> Outcome:
        began = self._clock()
        error, calls = self._attempt([record], record, hurry)
        outcome = Outcome(Verdict.PROCESSED, [record], max(0, calls - 1))
        if error is not None:
            self._give_up(outcome, record, error, calls, hurry)
        outcome.seconds = self._clock() - began
        return outcome

    def _attempt(
        self, records: Sequence[ConsumedRecord], first: ConsumedRecord, hurry: Hurry
    ) -> tuple[Exception | None, int]:
        """Call the handler until it succeeds or is to be given up; the last error, and calls."""
        calls = counted = 0
        while True:
            calls += 1
            try:
                self._handler(records if self._batch else first)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises, its record fails
                passes = self._transient(error)
                counted += not passes
                pause_s = self._backoff.pause_s(calls)
                if counted >= self._max_attempts or hurry.is_set():
                    return error, calls
                _log.log(
                    logging.WARNING if calls == 1 else logging.INFO,
                    "%s: handler call %d failed, the next in %.2f s: %r",
                    first.place,
                    calls,
                    pause_s,
                    error,
                )
                if hurry.wait(pause_s):
                    return error, calls
            else:
                return None, calls

    def _give_up(
        self, outcome: Outcome, record: ConsumedRecord, error: Exception, calls: int, hurry: Hurry
    ) -> None:
        """Decide on a record whose handler failed; a dead letter counts when it is acknowledged."""
        if hurry.is_set() and (calls < self._max_attempts or self._transient(error)):
            # It has had less than its due: whoever gets it next begins anew.
            outcome.verdict = Verdict.ABANDONED
            return
        if self._bury is None:
            outcome.verdict = Verdict.FAILED
            outcome.error = HandlerFailedError(
                record.topic, record.partition, record.offset, attempts=calls, cause=repr(error)
            )
            return
        tries = 0
        while True:
            try:
                self._bury(record, error, calls)
            except BrokerError as refused:
                tries += 1
                if not refused.transient:
                    outcome.verdict, outcome.error = Verdict.FAILED, refused
                    return
                _log.warning("%s: its dead letter is not acknowledged: %s", record.place, refused)
                if hurry.wait(self._backoff.pause_s(tries)):
                    outcome.verdict = Verdict.ABANDONED
                    return
            else:
                outcome.verdict = Verdict.DEAD_LETTER
                _log.warning("%s: dead letter after %d calls: %r", record.place, calls, error)
                return
