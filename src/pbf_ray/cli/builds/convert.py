"""``pbf-ray builds convert``: a build file in another format."""

from __future__ import annotations

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import json_option, pass_invocation
from pbf_ray.cli.streams import say, tell, write_json
from pbf_ray.errors import BuildFileError

__all__ = ["convert_command"]


@click.command("convert", short_help="Write a build file in another format.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False))
@click.option("--format", "format_name", metavar="NAME", help="Format of OUT [default: by suffix].")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the format, for example variant=ascii; docs/formats.md has them. Repeatable.",
)
@click.option("--allow-loss", is_flag=True, help="Leave out what OUT's format cannot hold.")
@json_option
@pass_invocation
def convert_command(
    invocation: Invocation,
    source: str,
    target: str,
    format_name: str | None,
    options: tuple[str, ...],
    allow_loss: bool,
    as_json: bool,
) -> None:
    """Write the build file IN as OUT, in the format of OUT's suffix.

    What that format cannot hold is named, and nothing is written unless --allow-loss is given.
    OUT appears when it is whole, or not at all.
    """
    from pbf_ray.batch.builds.opened import open_path
    from pbf_ray.batch.builds.tasks import ReadingOptions
    from pbf_ray.formats import write_build

    invocation.start_logs()
    chosen = dict(_option(text) for text in options)
    _, opened = open_path(source, ReadingOptions(on_damage="skip" if allow_loss else "fail"))
    try:
        report = write_build(
            opened.build, target, format=format_name, allow_loss=allow_loss, **chosen
        )
    except BuildFileError as error:
        if error.code != "not_representable" or allow_loss:
            raise
        raise BuildFileError(
            target,
            error.problem,
            code=error.code,
            advice="--allow-loss leaves it out; or choose another format",
        ) from error
    if as_json:
        facts = {key: value for key, value in vars(report).items() if key != "data"}
        write_json({"source": source, "target": target, **facts})
        return
    for what in report.lost:
        tell(f"left out: {what}")
    say(
        f"{target}: {report.format}, {report.layers:,} layers, {report.geometries:,} geometries, "
        f"{report.byte_count:,} bytes"
    )


def _option(text: str) -> tuple[str, str]:
    key, divided, value = text.partition("=")
    if not divided or not key.strip():
        raise click.UsageError(f"--option {text!r}: write --option key=value")
    return key.strip(), value
