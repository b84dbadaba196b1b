"""Following a job to its end, and telling how it went."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from pbf_ray.cli.streams import write_json

if TYPE_CHECKING:
    from pbf_ray.cli.live import LiveProgress
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.config import Settings
    from pbf_ray.jobs.results import Results
    from pbf_ray.jobs.stream import JobResult
    from pbf_ray.streaming.progress import Progress

__all__ = [
    "FollowedJob",
    "follow",
    "next_steps",
    "plain_result",
    "report",
    "run_to_end",
    "write_result",
]

_POLL_S: Final = 0.2


class FollowedJob(Protocol):
    """What following needs of a job."""

    def start(self) -> object:
        """Begin."""

    def wait(self, timeout_s: float) -> JobResult | None:
        """The result, or None if the job has not ended in that time."""

    def progress(self) -> Progress:
        """Where the job is now."""

    def stop(self) -> None:
        """Finish the epoch, commit, end."""

    def close(self) -> None:
        """End at once whatever still runs."""


def run_to_end(job: FollowedJob) -> JobResult:
    """Start a job, show its progress on stderr, and follow it to its end.

    Raises:
        PbfRayError: The job failed.
        KeyboardInterrupt: A second signal came; everything is ended.
    """
    from pbf_ray.cli.live import LiveProgress
    from pbf_ray.cli.signals import StopSignals

    with StopSignals() as signals:
        try:
            with LiveProgress(sys.stderr) as shown:
                job.start()
                signals.renew()
                return follow(job, shown, signals)
        finally:
            job.close()


def follow(job: FollowedJob, shown: LiveProgress, signals: StopSignals) -> JobResult:
    """Show the progress of a started job until it has ended; stop it at a signal.

    Raises:
        PbfRayError: The job failed.
        KeyboardInterrupt: A second signal came.
    """
    stopping = False
    while (result := job.wait(_POLL_S)) is None:
        shown.update(job.progress().to_plain())
        if signals.received and not stopping:
            stopping = True
            shown.note("stopping: finishing the epoch and committing; again to stop at once")
            job.stop()
    return result


def plain_result(result: JobResult) -> dict[str, Any]:
    """The result as one flat object: the books first, as they are what is asked for most."""
    return {
        "job_id": result.job_id,
        "outcome": result.outcome,
        **result.books,
        "anomalies": sum(result.anomalies_by_type.values()),
        "layers": result.layers,
        "seconds": round(result.seconds, 3),
        "anomalies_by_type": dict(result.anomalies_by_type),
        "dead_letters_by_reason": dict(result.dead_letters_by_reason),
        "outputs": dict(result.outputs),
    }


def report(result: JobResult, settings: Settings, steps: Sequence[tuple[str, str]]) -> None:
    """Write the summary of a job to stdout, for people.

    Args:
        result: How the job ended.
        settings: The settings it ran with.
        steps: Commands to try next, each with what it shows.
    """
    from pbf_ray.cli.render.summary import summary_view
    from pbf_ray.cli.render.text import console_for, show

    width = console_for(sys.stdout).width
    results = _results(settings)
    reasons = {"dead_letters_by_reason": result.dead_letters_by_reason}
    plain = {**asdict(result), "books": {**reasons, **result.books}}
    view = summary_view(
        plain,
        layers=results.read("layer_quality").to_pylist() if result.layers else [],
        severities=_severities(settings),
        steps=steps,
        width=width,
    )
    show(view, sys.stdout, width=width)


def next_steps(settings: Settings, *, with_data_dir: bool) -> list[tuple[str, str]]:
    """Commands to try after a job, each with what it shows.

    Args:
        settings: The settings that the job ran with.
        with_data_dir: Whether the commands have to name the data folder.
    """
    job = settings.job.name
    folder = f" --data-dir {shlex.quote(str(settings.job.data_dir))}" if with_data_dir else ""
    steps = (
        ("layers", "every layer with its quality"),
        ("anomalies", "what was found, record by record"),
        ("dead-letters", "records that could not be used, and why"),
        ("quality --out quality.parquet", "rolling quality as a file"),
    )
    return [(f"pbf-ray results {what} --job {job}{folder}", shows) for what, shows in steps]


def _results(settings: Settings) -> Results:
    from pbf_ray.jobs.results import Results

    return Results(settings)


def _severities(settings: Settings) -> dict[str, str]:
    from pbf_ray.jobs.stream import load_profile

    profile = load_profile(settings.rules.profile)
    return {rule.anomaly_type: rule.severity for rule in profile.rules}


def write_result(result: JobResult) -> None:
    """Write the result as one JSON object, for programs."""
    write_json(plain_result(result))
