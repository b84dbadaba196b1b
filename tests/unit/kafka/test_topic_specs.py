"""The topics: names and values that users bring along."""

from __future__ import annotations

import pytest

from pbf_ray.kafka.topic_specs import ALL_TOPICS, DEAD_LETTERS, ISPM_MONITORING, TopicSpec

DAY_MS = 24 * 60 * 60 * 1000


def test_the_replaced_stack_keeps_its_topics() -> None:
    kept = {
        (s.name, s.partitions, s.replication, s.retention_ms, s.compression, s.cleanup_policy)
        for s in ALL_TOPICS
        if not s.name.startswith("pbf-")
    }
    assert kept == {
        ("ispm-monitoring", 12, 3, 604_800_000, "snappy", "delete"),
        ("powder-bed-images", 8, 3, 2_592_000_000, "lz4", "delete"),
        ("process-parameters", 6, 3, 1_209_600_000, "snappy", "delete"),
    }
    assert {s.min_insync_replicas for s in ALL_TOPICS} == {2}


def test_our_own_topics() -> None:
    assert [s.name for s in ALL_TOPICS if s.name.startswith("pbf-")] == [
        "pbf-dead-letters",
        "pbf-late-records",
        "pbf-alerts",
    ]
    assert DEAD_LETTERS.retention_ms == 30 * DAY_MS


@pytest.mark.parametrize(
    ("brokers", "replication", "in_sync"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 3, 2)]
)
def test_a_small_cluster_can_lose_a_broker_and_still_write(brokers, replication, in_sync) -> None:
    clamped = ISPM_MONITORING.clamped(brokers)
    assert (clamped.replication, clamped.min_insync_replicas) == (replication, in_sync)
    assert clamped.partitions == ISPM_MONITORING.partitions


def test_clamping_leaves_what_fits_alone() -> None:
    asked = TopicSpec("t", 1, replication=1, min_insync_replicas=1)
    assert asked.clamped(1) is asked
    assert asked.config == {
        "retention.ms": "604800000",
        "compression.type": "snappy",
        "cleanup.policy": "delete",
        "min.insync.replicas": "1",
    }
