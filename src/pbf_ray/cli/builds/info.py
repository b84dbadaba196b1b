"""``pbf-ray builds info``: what a build file holds."""

from __future__ import annotations

import sys

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import json_option, pass_invocation
from pbf_ray.cli.streams import write_json

__all__ = ["info_command"]


@click.command("info", short_help="Say what a build file holds.")
@click.argument("file")
@click.option("--full", is_flag=True, help="Read all layers: counts by kind, bounding box, damage.")
@json_option
@pass_invocation
def info_command(invocation: Invocation, file: str, full: bool, as_json: bool) -> None:
    """Say what the build file FILE holds: layers, heights, models, styles, what is wrong with it.

    What its header and its index say, which is quick; with --full, what its layers say. What
    can be read of a damaged file is shown, and the command ends with 1.
    """
    from pbf_ray.batch.builds.describing import describe_build
    from pbf_ray.batch.builds.opened import open_path
    from pbf_ray.batch.builds.tasks import ReadingOptions

    invocation.start_logs()
    found, opened = open_path(file, ReadingOptions(on_damage="skip"))
    facts = describe_build(found, opened.build, full=full)
    if as_json:
        write_json(facts)
    else:
        from pbf_ray.cli.render.build_facts import facts_view
        from pbf_ray.cli.render.text import console_for, show

        width = console_for(sys.stdout).width
        show(facts_view(facts, width=width), sys.stdout, width=width)
    if facts["damage"]:
        raise click.exceptions.Exit(1)
