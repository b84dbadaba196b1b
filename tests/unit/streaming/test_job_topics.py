"""The topics of a job: the ones that the checkpoint knows, or none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pbf_ray.errors import TopicRecreatedError
from pbf_ray.streaming.job_topics import JobTopics
from pbf_ray.streaming.plan import PartitionId

PARTITION = PartitionId("t", 0)


class View:
    """One topic, whose identity and offsets the test sets."""

    def __init__(self) -> None:
        self.source, self.offsets, self.described = "cluster:first", (0, 40), 0

    def describe(self, **_: Any) -> Any:
        self.described += 1
        topic = SimpleNamespace(source_id=self.source)
        return SimpleNamespace(topics={"t": topic}, partitions=[("t", 0)])

    def ranges(self, partitions: list[PartitionId]) -> dict[tuple[str, int], tuple[int, int]]:
        return {("t", 0): self.offsets}


@pytest.fixture
def view() -> View:
    return View()


@pytest.fixture
def topics(view: View) -> JobTopics:
    return JobTopics(view, {"t": "cluster:first"}, "group")  # type: ignore[arg-type]


def test_a_topic_that_became_shorter_is_looked_at_at_once(view: View, topics: JobTopics) -> None:
    assert topics.held([PARTITION]) == {PARTITION: (0, 40)}
    view.offsets = (10, 60)
    assert topics.held([PARTITION]) == {PARTITION: (10, 60)}
    assert view.described == 0, "it grows and ages, as topics do"
    view.source, view.offsets = "cluster:second", (0, 7)
    with pytest.raises(TopicRecreatedError, match="deleted and made anew"):
        topics.held([PARTITION])


def test_a_topic_that_was_truncated_is_for_the_planner_to_judge(
    view: View, topics: JobTopics
) -> None:
    topics.held([PARTITION])
    view.offsets = (0, 7)
    assert topics.held([PARTITION]) == {PARTITION: (0, 7)}
    assert view.described == 1
