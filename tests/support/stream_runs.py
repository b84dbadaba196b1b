"""Running the stream in tests: waiting for it, killing parts of it, checking what it wrote."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.status import job_status
from pbf_ray.jobs.stream import StreamJob
from support.oracle import ExpectedTables
from support.taking_turns import start_alone

__all__ = [
    "assert_results",
    "await_commit",
    "await_consumed",
    "await_verdict",
    "committed",
    "kill_worker",
    "settings_for",
    "start_driver",
]


def settings_for(
    broker: str,
    topic: str,
    path: Path,
    *,
    job: str = "equality",
    windows: int = 2,
    readers: int = 2,
    **stream: object,
) -> Settings:
    """Settings of a test's job; short epochs unless told otherwise."""
    return Settings(
        job={"name": job, "data_dir": path},
        kafka={"bootstrap_servers": broker, "topics": [topic]},
        stream={"epoch_interval_ms": 100, **stream},
        workers={"windows": windows, "readers": readers},
    )


def await_consumed(job: StreamJob, records: int, deadline_s: float = 240.0) -> None:
    """Wait until the job has committed so many records; an error of the job is raised."""
    end = time.monotonic() + deadline_s
    while (progress := job.progress()).consumed < records:
        assert job.wait(0.05) is None, f"the job ended early: {progress}"
        assert time.monotonic() < end, f"not in {deadline_s} s: {progress}"


def kill_worker(job: StreamJob, kind: str, number: int = 0, deadline_s: float = 120.0) -> int:
    """``kill -9`` of a reader, a window actor or the coordinator; gives its process id.

    One that was killed just before is replaced first: as long as it is not, nobody answers.
    """
    end = time.monotonic() + deadline_s
    while not (pids := _pids(job, kind)):
        assert time.monotonic() < end, f"no {kind} answers in {deadline_s} s"
        time.sleep(0.05)
    pid = pids[number % len(pids)]
    os.kill(pid, signal.SIGKILL)
    return pid


def _pids(job: StreamJob, kind: str) -> list[int]:
    from ray.exceptions import RayError  # Ray is set up by the job, before it is imported

    try:
        return job.pids().get(kind, [])
    except RayError:
        return []


def start_driver(
    settings: Settings, *arguments: str, before: Sequence[str] = (), output: Path | None = None
) -> subprocess.Popen[str]:
    """The main job as a process of its own, by the command line.

    Args:
        settings: What differs from the defaults is handed over: settings of the Kafka client by
            the environment, as passwords are, the others as options.
        arguments: Behind ``stream``.
        before: Before ``stream``.
        output: A file for what it writes; a pipe if not given.
    """
    defaults = dict(Settings().items())
    flags, environment = [], dict(os.environ)
    for key, value in settings.items(mask=False):
        if key.startswith("kafka.client."):
            name = key.removeprefix("kafka.client.").replace(".", "_").upper()
            environment[f"PBF_RAY_KAFKA__CLIENT__{name}"] = str(value)
        elif value != defaults.get(key):
            text = ",".join(value) if isinstance(value, list) else str(value)
            flags.append(f"--set={key}={text}")
    command = [sys.executable, "-m", "pbf_ray", *flags, *before, "stream", *arguments]
    with contextlib.ExitStack() as stack:
        place: Any = subprocess.PIPE
        if output is not None:
            place = stack.enter_context(output.open("w", encoding="utf-8"))
        with start_alone():  # what is starting now has started before it
            pass
        return subprocess.Popen(
            command,
            stdout=place,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=settings.job.data_dir,
            env=environment,
            start_new_session=True,
        )


def committed(settings: Settings) -> int:
    """Records that the job has committed, read from its checkpoint; 0 before the first commit."""
    if not any((settings.checkpoint_path / "manifests").glob("[0-9]*.json")):
        return 0
    books = Results(settings).books()
    return int(str(books["consumed"]))


def await_commit(
    driver: subprocess.Popen[str], settings: Settings, records: int, deadline_s: float = 240.0
) -> None:
    """Wait until a driver process has committed so many records; it must not end before."""
    end = time.monotonic() + deadline_s
    while committed(settings) < records:
        assert driver.poll() is None, driver.stdout and driver.stdout.read()
        assert time.monotonic() < end, f"not in {deadline_s} s: {records} records"
        time.sleep(0.02)


def await_verdict(settings: Settings, verdict: str, deadline_s: float = 60.0) -> None:
    """Wait until the status of the job says so."""
    end = time.monotonic() + deadline_s
    while (found := job_status(settings, ask_broker=False)).verdict != verdict:
        assert time.monotonic() < end, found
        time.sleep(0.1)


def assert_results(settings: Settings, wanted: ExpectedTables) -> None:
    """All tables equal the oracle's to the bit, and the books balance."""
    results = Results(settings)
    for name in OUTPUT_TABLES:
        wanted.assert_table(name, results.read(name))
    books = results.books()
    for name, count in {**wanted.books, "pending": 0}.items():
        assert books[name] == count, f"books: {name} is {books[name]}, expected {count}"
    assert books["consumed"] == sum(
        int(str(books[name]))
        for name in ("accepted", "dead_letters", "late", "dropped", "duplicates")
    )
