"""The verdict on a job, from what it said last."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.errors import PbfRayError
from pbf_ray.jobs.status import job_status, prometheus_text
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.status import PartitionStanding, RunFacts, Status, write_status
from pbf_ray.streaming.vitals import NO_BROKER

NOW_S = 1_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(job={"name": "job", "data_dir": tmp_path})
    settings.checkpoint_path.mkdir(parents=True)
    return settings


@pytest.fixture(scope="module")
def dead_pid() -> int:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


def said(state: str, *, age_s: float = 0.5, hangs_s: float = 0.0, **more: Any) -> Status:
    heartbeat_us = int((NOW_S - age_s) * 1e6)
    return Status(
        facts=more.pop("facts", RunFacts()),
        progress=Progress(job_id="job", state=state, run=3, consumed=7, accepted=7),
        heartbeat_us=heartbeat_us,
        turned_us=heartbeat_us - int(hangs_s * 1e6),
        partitions=(PartitionStanding("t", 0, 5, 9, 4),),
        **more,
    )


def judged(settings: Settings, status: Status) -> Any:
    write_status(settings.checkpoint_path, status)
    return job_status(settings, ask_broker=False, clock_s=NOW_S)


@pytest.mark.parametrize(
    ("status", "verdict", "healthy"),
    [
        (said("running"), "running", True),
        (said("recovering", hangs_s=500.0), "running", True),
        (said(NO_BROKER), "hindered", False),
        (said("paused"), "hindered", False),
        (said("running", hangs_s=500.0), "hanging", False),
        (said("running", age_s=60.0), "silent", False),
        (said(NO_BROKER, age_s=60.0), "silent", False),
        (said("stopped", age_s=1e6), "stopped", True),
        (said("finished", age_s=1e6), "finished", True),
        (said("failed", error={"type": "E", "what": "it broke", "advice": ""}), "failed", False),
    ],
)
def test_the_verdict(settings: Settings, status: Status, verdict: str, healthy: bool) -> None:
    job = judged(settings, status)
    assert (job.verdict, job.healthy) == (verdict, healthy)
    assert job.explanation
    assert (job.lag, job.lag_from) == (4, "run")


def test_a_process_that_is_gone_is_seen_before_its_heartbeat_is_old(
    settings: Settings, dead_pid: int
) -> None:
    job = judged(settings, said("running", facts=RunFacts(pid=dead_pid, driver_pid=dead_pid)))
    assert job.verdict == "silent"
    assert f"(process {dead_pid} on {socket.gethostname()}) is gone" in job.explanation
    # A driver that lives replaces its coordinator; for a while that is what one waits for.
    replaced = RunFacts(pid=dead_pid, driver_pid=os.getpid())
    assert judged(settings, said("running", facts=replaced)).verdict == "hindered"
    assert judged(settings, said("running", facts=replaced, age_s=90)).verdict == "silent"
    # On another machine its number says nothing.
    elsewhere = RunFacts(pid=dead_pid, host="elsewhere", driver_pid=dead_pid)
    assert judged(settings, said("running", facts=elsewhere)).verdict == "running"


def test_metrics_of_a_job_that_is_gone_say_so(settings: Settings) -> None:
    assert 'pbf_ray_up{job="job"} 0.0' in prometheus_text(
        judged(settings, said("running", age_s=60))
    )
    living = judged(settings, said("running", facts=RunFacts(pid=os.getpid())))
    assert 'pbf_ray_up{job="job"} 1.0' in prometheus_text(living)


def test_a_broker_that_is_away_is_a_note_not_an_error(settings: Settings) -> None:
    settings = settings.replace({"kafka.connect_timeout_s": 0.2})
    write_status(settings.checkpoint_path, said("stopped"))
    with pytest.MonkeyPatch.context() as patch:
        from pbf_ray.errors import BrokerUnavailableError
        from pbf_ray.kafka import client

        def away(*_: Any, **__: Any) -> None:
            raise BrokerUnavailableError("nowhere:1", "no answer")

        patch.setattr(client, "wait_for_broker", away)
        job = job_status(settings, clock_s=NOW_S)
    assert job.lag_from == "run"
    assert "nowhere:1" in job.broker_problem
    assert job.partitions == said("stopped").partitions


def test_a_job_that_never_ran_is_said_to_have_never_run(settings: Settings) -> None:
    with pytest.raises(PbfRayError, match="has never run"):
        job_status(settings, ask_broker=False)
