"""``pbf-ray demo``: the main job on simulated machines, with nothing to install."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    data_dir_option,
    json_option,
    pass_invocation,
    setting_option,
)

if TYPE_CHECKING:
    from pbf_ray.config import Settings
    from pbf_ray.jobs.demo import DemoJob

__all__ = ["demo_command"]


@click.command("demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    help="How long the simulated machines send; their time runs faster.",
)
@click.option("--machines", type=click.IntRange(1, 99), default=2, show_default=True)
@click.option(
    "--layers", type=click.IntRange(min=4), default=12, show_default=True, help="Of each build."
)
@click.option("--seed", type=click.IntRange(min=0), default=2026, show_default=True)
@data_dir_option
@click.option(
    "--no-serve", is_flag=True, help="End when the job has ended; --json does so in any case."
)
@setting_option(
    "--port",
    key="http.port",
    type=click.IntRange(0, 65535),
    help="Port of the web page; 0 takes a free one.",
)
@json_option
@pass_invocation
def demo_command(
    invocation: Invocation,
    seconds: float,
    machines: int,
    layers: int,
    seed: int,
    no_serve: bool,
    as_json: bool,
) -> None:
    """Run the main job on simulated machines, in about a minute, then serve what it found.

    The machines send a short build, with faults in it, to an embedded Kafka broker; Ray actors
    read, decode, judge and window the records; the results land in embedded stores, in a folder
    of their own for each demo. At its end it serves them as a web page and an API, until Ctrl-C.
    """
    from pbf_ray.cli.following import next_steps, report, run_to_end, write_result

    loaded = invocation.load()
    invocation.start_logs()
    demo = _demo(loaded.settings, machines=machines, layers=layers, seconds=seconds, seed=seed)
    result = run_to_end(demo)
    if as_json:
        write_result(result)
        return
    given = loaded.sources["job.data_dir"].startswith("command line")
    steps = next_steps(demo.settings, with_data_dir=given)
    steps.append(("pbf-ray stream --bootstrap-servers HOST:PORT", "the same on your own Kafka"))
    report(result, demo.settings, steps)
    if not no_serve:
        # Nobody who has waited for the results is to lose the page to a port that is taken.
        _serve(demo.settings, or_any_port=loaded.sources["http.port"] == "default")


def _serve(settings: Settings, *, or_any_port: bool) -> None:
    from pbf_ray.cli.serve.group import serve_until_told

    serve_until_told(settings, or_any_port=or_any_port)


def _demo(settings: Settings, *, machines: int, layers: int, seconds: float, seed: int) -> DemoJob:
    from pbf_ray.jobs.demo import DemoJob, DemoScale

    return DemoJob(
        settings, DemoScale(machines=machines, layers=layers, seconds=seconds, seed=seed)
    )
