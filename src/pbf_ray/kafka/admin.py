"""The admin client, with answers and errors in our terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pbf_ray.errors import BrokerError, BrokerUnavailableError, TopicMissingError
from pbf_ray.kafka.client import ClientErrors, kafka_error, partition_missing, translate_error
from pbf_ray.kafka.construction import new_client
from pbf_ray.kafka.standstill import why_standing_still

__all__ = ["EARLIEST", "LATEST", "AdminConnection", "at_time", "uuid_text"]

EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

_T = TypeVar("_T")

_LEADERLESS = "partitions have no leader just now"


def at_time(timestamp_ms: int) -> Any:
    """Asks for the first offset whose record is not older; Kafka says -1 where there is none."""
    return OffsetSpec.for_timestamp(timestamp_ms)


# Kafka's zero UUID: a topic without an id.
_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


def uuid_text(told: object) -> str:
    """A topic id as Kafka's own tools write it (URL-safe base64), "" for none."""
    text = "" if told is None else str(told).rstrip("=").replace("+", "-").replace("/", "_")
    return "" if text == _NO_ID else text


class AdminConnection:
    """An ``AdminClient`` with answers in our terms. Thread-safe.

    Args:
        config: From ``client_config``.
        timeout_s: Longest wait for one answer, seconds.
        name: What it is for, in the log.

    Attributes:
        client: The admin client.
        address: The bootstrap servers.
        timeout_s: As given.
        attempt_s: Time-out for requests within ``steadily``: short, as a leader that has died
            swallows the request, and the next attempt goes to its successor.
    """

    def __init__(self, config: Mapping[str, Any], *, timeout_s: float, name: str) -> None:
        self.address = str(config["bootstrap.servers"])
        self.timeout_s = timeout_s
        self.attempt_s = min(timeout_s / 2, 5.0)
        self._errors = ClientErrors(name)
        self._leaders_in_doubt = False
        settings: dict[str, Any] = {**config, "error_cb": self._errors}
        self.client = new_client(AdminClient, settings)

    def answer(self, future: Future[Any], *, topic: str = "", resource: str = "") -> Any:
        """Wait for an answer.

        Args:
            future: From a call of ``client``.
            topic: The topic that was asked about, if one was.
            resource: What was asked about, in words, if not a topic.

        Raises:
            BrokerError: Its subclass for what went wrong.
        """
        try:
            # The request's own time-out is shorter and says more.
            told = future.result(self.timeout_s + 5.0)
        except KafkaException as error:
            self.client.poll(0)
            last = self._errors.last
            if last is not None and kafka_error(error).code() == KafkaError._TIMED_OUT:  # noqa: SLF001
                # "Timed out" is what the call knows; the connection knows why.
                raise translate_error(last, address=self.address, resource=resource) from error
            raise translate_error(
                error, address=self.address, topic=topic, resource=resource
            ) from error
        self.client.poll(0)
        self._errors.clear()
        return told

    def steadily(self, question: Callable[[], _T], *, patience_s: float | None = None) -> _T:
        """Ask again while the cluster is between two states.

        A partition that has just been made, or lost its leader, has none for a moment.

        Args:
            question: What to ask.
            patience_s: For how long, seconds; None is ``timeout_s``.

        Raises:
            BrokerError: Its subclass for what went wrong.
        """
        patience_s = self.timeout_s if patience_s is None else patience_s
        deadline = time.monotonic() + patience_s
        pause_s = 0.02
        while True:
            try:
                return question()
            except BrokerUnavailableError as error:
                if time.monotonic() + pause_s > deadline:
                    cause = self._errors.last or error.__cause__ or error.what
                    reason = cause.str() if isinstance(cause, KafkaError) else str(cause)
                    raise BrokerUnavailableError(
                        self.address, reason, waited_s=patience_s
                    ) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    def offsets(
        self, partitions: Sequence[tuple[str, int]], *specs: Any
    ) -> list[dict[tuple[str, int], int]]:
        """Offsets of partitions, one batched request for each of ``EARLIEST``, ``LATEST``.

        ``LATEST`` is the last stable offset: where a read_committed reader must stop.

        Returns:
            For each of ``specs``, offsets by (topic, partition).

        Raises:
            BrokerError: Its subclass for what went wrong.
        """
        if not partitions:
            return [{} for _ in specs]
        if self._leaders_in_doubt:
            # Asked again, a leader that is dead would swallow the request again: look first, which
            # takes no time-out and says which broker it is.
            topics = sorted({topic for topic, _ in partitions})
            why = why_standing_still(self.client, topics, reading=True)
            if why:
                raise BrokerUnavailableError(self.address, why)
        self._leaders_in_doubt = True
        request = [TopicPartition(topic, number) for topic, number in partitions]
        # All questions are under way before the first answer is awaited.
        asked = [
            self.client.list_offsets(
                dict.fromkeys(request, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self.attempt_s,
            )
            for spec in specs
        ]
        try:
            told = [
                {
                    (place.topic, place.partition): int(self.answer(told, topic=place.topic).offset)
                    for place, told in answers.items()
                }
                for answers in asked
            ]
        except BrokerError as error:
            no_leader = error.facts.get("code") == "_NOENT"
            if not no_leader and not isinstance(error, TopicMissingError):
                raise
            # Missing topic, missing partition and missing leader are told apart only here.
            self._require(partitions)
            raise BrokerUnavailableError(self.address, _LEADERLESS) from error
        # A leader that dies while it is asked leaves an answer without an offset, and no error
        # (librdkafka's "invalid", -1001; -1 is an answer to some questions).
        if any(offset < -1 for offsets in told for offset in offsets.values()):
            raise BrokerUnavailableError(self.address, _LEADERLESS)
        self._leaders_in_doubt = False
        return told

    def _require(self, partitions: Sequence[tuple[str, int]]) -> None:
        answers = self.describe_topics(sorted({topic for topic, _ in partitions}))
        for topic, number in partitions:
            found = self.answer(answers[topic], topic=topic).partitions
            if number not in {partition.id for partition in found}:
                raise partition_missing(topic, number, self.address)

    def describe_topics(self, names: Sequence[str]) -> dict[str, Future[Any]]:
        """Ask for descriptions of topics; an answer per name."""
        if not names:
            return {}
        answers: dict[str, Future[Any]] = self.client.describe_topics(
            TopicCollection(list(names)), request_timeout=self.attempt_s
        )
        return answers
