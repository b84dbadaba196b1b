"""Checkpoints: what is written is what is read; what is damaged or not ours is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointMismatchError,
    CheckpointVersionError,
    FencedError,
    TopicRecreatedError,
)
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder, FileRef
from pbf_ray.streaming.event_time import EventTimeTracker, ReadSummary
from pbf_ray.streaming.manifest import JobIdentity, Manifest, SegmentRef, WindowFiles
from pbf_ray.streaming.plan import EpochPlan, LostRange, OffsetRange, PartitionId
from pbf_ray.streaming.semantics import StreamSemantics

IDENTITY = JobIdentity("job", 16, "watermark", {"t": "cluster:id"})
partitions = st.builds(PartitionId, st.sampled_from(["t", "ü"]), st.integers(0, 3))
offsets = st.integers(0, 2**63 - 1)
builds = st.none() | st.text(max_size=5).filter(lambda t: t.isprintable())
plans = st.builds(
    EpochPlan,
    epoch=st.just(1),
    clock_us=st.integers(0, 2**53),
    ranges=st.dictionaries(partitions, st.builds(OffsetRange, offsets, offsets), max_size=4),
    ends=st.dictionaries(partitions, offsets, max_size=4),
    begins=st.dictionaries(partitions, offsets, max_size=4),
    semantics=st.builds(
        StreamSemantics,
        mode=st.sampled_from(["watermark", "strict"]),
        allowed_lateness_s=st.floats(0, 1e9),
        dedup_key=st.none() | st.just("sensor_id"),
    ),
    final=st.booleans(),
    lost=st.lists(st.builds(LostRange, st.just("t"), st.just(0), offsets, offsets), max_size=2).map(
        tuple
    ),
)


@st.composite
def trackers(draw: st.DrawFn) -> EventTimeTracker:
    """A tracker that has been fed some epochs."""
    tracker = EventTimeTracker()
    position = dict.fromkeys([PartitionId("t", 0), PartitionId("t", 1)], 0)
    clock_us = 0
    for epoch in range(1, draw(st.integers(2, 6))):
        clock_us += draw(st.integers(0, 10**9))
        ranges = {}
        for where in position:
            more = draw(st.integers(0, 5))
            ranges[where] = OffsetRange(position[where], position[where] + more)
            position[where] += more
        plan = EpochPlan(
            epoch=epoch,
            clock_us=clock_us,
            ranges=ranges,
            ends={where: end + draw(st.integers(0, 2)) for where, end in position.items()},
            begins=dict.fromkeys(position, 0) if epoch == 1 else {},
            semantics=StreamSemantics(),
        )
        build = draw(builds)
        newest = draw(st.floats(-1e9, 1e9))
        tracker.advance(
            plan, ReadSummary({(build, PartitionId("t", 0)): newest}, {(build, 3): newest})
        )
    return tracker


@settings(max_examples=60, deadline=None)
@given(plan=plans)
def test_a_plan_survives_the_log(tmp_path_factory: pytest.TempPathFactory, plan: EpochPlan) -> None:
    log = CheckpointLog(CheckpointFolder(tmp_path_factory.mktemp("c")))
    log.start(IDENTITY)
    assert log.write_plan(plan)
    assert log.planned_after(0) == [plan]


@settings(max_examples=60, deadline=None)
@given(tracker=trackers(), counts=st.dictionaries(st.text(max_size=5), st.integers(0, 9)))
def test_a_commit_survives_the_log(
    tmp_path_factory: pytest.TempPathFactory, tracker: EventTimeTracker, counts: dict[str, int]
) -> None:
    log = CheckpointLog(CheckpointFolder(tmp_path_factory.mktemp("c")))
    log.start(IDENTITY)
    file = FileRef("states/x", 3, "ab")
    manifest = Manifest(
        epoch=7,
        run=1,
        clock_us=5,
        tracker=tracker,
        books=Books(consumed=3, accepted=3, anomalies_by_type=counts),
        windows=(WindowFiles((file,), (SegmentRef(file, 2, 9),)), WindowFiles()),
        lost=(LostRange("t", 0, 1, 2),),
        finished=True,
    )
    assert log.commit(manifest)
    found = log.last_commit()
    assert found is not None
    assert found.to_plain() == manifest.to_plain()
    assert found.windows == manifest.windows
    assert found.books == manifest.books
    assert tracker.copy().to_plain() == tracker.to_plain()


def test_only_one_of_two_may_plan_an_epoch_and_the_older_run_is_told(tmp_path: Path) -> None:
    older, newer = (CheckpointLog(CheckpointFolder(tmp_path)) for _ in range(2))
    plan = EpochPlan(1, 0, {}, {}, StreamSemantics())
    assert older.start(IDENTITY) == 1
    assert older.write_plan(plan)
    assert newer.start(IDENTITY) == 2
    assert not newer.write_plan(plan), "the log has it already"
    with pytest.raises(FencedError, match="run 2 has taken over from run 1"):
        older.write_plan(EpochPlan(2, 0, {}, {}, StreamSemantics()))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"job_id": "else"}, CheckpointMismatchError, "belongs to job 'job'"),
        ({"buckets": 8}, CheckpointMismatchError, "workers.buckets = 16"),
        ({"mode": "strict"}, CheckpointMismatchError, "stream.mode = watermark"),
        ({"sources": {"u": "cluster:id"}}, CheckpointMismatchError, "topics"),
        ({"sources": {"t": "cluster:new"}}, TopicRecreatedError, "made anew"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    change: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    CheckpointLog(CheckpointFolder(tmp_path)).start(IDENTITY)
    with pytest.raises(error, match=said):
        CheckpointLog(CheckpointFolder(tmp_path)).start(replace(IDENTITY, **change))


def test_damage_is_found(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    log = CheckpointLog(folder)
    log.start(IDENTITY)
    log.write_plan(EpochPlan(1, 0, {}, {}, StreamSemantics()))
    path = tmp_path / "plans/000000000001.json"
    path.write_bytes(path.read_bytes().replace(b'"clock_us":0', b'"clock_us":1'))
    with pytest.raises(CheckpointCorruptError, match=r"000000000001\.json: checksum differs"):
        log.planned_after(0)
    path.write_bytes(b"\x00")
    with pytest.raises(CheckpointCorruptError, match="not a file of a pbf_ray checkpoint"):
        log.planned_after(0)
    path.write_text(json.dumps({"pbf_ray_checkpoint": 2}) + "\n{}\n")
    with pytest.raises(CheckpointVersionError, match="has format 2"):
        log.planned_after(0)
    reference = folder.write("states/a", lambda file: file.write(b"abc") and None)
    assert reference is not None
    (tmp_path / "states/a").write_bytes(b"abd")
    with pytest.raises(CheckpointCorruptError, match="checksum differs"):
        folder.verify(reference)


def test_places_without_conditional_create_are_refused() -> None:
    with pytest.raises(CheckpointError, match="only local folders"):
        CheckpointFolder("s3://bucket/job")


def test_minus_infinity_survives() -> None:
    tracker = EventTimeTracker()
    plan = EpochPlan(
        1, 0, {PartitionId("t", 0): OffsetRange(0, 1)}, {PartitionId("t", 0): 5},
        StreamSemantics(), begins={PartitionId("t", 0): 0},
    )  # fmt: skip
    tracker.advance(plan, ReadSummary({("B", PartitionId("t", 0)): 1.0}))
    again = EventTimeTracker.from_plain(json.loads(json.dumps(tracker.to_plain())))
    assert again.watermark("B") == -math.inf
