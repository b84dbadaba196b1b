"""``pbf-ray status``: how a job is, from outside."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    data_dir_option,
    job_option,
    json_option,
    pass_invocation,
)
from pbf_ray.cli.streams import write_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pbf_ray.config import Settings
    from pbf_ray.jobs.status import JobStatus

__all__ = ["status_command"]

_OVER: Final = frozenset({"finished", "stopped", "failed"})
_LIVING: Final = frozenset({"running", "hindered"})


@click.command("status")
@job_option
@data_dir_option
@address_option
@click.option("--watch", is_flag=True, help="Go on showing it, until it ends or Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often, with --watch.",
)
@click.option("--prometheus", is_flag=True, help="Write the metrics in Prometheus' text format.")
@click.option("--no-broker", is_flag=True, help="Do not ask the broker for the present ends.")
@json_option
@pass_invocation
def status_command(
    invocation: Invocation,
    watch: bool,
    interval: float,
    prometheus: bool,
    no_broker: bool,
    as_json: bool,
) -> None:
    """Show how a job is, live, without disturbing it.

    Ends with 1 if somebody should look: it waits, hangs, failed, or gives no sign of life.
    """
    from pbf_ray.jobs.status import job_status, prometheus_text

    if prometheus and (watch or as_json):
        raise click.UsageError("--prometheus goes alone")
    settings = invocation.settings()
    if prometheus:
        click.echo(prometheus_text(job_status(settings, ask_broker=not no_broker)), nl=False)
        return
    if watch:
        job = _watch(settings, interval, ask_broker=not no_broker, as_json=as_json)
    else:
        job = job_status(settings, ask_broker=not no_broker)
        _write(job, as_json=as_json)
    if not job.healthy:
        raise click.exceptions.Exit(1)


def _watch(settings: Settings, interval_s: float, *, ask_broker: bool, as_json: bool) -> JobStatus:
    from rich.live import Live

    from pbf_ray.cli.render.text import console_for
    from pbf_ray.jobs.status import job_status

    job = job_status(settings, ask_broker=ask_broker)
    console = console_for(sys.stdout)
    live = sys.stdout.isatty() and not as_json
    # On the alternate screen nothing of the past is scrolled; the last state is written below.
    shown = Live(console=console, screen=True, auto_refresh=False) if live else None
    try:
        if shown is not None:
            shown.start()
        while True:
            if shown is not None:
                shown.update(_view(job, console.width), refresh=True)
            else:
                _write(job, as_json=as_json)
            if job.verdict in _OVER:
                break
            time.sleep(interval_s)
            # A run that lives has looked itself, a moment ago.
            job = job_status(settings, ask_broker=ask_broker and job.verdict not in _LIVING)
    except KeyboardInterrupt:
        pass
    finally:
        if shown is not None:
            shown.stop()
            _write(job, as_json=False)
    return job


def _write(job: JobStatus, *, as_json: bool) -> None:
    if as_json:
        write_json(job.to_plain())
        sys.stdout.flush()
        return
    from pbf_ray.cli.render.text import console_for, show

    width = console_for(sys.stdout).width
    show(_view(job, width), sys.stdout, width=width)
    sys.stdout.flush()


def _view(job: JobStatus, width: int) -> RenderableType:
    from pbf_ray.cli.render.status import status_view

    return status_view(job.to_plain(), width=width)
