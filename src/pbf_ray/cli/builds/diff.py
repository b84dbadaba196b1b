"""``pbf-ray builds diff``: what differs between two build files."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import json_option, pass_invocation
from pbf_ray.cli.streams import write_json

__all__ = ["diff_command"]


@click.command("diff", short_help="Compare two build files.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--tolerance-um",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    metavar="UM",
    help="Heights and coordinates this close are the same.",
)
@click.option(
    "--on-damage",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What becomes of damaged layers: an error, or empty layers.",
)
@json_option
@pass_invocation
def diff_command(
    invocation: Invocation,
    first: str,
    second: str,
    tolerance_um: float,
    on_damage: str,
    as_json: bool,
) -> None:
    """Compare the build files A and B: layers, heights, geometries, coordinates, styles, models.

    Their formats may differ, and the default tolerance is that of single precision; 0 asks for
    the same bits. Ends with 0 if they are the same and with 1 if they are not.
    """
    from pbf_ray.batch.builds.opened import open_path
    from pbf_ray.batch.builds.tasks import ReadingOptions
    from pbf_ray.formats.comparing import compare_builds

    invocation.start_logs()
    options = ReadingOptions(on_damage="skip" if on_damage == "skip" else "fail")
    (_, a), (_, b) = open_path(first, options), open_path(second, options)
    compared = compare_builds(a.build, b.build, tolerance_mm=tolerance_um / 1000)
    if as_json:
        write_json({"a": first, "b": second, "same": compared.same, **asdict(compared)})
    else:
        from pbf_ray.cli.render.builds import differences_view
        from pbf_ray.cli.render.text import show

        show(differences_view(asdict(compared), tolerance_um=tolerance_um), sys.stdout)
    if not compared.same:
        raise click.exceptions.Exit(1)
