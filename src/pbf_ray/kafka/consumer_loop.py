"""The loop of a consumer: take, hand on, account, commit; and what happens at a rebalance."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Final

from pbf_ray.config.kafka_clients import ConsumerSettings
from pbf_ray.errors import BrokerError, OffsetsVanishedError
from pbf_ray.kafka.assignment import Assignment
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer_metrics import ConsumerBooks
from pbf_ray.kafka.group_membership import GroupMembership, Starts
from pbf_ray.kafka.handling import Handling, Outcome, Verdict
from pbf_ray.kafka.intake import IntakeGate
from pbf_ray.kafka.lanes import Finished, Lanes
from pbf_ray.kafka.partition_tenure import PartitionTenure

__all__ = ["ConsumerLoop"]

_log = logging.getLogger(__name__)

_Key = tuple[str, int]

_POLL_S: Final = 0.1


class ConsumerLoop:
    """Runs one membership of a group, from joining to leaving. One thread, once.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        topics: Names of the topics.
        group_id: Consumer group.
        client: Further librdkafka settings; they override ``options``.
        options: Windows, times, and where to start.
        handling: What is done with records.
        max_batch: Most records of one call of the handler.
        books: Where everything is counted.
        stopping: Whether to come to an end.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        group_id: str,
        client: Mapping[str, str],
        *,
        options: ConsumerSettings,
        handling: Handling,
        max_batch: int,
        books: ConsumerBooks,
        stopping: Callable[[], bool],
    ) -> None:
        self._options = options
        self._topics = topics
        self._group_id = group_id
        self._books = books
        self._stopping = stopping
        self._finished: SimpleQueue[Finished] = SimpleQueue()
        self._lanes = Lanes(
            handling,
            options.handler_threads,
            order=options.order,
            max_batch=max_batch,
            report=self._finished.put,
        )
        self._assignment = Assignment()
        self._gate = IntakeGate(options.max_in_flight_records, options.max_in_flight_bytes)
        self._failure: BaseException | None = None
        self._next_commit_s = 0.0
        self._refused = False
        self._drain_s = options.drain_s
        self._group = GroupMembership(
            bootstrap_servers,
            topics,
            group_id,
            client,
            options,
            gained=self._gained,
            leaving=self._leaving,
            lost=self._lost,
            committed=self._commit_ended,
        )

    def run(self, also_needed: Sequence[str] = (), *, patience_s: float = 10.0) -> None:
        """Consume until it is told to stop; then finish what was taken, commit, leave.

        Args:
            also_needed: Topics that have to exist besides those that are read.
            patience_s: How long new topics may take to be known, seconds.

        Raises:
            PbfRayError: What has ended it; what was done before is committed.
            BaseException: What a handler has ended its thread with.
        """
        self._lanes.start()
        try:
            self._group.require_topics([*self._topics, *also_needed], patience_s)
            while not self._stopping() and self._failure is None:
                self._turn()
        except BrokerError as error:
            self._failure = self._failure or error
        except BaseException:
            self._drain_s = 0.0
            raise
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    def _turn(self) -> None:
        self._settle(0.0)
        now = time.monotonic()
        if now >= self._next_commit_s:
            self._next_commit_s = now + self._options.commit_interval_s
            self._group.commit(self._assignment.to_commit(), wait=False)
        verdict = self._gate.decide(now)
        self._group.pause(verdict == "pause")
        self._books.pause(verdict == "pause")
        if verdict == "take":
            count = min(self._options.max_poll_records, self._gate.room)
            self._take(self._receive(count, _POLL_S))
            return
        self._settle(_POLL_S)
        if verdict == "pause":
            # Nothing comes, but a member that does not poll is taken for dead.
            self._take(self._receive(1, 0.0))

    def _receive(self, count: int, wait_s: float) -> list[ConsumedRecord]:
        try:
            return self._group.receive(count, wait_s)
        except OffsetsVanishedError as gone:
            if not self._options.accept_loss:
                raise
            _log.error("%s; going on behind the gap", gone.what)
            self._books.vanish(max(0, gone.first - gone.wanted))
            self._group.skip_to(gone.topic, gone.partition, gone.first)
            return []

    def _take(self, records: list[ConsumedRecord]) -> None:
        taken = size = 0
        for key, those in groupby(records, itemgetter(0, 1)):
            tenure = self._assignment.find(key)
            if tenure is None:
                continue  # it went away while these were on their way
            share = list(those)
            for record in share:
                tenure.take(record.offset)
                size += record.size
            taken += len(share)
            self._lanes.put(tenure, share)
        if taken:
            self._gate.take(taken, size)
            self._books.take(taken)

    def _settle(self, wait_s: float) -> None:
        """Account for what the handler threads have finished; wait for the first for so long."""
        try:
            finished = self._finished.get(timeout=wait_s) if wait_s else self._finished.get_nowait()
            while True:
                if isinstance(finished, BaseException):
                    self._failure = self._failure or finished
                else:
                    self._account(*finished)
                finished = self._finished.get_nowait()
        except Empty:
            return

    def _account(self, tenure: PartitionTenure, outcome: Outcome) -> None:
        done = outcome.verdict in {Verdict.PROCESSED, Verdict.DEAD_LETTER}
        for record in outcome.records:
            tenure.finish(record.offset, done=done)
        self._gate.leave(len(outcome.records), sum(record.size for record in outcome.records))
        self._books.finish(outcome)
        if outcome.error is not None:
            self._failure = self._failure or outcome.error

    # -- partitions come and go; called from within receive and close ----------------------

    def _gained(self, starts: Starts) -> None:
        for key, (start, committed) in starts.items():
            self._assignment.begin(key, start, committed)
        self._books.own({key: committed for key, (_, committed) in starts.items()})
        self._books.rebalance(len(self._assignment))

    def _leaving(self, keys: list[_Key]) -> None:
        ending = self._assignment.end(keys)
        self._wait_for(ending)
        ready = {one.key: offset for one in ending if (offset := one.to_commit) is not None}
        self._group.commit(ready, wait=True)
        self._assignment.forget(keys)
        self._books.rebalance(len(self._assignment))

    def _lost(self, keys: list[_Key]) -> None:
        # Somebody else may own them already: what is done of them here is done again there.
        _log.warning("group %s: lost %d partitions without a word", self._group_id, len(keys))
        self._assignment.forget(keys)
        self._books.rebalance(len(self._assignment), lost=len(keys))

    def _wait_for(self, tenures: Sequence[PartitionTenure]) -> None:
        """Let the handlers that are at work on these partitions finish, for a time."""
        deadline = time.monotonic() + self._drain_s
        while running := sum(len(tenure.running) for tenure in tenures):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                told = "group %s: handlers of %d records took longer than %.0f s; those come again"
                _log.warning(told, self._group_id, running, self._options.drain_s)
                break
            self._settle(min(left_s, _POLL_S))
        self._settle(0.0)

    def _commit_ended(self, taken: dict[_Key, int], error: BrokerError | None) -> None:
        self._assignment.committed(taken)
        self._books.commit(taken, refused=error is not None)
        if error is not None:
            level = logging.DEBUG if self._refused else logging.WARNING
            _log.log(level, "group %s: a commit was not taken: %s", self._group_id, error)
        self._refused = error is not None

    # -- the end ---------------------------------------------------------------------------

    def _end(self) -> None:
        """Finish what was taken if there is time for that, commit what is done, leave."""
        for tenure in self._assignment:
            tenure.hurry.set()
        deadline = time.monotonic() + self._drain_s
        try:
            self._group.pause(True)
            while self._books.in_flight and time.monotonic() < deadline:
                self._settle(_POLL_S)
                # Still a member: rebalances are answered.
                self._take(self._receive(1, 0.0))
        except BrokerError as error:
            self._failure = self._failure or error
        finally:
            self._drain_s = 0.0
            self._settle(0.0)
            try:
                self._group.commit(self._assignment.to_commit(), wait=True)
            finally:
                self._group.close()
            if not self._lanes.close(1.0):
                _log.warning("group %s: a handler has not returned", self._group_id)
            self._settle(0.0)
