"""``pbf-ray builds plot``: a layer as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import json_option, pass_invocation
from pbf_ray.cli.streams import say, write_json
from pbf_ray.errors import PbfRayError

__all__ = ["plot_command"]


@click.command("plot", short_help="Draw a layer.")
@click.argument("file")
@click.option(
    "--layer", type=click.IntRange(min=0), required=True, metavar="N", help="Number, from 0."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The picture: .png, .pdf or .svg.",
)
@click.option(
    "--by",
    type=click.Choice(["kind", "power", "speed", "model", "laser", "order"]),
    default="kind",
    show_default=True,
    help="What the colours say.",
)
@json_option
@pass_invocation
def plot_command(
    invocation: Invocation, file: str, layer: int, out: Path, by: str, as_json: bool
) -> None:
    """Draw the layer N of the build file FILE, in millimetres and true to shape.

    Needs the extra plot: pip install 'pbf_ray[plot]'.
    """
    from pbf_ray.batch.builds.opened import open_path
    from pbf_ray.batch.builds.tasks import ReadingOptions
    from pbf_ray.cli.render.layer_plot import SUFFIXES, draw_layer

    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--out {out}: the name should end in {', '.join(SUFFIXES)}")
    invocation.start_logs()
    _, opened = open_path(file, ReadingOptions(on_damage="skip"))
    build = opened.build
    if layer >= len(build):
        raise PbfRayError(
            f"{file} has {len(build)} layers, and no layer {layer}",
            advice=f"name one of 0 to {len(build) - 1}" if len(build) else "it has none to draw",
        )
    drawn = draw_layer(build, layer, out, by=by)
    if as_json:
        write_json({"file": file, "layer": layer, "out": str(out.absolute()), "by": by, **drawn})
    else:
        say(f"{out}: layer {layer} with {drawn['geometries']:,} geometries, by {by}")
