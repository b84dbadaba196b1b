"""Progress reports: one under way, the newest next, failures told and not raised."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException

from pbf_ray.errors import AccessDeniedError, BrokerUnavailableError
from pbf_ray.kafka.group_progress import GroupProgress


class FakeAdmin:
    """Takes requests; the test answers them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[tuple[str, int], int]]] = []
        self.answers: list[Future[Any]] = []

    def alter_consumer_group_offsets(
        self, request: list[ConsumerGroupTopicPartitions], request_timeout: float
    ) -> dict[str, Future[Any]]:
        (group,) = request
        offsets = {(p.topic, p.partition): p.offset for p in group.topic_partitions}
        self.requests.append((group.group_id, offsets))
        answer: Future[Any] = Future()
        self.answers.append(answer)
        answer.request = group  # type: ignore[attr-defined]
        return {group.group_id: answer}

    def accept(self, number: int) -> None:
        self.answers[number].set_result(self.answers[number].request)  # type: ignore[attr-defined]


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin()


@pytest.fixture
def progress(admin: FakeAdmin) -> GroupProgress:
    return GroupProgress(admin, "broker:9092", timeout_s=5.0)  # type: ignore[arg-type]


def test_reports_never_overtake_each_other(admin: FakeAdmin, progress: GroupProgress) -> None:
    outcomes = [progress.report("g", {("t", 0): n, ("t", 1): 10 * n}) for n in (1, 2, 3)]
    outcomes.append(progress.report("g", {("t", 0): 4}))
    other = progress.report("other", {("t", 0): 7})
    assert [group for group, _ in admin.requests] == ["g", "other"]
    admin.accept(0)
    assert outcomes[0].result(5) is None
    assert not outcomes[1].done()
    # The three that waited went out as one, the newest offset of each partition in it.
    assert admin.requests[2] == ("g", {("t", 0): 4, ("t", 1): 30})
    admin.accept(2)
    assert [outcome.result(5) for outcome in outcomes] == [None] * 4
    assert not other.done()
    progress.report("g", {("t", 0): 5})
    assert admin.requests[3] == ("g", {("t", 0): 5})


def test_a_failure_is_told_logged_and_does_not_stop_the_next(
    admin: FakeAdmin, progress: GroupProgress, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (progress.report("g", {("t", 0): n}) for n in (1, 2))
    with caplog.at_level(logging.WARNING, logger="pbf_ray.kafka.group_progress"):
        admin.answers[0].set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert isinstance(first.result(5), BrokerUnavailableError)
    assert "progress of group g" in caplog.text
    admin.answers[1].set_exception(
        KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    )
    problem = second.result(5)
    assert isinstance(problem, AccessDeniedError)
    assert problem.resource == "group g"


def test_nothing_to_report_asks_nobody(admin: FakeAdmin, progress: GroupProgress) -> None:
    assert progress.report("g", {}).result(0) is None
    assert admin.requests == []
