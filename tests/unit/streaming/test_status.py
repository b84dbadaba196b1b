"""What a run says of itself: the file, the heartbeat, the metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pbf_ray.errors import CheckpointCorruptError, StreamError
from pbf_ray.streaming import heartbeat as heartbeat_module
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.copies import CopyStanding
from pbf_ray.streaming.heartbeat import Heartbeat, MetricsOutputs
from pbf_ray.streaming.manifest import JobIdentity
from pbf_ray.streaming.metrics import METRICS, metrics_text
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.status import RunFacts, Status, read_status, take_status, write_status
from pbf_ray.streaming.vitals import NO_BROKER, NO_STORE, STAGES, Vitals
from support.memory_world import SOURCES, MemoryStores, MemoryTopics, Steps, stream

IDENTITY = JobIdentity("job", 16, "watermark", SOURCES)


def ran(path: Path) -> Vitals:
    """The notes of a run that has read 40 records of two builds, and left 3 unread."""
    topics, stores = MemoryTopics(2), MemoryStores()
    steps = Steps(stream(topics, stores, path, semantics=StreamSemantics(allowed_lateness_s=5.0)))
    for number in range(40):
        record = {"timestamp": float(number), "temperature": 1600.0, "build_id": "AB"[number % 2]}
        topics.send(number % 2, b"{" if number == 7 else json.dumps(record).encode())
    steps.settle()
    for _ in range(3):
        topics.send(1, b"{}")
    vitals = steps.pipeline._vitals
    vitals.looked(topics.held(topics.partitions()))
    return vitals


@pytest.fixture(scope="module")
def vitals(tmp_path_factory: pytest.TempPathFactory) -> Vitals:
    return ran(tmp_path_factory.mktemp("checkpoint"))


COPIES = (CopyStanding("dead_letters", "topic", 3, 2, 1, "the topic is missing"),)


@pytest.fixture
def status(vitals: Vitals) -> Status:
    return take_status(vitals, RunFacts(group_id="g"), COPIES, clock_us=100_000_000)


def test_it_says_what_the_run_has_done(status: Status) -> None:
    assert [(p.partition, p.position, p.end, p.lag) for p in status.partitions] == [
        (0, 20, 20, 0),
        (1, 20, 23, 3),
    ]
    assert status.progress.lag == 3
    assert (status.progress.consumed, status.progress.dead_letters) == (40, 1)
    # A is at 38, B at 39, and 5 s of lateness go off; the clock stands at 100 s.
    assert [(b.build_id, b.watermark, b.delay_s, b.phase) for b in status.builds] == [
        ("A", 33.0, 67.0, "active"),
        ("B", 34.0, 66.0, "active"),
    ]
    assert status.watermark_delay_s == 67.0
    assert status.stages.keys() == STAGES.keys()
    assert status.epochs >= 1
    for name, spent in status.stages.items():
        assert spent["total_s"] > 0, name
        assert spent["recent_s"] <= spent["total_s"]


def test_the_file_comes_back_as_it_was(status: Status, tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    write_status(tmp_path, status)
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert [file.name for file in tmp_path.iterdir()] == ["status.json"]


def test_a_field_of_another_version_is_passed_over(status: Status, tmp_path: Path) -> None:
    plain = status.to_plain() | {"of_tomorrow": 1}
    plain["progress"]["of_tomorrow"] = plain["partitions"][0]["of_tomorrow"] = 2
    del plain["stages"]
    (tmp_path / "status.json").write_text(json.dumps(plain))
    assert read_status(tmp_path) == replace(status, stages={})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": 1, "progress": 2}'])
def test_what_is_no_status_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(CheckpointCorruptError, match="is no status"):
        read_status(tmp_path)


def test_waits_are_counted_and_timed() -> None:
    vitals = Vitals("job", 1)
    vitals.say("running")
    for _ in range(2):
        vitals.say(NO_BROKER)
        vitals.say(NO_BROKER)
        time.sleep(0.01)
        vitals.say_running(NO_STORE)  # not what it waits for
        assert vitals.progress().state == NO_BROKER
        vitals.say_running(NO_BROKER)
    vitals.say(NO_STORE)
    time.sleep(0.01)
    waits = vitals.waits()
    assert (waits["broker"].count, waits["store"].count) == (2, 1)
    assert waits["broker"].total_s >= 0.02
    assert waits["store"].total_s >= 0.01, "the present one counts too"


# -- metrics -------------------------------------------------------------------------------


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_can_read_the_metrics(status: Status) -> None:
    text = metrics_text(status)
    found = samples(text)
    job = ("job", "job")
    assert found["pbf_ray_up", (job,)] == 1
    assert found["pbf_ray_records_consumed_total", (job,)] == 40
    assert found["pbf_ray_records_total", (job, ("outcome", "dead_letters"))] == 1
    place = (job, ("partition", "1"), ("topic", "ispm"))
    assert found["pbf_ray_partition_lag", place] == 3
    assert found["pbf_ray_watermark_delay_seconds", (job,)] == 67
    assert found["pbf_ray_copies_hindered", (job, ("table", "dead_letters"))] == 1
    told = {name.removesuffix("_total") for name, _ in found}
    assert told == {spec.name for spec in METRICS}
    for spec in METRICS:
        assert f"# HELP {spec.name}" in text
    ended = replace(status, progress=replace(status.progress, state="failed"))
    assert samples(metrics_text(ended))["pbf_ray_up", (job,)] == 0


# -- the heartbeat -------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CheckpointLog:
    monkeypatch.setattr(heartbeat_module, "BEAT_S", 0.01)
    log = CheckpointLog(CheckpointFolder(tmp_path / "checkpoint"))
    log.start(IDENTITY)
    return log


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_it_beats_until_it_is_ended(log: CheckpointLog, tmp_path: Path) -> None:
    vitals, file = Vitals("job", log.run), tmp_path / "deep" / "pbf.prom"
    beats = Heartbeat(log, vitals, RunFacts(), metrics=MetricsOutputs(file))
    beats.start()
    first = read_status(log.folder.path)
    assert first is not None
    until(lambda: read_status(log.folder.path).heartbeat_us > first.heartbeat_us)
    vitals.say("finished")
    beats.end()
    last = read_status(log.folder.path)
    assert (last.progress.state, last.error) == ("finished", None)
    assert samples(file.read_text())["pbf_ray_up", (("job", "job"),)] == 0


def test_the_log_gets_a_line_now_and_then(
    log: CheckpointLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="pbf_ray")
    beats = Heartbeat(log, Vitals("job", log.run), RunFacts(), report_every_s=0.02)
    beats.start()
    until(lambda: sum("where the job stands" in line.message for line in caplog.records) >= 2)
    beats.end()
    rare = Heartbeat(log, Vitals("job", log.run), RunFacts(), report_every_s=1e6)
    caplog.clear()
    first = read_status(log.folder.path)
    rare.start()
    until(lambda: read_status(log.folder.path).heartbeat_us > first.heartbeat_us)
    assert not caplog.records
    rare.end()
    (last,) = caplog.records
    assert last.message == "where the job stands", "and one at the end"


def test_an_error_is_told(log: CheckpointLog) -> None:
    beats = Heartbeat(log, Vitals("job", log.run), RunFacts())
    beats.start()
    beats.end(StreamError("it broke", advice="mend it"))
    last = read_status(log.folder.path)
    assert last.progress.state == "failed"
    assert last.error == {"type": "StreamError", "what": "it broke", "advice": "mend it"}


def test_a_run_that_is_fenced_falls_silent(log: CheckpointLog) -> None:
    older = Heartbeat(log, Vitals("job", log.run), RunFacts())
    older.start()
    newer_log = CheckpointLog(CheckpointFolder(log.folder.path))
    newer_log.start(IDENTITY)
    newer = Heartbeat(newer_log, Vitals("job", newer_log.run), RunFacts())
    newer.start()
    until(lambda: not older._thread.is_alive())
    older.end(StreamError("fenced"))
    assert read_status(log.folder.path).progress.run == newer_log.run
    assert read_status(log.folder.path).error is None
    newer.end()


def test_a_metrics_file_that_cannot_be_written_does_not_stop_the_heart(
    log: CheckpointLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    outputs = MetricsOutputs(tmp_path / "file" / "pbf.prom")
    beats = Heartbeat(log, Vitals("job", log.run), RunFacts(), metrics=outputs)
    beats.start()
    first = read_status(log.folder.path)
    until(lambda: read_status(log.folder.path).heartbeat_us > first.heartbeat_us)
    beats.end()
    assert len([line for line in caplog.records if "metrics cannot be shown" in line.message]) == 1
