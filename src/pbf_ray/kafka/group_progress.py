"""Progress of a stream as the committed offsets of a consumer group.

Lag tools read these; pbf_ray itself never does: its truth is the checkpoint. So reports go out
in the background, a newer one takes the place of one that still waits, and failures are told
and logged, not raised.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.client import translate_error

__all__ = ["GroupProgress"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Report:
    offsets: dict[tuple[str, int], int]
    outcomes: list[Future[BrokerError | None]] = field(default_factory=list)


class GroupProgress:
    """Commits offsets for consumer groups that have no members. Thread-safe.

    Args:
        admin: The client to ask with.
        address: Its bootstrap servers, for messages.
        timeout_s: Longest wait for one answer, seconds.
    """

    def __init__(self, admin: AdminClient, address: str, *, timeout_s: float) -> None:
        self._admin = admin
        self._address = address
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._under_way: dict[str, _Report] = {}
        self._next: dict[str, _Report] = {}

    def report(
        self, group_id: str, offsets: Mapping[tuple[str, int], int]
    ) -> Future[BrokerError | None]:
        """Report the next offsets to read; returns at once.

        One report per group is under way, as two could overtake each other.

        Args:
            group_id: Consumer group.
            offsets: Next offset to read, by (topic, partition).

        Returns:
            The outcome, when it is known: None, or why it failed. A report that a newer one
            replaced has the outcome of the newer one.
        """
        outcome: Future[BrokerError | None] = Future()
        if not offsets:
            outcome.set_result(None)
            return outcome
        with self._lock:
            if group_id in self._under_way:
                waiting = self._next.setdefault(group_id, _Report({}))
                waiting.offsets.update(offsets)
                waiting.outcomes.append(outcome)
                return outcome
            report = self._under_way[group_id] = _Report(dict(offsets), [outcome])
        self._send(group_id, report)
        return outcome

    def _send(self, group_id: str, report: _Report) -> None:
        places = [TopicPartition(*key, offset) for key, offset in report.offsets.items()]
        request = ConsumerGroupTopicPartitions(group_id, places)
        try:
            answers = self._admin.alter_consumer_group_offsets(
                [request], request_timeout=self._timeout_s
            )
        except KafkaException as error:
            self._done(group_id, report, self._translated(error, group_id))
            return
        answers[group_id].add_done_callback(partial(self._answered, group_id, report))

    def _answered(self, group_id: str, report: _Report, answer: Future[Any]) -> None:
        error = answer.exception()
        problem: BrokerError | None = None
        if isinstance(error, KafkaException):
            problem = self._translated(error, group_id)
        elif error is not None:
            problem = BrokerError(f"group {group_id}: {error!r}", group=group_id)
        else:
            for place in answer.result().topic_partitions:
                if place.error is not None:
                    problem = translate_error(place.error, address=self._address, topic=place.topic)
        self._done(group_id, report, problem)

    def _translated(self, error: KafkaException, group_id: str) -> BrokerError:
        return translate_error(error, address=self._address, resource=f"group {group_id}")

    def _done(self, group_id: str, report: _Report, problem: BrokerError | None) -> None:
        if problem is not None:
            _log.warning("progress of group %s was not reported: %s", group_id, problem)
        with self._lock:
            following = self._next.pop(group_id, None)
            if following is None:
                del self._under_way[group_id]
            else:
                self._under_way[group_id] = following
        for outcome in report.outcomes:
            outcome.set_result(problem)
        if following is not None:
            self._send(group_id, following)
