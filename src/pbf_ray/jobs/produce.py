"""Sending the records of a sensor source: in time, past its failures, with exact books."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

from pbf_ray.backoff import Backoff
from pbf_ray.errors import BrokerError, PbfRayError, SourceFailedError
from pbf_ray.jobs.record_targets import RecordTarget
from pbf_ray.kafka.sensor_source import RecordFields, SensorMessage, SensorRecord, SensorSource
from pbf_ray.simulate.pace import pace

__all__ = ["SOURCE_BACKOFF", "ProduceJob", "ProduceResult"]

_log = logging.getLogger(__name__)

SOURCE_BACKOFF: Final = Backoff(first_pause_s=5.0, longest_pause_s=300.0)
"""Pauses of a source that fails: 5 s as in the replaced pipeline, then longer and longer."""

_UPDATE_S: Final = 0.1
_FLUSH_S: Final = 0.25


@dataclass(frozen=True)
class ProduceResult:
    """What became of the records: ``read`` is ``sent`` + ``failed`` + ``queued``.

    Attributes:
        where: Where they went.
        read: Records that the source has given.
        sent: Records that arrived.
        failed: Records that did not.
        queued: Records on their way; 0 at the end.
        source_failures: How often the source has raised.
        seconds: Wall time.
        interrupted: Whether it was stopped before the source ended.
        error: What ended it, or why the first record failed; None if all is well.
    """

    where: str
    read: int
    sent: int
    failed: int
    queued: int
    source_failures: int
    seconds: float
    interrupted: bool
    error: PbfRayError | None

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "where": self.where,
            "read": self.read,
            "sent": self.sent,
            "failed": self.failed,
            "queued": self.queued,
            "source_failures": self.source_failures,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "error": None if self.error is None else self.error.what,
        }


class ProduceJob:
    """Takes records from a source and hands them to a target until one of them ends.

    When the source raises, it is asked again after a pause that grows from failure to failure and
    begins anew with the next record. A record that was taken from the source is sent, or failed,
    also when the job is stopped.

    Args:
        source: Gives the records; is closed at the end.
        target: Takes them, for example a ``TopicTarget``.
        speed: Seconds of event time per second; None for no pace by event time.
        rate: Records per second, instead of a speed.
        backoff: Pauses after failures of the source.
        max_failures: Failures in a row that end the job; None for none.
        stop: Ends the job when it is set, as ``stop()`` does.
        on_progress: Called with where the job stands, a few times a second.
        clock: Monotonic seconds.
        sleep: Waits for some seconds, perhaps less; by default until the job is stopped.
    """

    def __init__(
        self,
        source: SensorSource,
        target: RecordTarget,
        *,
        speed: float | None = None,
        rate: float | None = None,
        backoff: Backoff = SOURCE_BACKOFF,
        max_failures: int | None = None,
        stop: Event | None = None,
        on_progress: Callable[[ProduceResult], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._speed = speed
        self._rate = rate
        self._backoff = backoff
        self._paced = speed is not None or rate is not None
        self._max_failures = max_failures
        self._stop = stop or Event()
        self._on_progress = on_progress
        self._clock = clock
        self._sleep = sleep or self._stop.wait
        self._began_s = clock()
        self._next_update_s = self._began_s
        self._before = (target.sent, target.failed)
        self._read = 0
        self._unsendable = 0
        self._failures = 0
        self._failures_in_a_row = 0
        self._error: PbfRayError | None = None

    def stop(self) -> None:
        """Take no further record; ``run`` ends when those taken have arrived or failed."""
        self._stop.set()

    def progress(self) -> ProduceResult:
        """Where the job stands."""
        sent = self._target.sent - self._before[0]
        failed = self._target.failed - self._before[1] + self._unsendable
        return ProduceResult(
            where=self._target.where,
            read=self._read,
            sent=sent,
            failed=failed,
            queued=self._read - sent - failed,
            source_failures=self._failures,
            seconds=self._clock() - self._began_s,
            interrupted=self._stop.is_set(),
            error=self._error or (self._target.error if failed else None),
        )

    def run(self) -> ProduceResult:
        """Send until the source ends, the job is stopped, or something fails for good.

        Returns:
            What became of every record; failures are in it, not raised.

        Raises:
            SettingError: Both speed and rate are given, or one is not a positive number.
        """
        self._began_s = self._clock()
        try:
            while not self._stop.is_set() and self._error is None:
                if self._send_what_comes():
                    break
            while self._target.flush(_FLUSH_S):
                self._update(at_once=True)
        finally:
            self._close()
        return self.progress()

    def _send_what_comes(self) -> bool:
        """Send until the source raises or ends; whether it has ended."""
        records = pace(
            self._messages(),
            speed=self._speed,
            rate=self._rate,
            stop=self._stop,
            clock=self._clock,
            sleep=self._sleep,
        )
        while self._error is None:
            try:
                record = next(records, None)
            except Exception as error:  # noqa: BLE001 - whatever a source raises, it has failed
                self._source_failed(error)
                return False
            if record is None:
                return True
            self._read += 1
            self._failures_in_a_row = 0
            self._send(record)
            # Looking at the clock costs as much as sending.
            if self._read % 64 == 0 or self._paced:
                self._update()
        return False

    def _messages(self) -> Iterator[SensorMessage]:
        newest_s = 0.0
        for record in self._source.records():
            if isinstance(record, Mapping):
                newest_s = _event_time(record, newest_s)
                yield SensorRecord(record, event_time_s=newest_s)
            elif hasattr(record, "event_time_s"):
                yield record
            else:
                # Neither fields nor a message: the target refuses it, and it is accounted for.
                yield SensorRecord(record)  # type: ignore[arg-type]

    def _send(self, record: SensorMessage) -> None:
        try:
            while not self._target.send(record):
                # The buffer is full. What is in it arrives or fails in the end: nothing is lost.
                self._update()
        except BrokerError as error:
            self._error = error
            self._unsendable += 1

    def _source_failed(self, error: Exception) -> None:
        if isinstance(error, PbfRayError) and not error.transient:
            self._error = error
            return
        self._failures += 1
        self._failures_in_a_row += 1
        name = type(self._source).__name__
        if self._max_failures is not None and self._failures_in_a_row >= self._max_failures:
            self._error = SourceFailedError(
                name, failures=self._failures_in_a_row, cause=repr(error)
            )
            return
        pause_s = self._backoff.pause_s(self._failures_in_a_row)
        _log.warning("source %s failed, the next try in %.1f s: %r", name, pause_s, error)
        self._update(at_once=True)
        # What was sent so far is acknowledged meanwhile, not only after the pause.
        until_s = self._clock() + pause_s
        while not self._stop.is_set() and (left_s := until_s - self._clock()) > 0:
            if self._target.flush(0.0):
                self._sleep(min(left_s, _FLUSH_S))
            else:
                self._sleep(left_s)

    def _update(self, *, at_once: bool = False) -> None:
        if self._on_progress is None:
            return
        now_s = self._clock()
        if at_once or now_s >= self._next_update_s:
            self._next_update_s = now_s + _UPDATE_S
            self._on_progress(self.progress())

    def _close(self) -> None:
        try:
            self._source.close()
        except Exception as error:  # noqa: BLE001 - its records are accounted for already
            _log.warning("source %s did not close: %r", type(self._source).__name__, error)


def _event_time(record: RecordFields, otherwise: float) -> float:
    told = record.get("timestamp")
    if isinstance(told, bool):
        return otherwise
    try:
        seconds = float(told)  # type: ignore[arg-type] # what is no number is caught
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return seconds if math.isfinite(seconds) else otherwise
