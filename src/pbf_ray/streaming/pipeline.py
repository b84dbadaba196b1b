"""Drives epochs through a crew: reading one overlaps windowing and storing the one before.

Every failure of a worker is answered in one way: replace the dead, set every window worker back
to the last commit, and replay the planned epochs in order.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from pbf_ray.errors import BrokerUnavailableError, StateLimitError, WorkersLostError
from pbf_ray.logs import get_logger
from pbf_ray.storage.base import EpochCommit, StagedRows
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.broker_watch import BrokerWatch
from pbf_ray.streaming.copies import Copies
from pbf_ray.streaming.crew import Crew, StandingPoint, WorkerDiedError
from pbf_ray.streaming.event_time import ReadSummary
from pbf_ray.streaming.flight import Flight, StoppedError, await_start
from pbf_ray.streaming.ledger import Ledger, LogMovedError
from pbf_ray.streaming.pace import Cluster, Outputs, Pace
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.storing import Storing
from pbf_ray.streaming.vitals import NO_BROKER, NO_STORE, Vitals, stopwatch

__all__ = ["Pipeline"]

_log = get_logger(__name__)


class Pipeline:
    """Runs a job to its end or until it is told to stop.

    Args:
        ledger: The run.
        crew: The workers.
        cluster: The broker's side.
        outputs: The stores.
        semantics: What new epochs decide by.
        pace: How fast.
        vitals: Takes notes of the run.
        copies: Publishes dead letters and late records of committed epochs.
        clock_us: Processing time, microseconds since 1970 UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        crew: Crew,
        cluster: Cluster,
        outputs: Outputs,
        *,
        semantics: StreamSemantics,
        pace: Pace,
        vitals: Vitals | None = None,
        copies: Copies | None = None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        max_state_bytes: int = 8 << 30,
    ) -> None:
        self._ledger = ledger
        self._crew = crew
        self._broker = BrokerWatch(cluster, pace)
        self._semantics = semantics
        self._pace = pace
        self._clock_us = clock_us
        self._max_state_bytes = max_state_bytes
        self._flights: deque[Flight] = deque()
        self._reader_of: dict[PartitionId, int] = {}
        self._stopping_s: float | None = None
        self._paused_s: float | None = None
        self._failures = 0
        self._state_bytes = 0
        self._stop = threading.Event()
        self._finish = threading.Event()
        self._vitals = vitals or Vitals(ledger.identity.job_id, ledger.run)
        self._copies = copies or Copies()
        self._storing = Storing(
            outputs,
            patience_s=pace.store_patience_s,
            on_wait=lambda: self._vitals.say(NO_STORE),
            on_answer=lambda: self._vitals.say_running(NO_STORE),
        )

    # -- from other threads ----------------------------------------------------------------

    def stop(self) -> None:
        """Finish the epochs under way, commit them, and return."""
        self._stop.set()

    def finish(self) -> None:
        """Read to the end that the topics have now, release and close everything, and return."""
        self._finish.set()

    def progress(self) -> Progress:
        """Where it stands."""
        return self._vitals.progress()

    # -- the run ---------------------------------------------------------------------------

    def run(self) -> str:
        """Run; gives ``"finished"`` (the bounded input is done) or ``"stopped"``.

        Raises:
            PbfRayError: If the job cannot go on. The checkpoint is whole.
        """
        try:
            if self._semantics.bounded:
                self._finish.set()
            outcome = self._start()
            while outcome is None:
                try:
                    outcome = self._turn()
                except (WorkerDiedError, LogMovedError) as error:
                    outcome = self._recover(error)
            self._vitals.say("closing")
            self._storing.maintain()
            self._copies.close()
            self._vitals.say(outcome)
            return outcome
        finally:
            self._storing.close()
            self._copies.close(0.0)

    def _start(self) -> str | None:
        try:
            self._restore()
        except WorkerDiedError as error:
            return self._recover(error)
        except StoppedError:
            return "stopped"
        self._vitals.say("running")
        return None

    def _turn(self) -> str | None:
        self._vitals.turn(len(self._flights))
        if self._ledger.commit is not None and self._broker.report_due(time.monotonic()):
            self._broker.report(self._ledger.commit.tracker.positions)
        if self._stop.is_set():
            self._let_go()
        if not self._flights:
            if self._stop.is_set():
                return "stopped"
            if self._done():
                return "finished"
        self._plan_next()
        self._advance()
        pending = [future for flight in self._flights for future in flight.awaited()]
        if pending:
            wait(pending, timeout=0.05, return_when=FIRST_COMPLETED)
        else:
            self._ledger.check_fence()  # with nothing to plan, nothing else would tell
            self._stop.wait(min(0.05, self._pace.epoch_interval_s))
        return None

    def _let_go(self) -> None:
        """Told to stop: an epoch that cannot be read is not waited for; its plan is in the log."""
        now_s = time.monotonic()
        if self._stopping_s is None:
            self._stopping_s = now_s
        patience_s = 0.0 if self._broker.away else self._pace.stop_patience_s
        if now_s - self._stopping_s >= patience_s:
            while self._flights and not self._flights[-1].applies:
                self._flights.pop()

    def _done(self) -> bool:
        ledger = self._ledger
        if not self._finish.is_set() or ledger.stop_at is None or not ledger.finished:
            return False
        positions = ledger.tracker.positions
        return all(positions.get(where, 0) >= stop for where, stop in ledger.stop_at.items())

    # -- planning --------------------------------------------------------------------------

    def _plan_next(self) -> None:
        ledger = self._ledger
        if self._stop.is_set() or len(self._flights) >= self._pace.max_in_flight:
            return
        if any(flight.plan.final or not flight.applies for flight in self._flights):
            return  # event time must have taken in all that is planned
        now_s = time.monotonic()
        # What the broker holds is at least as new as the clock that vouches for it.
        clock_us = self._clock_us()
        seconds: dict[str, float] = {}
        with stopwatch(seconds, "plan"):
            if not self._look(now_s):
                return
            plan = ledger.next_plan(
                clock_us=clock_us,
                held=self._broker.held,
                pending_rows=ledger.books.pending,
                state_bytes=self._state_bytes,
                semantics=self._semantics,
                away_us=0 if ledger.replaying else self._broker.take_away_us(),
            )
        self._watch_pause(now_s)
        if plan is not None:
            self._launch(plan, seconds)

    def _look(self, now_s: float) -> bool:
        """Ask the broker what it holds, if a plan may be due."""
        ledger, broker = self._ledger, self._broker
        full = self._paused_s is None and ledger.lag(broker.ends) >= self._pace.epoch_max_rows
        if not broker.due(now_s) and not full and not ledger.replaying:
            return False
        ending = self._finish.is_set() and ledger.stop_at is None
        if not broker.look(now_s, discover=ending):
            self._vitals.say(NO_BROKER)
            return False
        self._vitals.say_running(NO_BROKER)
        self._vitals.looked(broker.held)
        if ending:
            ledger.stop_at = broker.ends
            if self._done() and not self._flights:
                return False
        return True

    def _watch_pause(self, now_s: float) -> None:
        """State over its limit: reading pauses; if that does not help, say what holds it."""
        if self._state_bytes <= self._max_state_bytes or self._ledger.replaying:
            self._paused_s = None
            self._vitals.say_running("paused")
            return
        if self._paused_s is None:
            self._paused_s = now_s
            _log.warning("window state is over its limit, reading pauses", bytes=self._state_bytes)
            self._vitals.say("paused")
        rules = self._semantics
        patience_s = (
            max(rules.idle_timeout_s, rules.allowed_lateness_s)
            + rules.layer_gap_s
            + 10 * self._pace.epoch_interval_s
        )
        if now_s - self._paused_s > patience_s and not self._flights:
            holding = ", ".join(str(where) for where in self._ledger.tracker.holding_back()[:5])
            raise StateLimitError(
                self._state_bytes, self._max_state_bytes, holding=holding or "open layers"
            )

    # -- going through the stages ----------------------------------------------------------

    def _launch(self, plan: EpochPlan, seconds: dict[str, float]) -> None:
        ranges: dict[int, dict[PartitionId, OffsetRange]] = {}
        for where, offsets in plan.ranges.items():
            ranges.setdefault(self._reader(where), {})[where] = offsets
        flight = Flight(plan, ranges, seconds=seconds)
        for reader in ranges:
            self._read(flight, reader)
        self._flights.append(flight)

    def _read(self, flight: Flight, reader: int) -> None:
        stamp = self._ledger.stamp(flight.plan)
        report, routed = self._crew.read(reader, flight.plan, flight.ranges[reader], stamp)
        flight.reads[reader] = report
        flight.routed[reader] = routed

    def _reader(self, where: PartitionId) -> int:
        """The reader that owns a partition: once given, it keeps it."""
        if where not in self._reader_of:
            load = [0] * self._crew.readers
            for reader in self._reader_of.values():
                load[reader] += 1
            self._reader_of[where] = load.index(min(load))
        return self._reader_of[where]

    def _advance(self) -> None:
        """Take every epoch under way as far as it can go, the oldest first."""
        for flight in list(self._flights):
            if not flight.applies and not self._apply(flight):
                return
            if flight is self._flights[0] and flight.stored is None:
                self._start_storing(flight)
            if flight.stored is not None and flight.stored.done():
                self._settle(flight)

    def _apply(self, flight: Flight) -> bool:
        """When all is read: move event time, hand the rows to the windows."""
        if not all(read.done() for read in flight.reads.values()):
            return False
        summary, books = ReadSummary(), Books()
        for reader, read in sorted(flight.reads.items()):
            try:
                report = read.result()
            except BrokerUnavailableError as error:
                self._broker.missed(error, time.monotonic())
                self._vitals.say(NO_BROKER)
                self._stop.wait(0.5)
                self._read(flight, reader)
                return False
            summary.merge(report.summary)
            books.add(report.books)
        if flight.reads:
            self._broker.answered()
            self._vitals.say_running(NO_BROKER)
        step = self._ledger.event_time(flight.plan, summary, books)
        steps = self._ledger.steps(flight.plan, step, self._crew.windows)
        flight.applies = [
            self._crew.apply(
                worker,
                window_step,
                [routed[worker] for _, routed in sorted(flight.routed.items())],
            )
            for worker, window_step in enumerate(steps)
        ]
        return True

    def _start_storing(self, flight: Flight) -> None:
        if not all(apply.done() for apply in flight.applies):
            return
        reports = [apply.result() for apply in flight.applies]
        flight.books = self._ledger.balance(flight.plan, [report.output for report in reports])
        staged: list[StagedRows] = []
        for read in flight.reads.values():
            staged.extend(read.result().staged)
        for report in reports:
            staged.extend(report.staged)
        write = EpochCommit(
            self._ledger.identity.job_id, self._ledger.run, flight.plan.epoch, tuple(staged)
        )
        maintain = flight.plan.epoch % self._pace.maintain_every == 0
        flight.took(read.result().seconds for read in flight.reads.values())
        flight.took(report.seconds for report in reports)
        flight.write = write
        flight.stored = self._storing.submit(write, flight.seconds, maintain=maintain)

    def _settle(self, flight: Flight) -> None:
        assert flight.stored is not None  # noqa: S101 - for the type checker
        assert flight.books is not None  # noqa: S101
        assert flight.write is not None  # noqa: S101
        flight.stored.result()
        reports = [apply.result().output for apply in flight.applies]
        with stopwatch(flight.seconds, "manifest"):
            manifest = self._ledger.settle(
                flight.plan, flight.books, [report.files for report in reports]
            )
        self._flights.popleft()
        self._failures = 0
        self._state_bytes = sum(report.state_bytes for report in reports)
        self._copies.offer(flight.write)
        self._vitals.spent(flight.seconds)
        self._vitals.committed(manifest, state_bytes=self._state_bytes)
        self._broker.report(manifest.tracker.positions)
        _log.debug("epoch committed", epoch=manifest.epoch, consumed=manifest.books.consumed)

    # -- failures --------------------------------------------------------------------------

    def _restore(self) -> None:
        point = StandingPoint(
            epoch=self._ledger.committed_epoch,
            windows=self._ledger.window_files,
            time=self._ledger.tracker.standing(),
            strict=self._ledger.identity.mode == "strict",
        )
        waiting: list[Future[Any]] = self._crew.ready()
        waiting += [self._crew.restore(worker, point) for worker in range(self._crew.windows)]
        await_start(self._crew, waiting, self._stop, self._pace.start_patience_s)
        self._vitals.stands_at(self._ledger.commit)
        self._copies.stands_at(self._ledger.committed_epoch)

    def _recover(self, error: Exception) -> str | None:
        """Replace the dead, go back to the last commit, replay; the outcome if told to stop."""
        while True:
            self._failures += 1
            if self._failures > self._pace.max_restarts:
                raise WorkersLostError(
                    "workers of the job", restarts=self._failures, cause=str(error)
                ) from error
            _log.warning("recovering", cause=str(error), from_epoch=self._ledger.committed_epoch)
            self._vitals.restarted()
            self._vitals.say("recovering")
            # What is being stored is stored by a thread of this process: let it end. Its outcome
            # does not matter: the epoch is replayed, and storing it again changes nothing.
            stored = [flight.stored for flight in self._flights if flight.stored is not None]
            wait(stored)
            self._flights.clear()
            self._ledger.reload()
            try:
                self._crew.repair()
                self._restore()
            except WorkerDiedError as again:
                error = again
                self._stop.wait(min(0.1 * 2.0**self._failures, 10.0))
                continue
            except StoppedError:
                return "stopped"
            self._vitals.say("running")
            return None
