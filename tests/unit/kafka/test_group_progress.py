"""Progress reports: one under way, the newest next, failures told and not raised."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping

import pytest
from confluent_kafka import KafkaError, KafkaException

from pbf_ray.errors import AccessDeniedError, BrokerError, BrokerUnavailableError
from pbf_ray.kafka.group_progress import GroupProgress

Request = tuple[str, dict[tuple[str, int], int]]


class FakeCommitter:
    """Takes requests; the test answers them."""

    def __init__(self) -> None:
        self.requests: queue.Queue[Request] = queue.Queue()
        self.answers: dict[str, queue.Queue[Exception | None]] = {
            "g": queue.Queue(),
            "other": queue.Queue(),
        }

    def commit(self, group_id: str, offsets: Mapping[tuple[str, int], int]) -> None:
        self.requests.put((group_id, dict(offsets)))
        error = self.answers[group_id].get(timeout=30)
        if error is not None:
            raise error

    def asked(self) -> Request:
        return self.requests.get(timeout=30)


@pytest.fixture
def committer() -> FakeCommitter:
    return FakeCommitter()


@pytest.fixture
def progress(committer: FakeCommitter) -> GroupProgress:
    return GroupProgress(committer, "broker:9092")


def test_reports_never_overtake_each_other(
    committer: FakeCommitter, progress: GroupProgress
) -> None:
    outcomes = [progress.report("g", {("t", 0): n, ("t", 1): 10 * n}) for n in (1, 2, 3)]
    outcomes.append(progress.report("g", {("t", 0): 4}))
    assert committer.asked() == ("g", {("t", 0): 1, ("t", 1): 10})
    other = progress.report("other", {("t", 0): 7})
    assert committer.asked() == ("other", {("t", 0): 7})
    assert committer.requests.empty()
    committer.answers["g"].put(None)
    assert outcomes[0].result(30) is None
    assert not outcomes[1].done()
    # The three that waited went out as one, the newest offset of each partition in it.
    assert committer.asked() == ("g", {("t", 0): 4, ("t", 1): 30})
    committer.answers["g"].put(None)
    assert [outcome.result(30) for outcome in outcomes] == [None] * 4
    assert not other.done()
    progress.report("g", {("t", 0): 5})
    assert committer.asked() == ("g", {("t", 0): 5})
    committer.answers["g"].put(None)
    committer.answers["other"].put(None)
    assert other.result(30) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaException(KafkaError(KafkaError._TIMED_OUT)), BrokerUnavailableError),
        (KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)), AccessDeniedError),
        (RuntimeError("closed"), BrokerError),
    ],
)
def test_a_failure_is_told_logged_and_does_not_stop_the_next(
    committer: FakeCommitter,
    progress: GroupProgress,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    kind: type[BrokerError],
) -> None:
    caplog.set_level(logging.WARNING, logger="pbf_ray.kafka.group_progress")
    first, second = (progress.report("g", {("t", 0): n}) for n in (1, 2))
    committer.answers["g"].put(error)
    committer.answers["g"].put(None)
    problem = first.result(30)
    assert type(problem) is kind
    assert "group g" in str(problem)
    assert "progress of group g was not reported" in caplog.text
    assert second.result(30) is None


def test_nothing_to_report_asks_nobody(committer: FakeCommitter, progress: GroupProgress) -> None:
    assert progress.report("g", {}).result(0) is None
    assert committer.requests.empty()
