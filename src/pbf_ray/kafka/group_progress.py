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
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.client import ClientErrors, translate_error
from pbf_ray.kafka.construction import new_client

__all__ = ["CommitsOffsets", "GroupCommitter", "GroupProgress"]

_log = logging.getLogger(__name__)

_Offsets = Mapping[tuple[str, int], int]


class CommitsOffsets(Protocol):
    """Commits offsets of a group, and waits for the answer."""

    def commit(self, group_id: str, offsets: _Offsets) -> None:
        """Commit.

        Raises:
            KafkaException: If the broker refuses, or does not answer.
        """


class GroupCommitter:
    """Commits offsets for groups that have no members, with a consumer that joins none.

    The admin client could do the same (``alter_consumer_group_offsets``), but librdkafka ends the
    whole process when the connection to the group's coordinator is lost during such a request
    (its assertion ``eonce->refcnt > 0``; confluentinc/librdkafka#4605). One thread per group may
    call at a time.

    Args:
        config: From ``client_config``.
        timeout_s: Longest wait for an answer, seconds.
    """

    def __init__(self, config: Mapping[str, Any], *, timeout_s: float) -> None:
        # What a group without a coordinator is waited for is the time-out of its session.
        wait_ms = str(max(1, round(timeout_s * 1000)))
        self._config = {
            **config,
            "session.timeout.ms": wait_ms,
            "socket.timeout.ms": str(max(10_000, round(timeout_s * 1000))),
            "enable.auto.commit": "false",
        }
        self._consumers: dict[str, Consumer] = {}
        self._errors: dict[str, ClientErrors] = {}

    def commit(self, group_id: str, offsets: _Offsets) -> None:
        """Commit next offsets to read.

        Raises:
            KafkaException: If the broker refuses, or does not answer.
        """
        consumer = self._consumers.get(group_id)
        if consumer is None:
            errors = ClientErrors("progress report", level=logging.DEBUG)
            self._errors[group_id] = errors
            consumer = self._consumers[group_id] = new_client(
                Consumer,
                {
                    **self._config,
                    "group.id": group_id,
                    "error_cb": errors,
                },
            )
        places = [TopicPartition(*key, offset) for key, offset in offsets.items()]
        try:
            done = consumer.commit(offsets=places, asynchronous=False)
        except KafkaException:
            # The commit has waited for the group's coordinator; this may say why.
            message = consumer.poll(0.05)
            said = message.error() if message is not None else None
            last = said or self._errors[group_id].last
            if last is not None:
                raise KafkaException(last) from None
            raise
        self._errors[group_id].clear()
        for place in done or ():
            if place.error is not None:
                raise KafkaException(place.error)


@dataclass(slots=True)
class _Report:
    offsets: dict[tuple[str, int], int]
    outcomes: list[Future[BrokerError | None]] = field(default_factory=list)


class GroupProgress:
    """Reports the progress of groups, one report of each at a time. Thread-safe.

    Args:
        committer: Commits, and waits for the answer.
        address: Bootstrap servers, for messages.
    """

    def __init__(self, committer: CommitsOffsets, address: str) -> None:
        self._committer = committer
        self._address = address
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
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
            self._under_way.add(group_id)
        threading.Thread(
            target=self._send_all,
            args=(group_id, _Report(dict(offsets), [outcome])),
            name=f"progress-{group_id}",
            daemon=True,
        ).start()
        return outcome

    def _send_all(self, group_id: str, report: _Report | None) -> None:
        """Send a report, and those that have come meanwhile; in a thread of its own."""
        while report is not None:
            problem = self._sent(group_id, report.offsets)
            if problem is not None:
                _log.warning("progress of group %s was not reported: %s", group_id, problem)
            with self._lock:
                following = self._next.pop(group_id, None)
                if following is None:
                    self._under_way.remove(group_id)
            for outcome in report.outcomes:
                outcome.set_result(problem)
            report = following

    def _sent(self, group_id: str, offsets: _Offsets) -> BrokerError | None:
        try:
            self._committer.commit(group_id, offsets)
        except KafkaException as error:
            return translate_error(error, address=self._address, resource=f"group {group_id}")
        except Exception as error:  # noqa: BLE001 - told and logged like any other
            return BrokerError(f"group {group_id}: {error!r}", group=group_id)
        return None
