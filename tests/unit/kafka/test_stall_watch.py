"""A producer that waits says why, once a reason, and when that is over."""

from __future__ import annotations

import logging
import queue
import time

import pytest

from pbf_ray.kafka.stall_watch import StallWatch


class Cluster:
    """Gives reasons when the test wants it to."""

    def __init__(self) -> None:
        self.reasons: queue.Queue[str] = queue.Queue()
        self.now_s = 100.0

    def why(self) -> str:
        return self.reasons.get(timeout=30)

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def watch(cluster: Cluster) -> StallWatch:
    return StallWatch(cluster.why, every_s=5.0, clock=cluster.clock)


def until_told(caplog: pytest.LogCaptureFixture, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.005)


def test_the_reason_is_told_once_and_again_when_it_changes(
    cluster: Cluster, watch: StallWatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="pbf_ray.kafka.stall_watch")
    for _ in range(3):
        watch.waiting(7)
        cluster.now_s += 2.0
    watch.waiting(7)  # 6 s
    cluster.reasons.put("broker 1 does not answer")
    until_told(caplog, "no acknowledgement for 6 s, 7 records wait and are sent again: broker 1")
    for reason in ("broker 1 does not answer", "not enough replicas"):
        cluster.now_s += 5.0
        deadline = time.monotonic() + 30
        cluster.reasons.put(reason)
        while not cluster.reasons.empty():
            watch.waiting(9)
            assert time.monotonic() < deadline
            time.sleep(0.005)
    until_told(caplog, "no acknowledgement for 16 s, 9 records wait and are sent again: not enough")
    cluster.now_s += 4.0
    watch.acknowledged()
    watch.acknowledged()
    assert len(caplog.records) == 3
    assert "acknowledged again, after 20 s" in caplog.text


def test_a_short_wait_is_nobodys_business(
    cluster: Cluster, watch: StallWatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        watch.waiting(7)
        cluster.now_s += 4.9
        watch.acknowledged()
        watch.waiting(0)
    assert not caplog.records


def test_what_is_over_before_the_answer_is_not_told(
    cluster: Cluster, watch: StallWatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.waiting(7)
    cluster.now_s += 6.0
    watch.waiting(7)
    watch.acknowledged()
    cluster.reasons.put("broker 1 does not answer")
    deadline = time.monotonic() + 30
    while not cluster.reasons.empty():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    # The next wait has its own reason, so the first answer is through by then.
    watch.waiting(3)
    cluster.now_s += 6.0
    while cluster.reasons.empty():
        cluster.reasons.put("broker 2 does not answer")
    while "broker 2" not in caplog.text:
        watch.waiting(3)
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert "broker 1" not in caplog.text
