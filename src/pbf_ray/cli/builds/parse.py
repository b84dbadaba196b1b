"""``pbf-ray builds parse``: build files to Parquet tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    json_option,
    output_option,
    pass_invocation,
    ray_address_option,
    setting_option,
    spark_master_option,
)
from pbf_ray.cli.streams import write_json

if TYPE_CHECKING:
    from pbf_ray.batch.builds import BuildsProgress
    from pbf_ray.jobs.builds import BuildsJob, BuildsResult

__all__ = ["parse_command"]

_NOT_ALL_READ = 3


@click.command("parse", short_help="Read build files, and write their tables as Parquet.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@output_option
@setting_option(
    "--engine",
    key="builds.engine",
    type=click.Choice(["ray", "local", "spark"]),
    help="Who reads: Ray Data (the default), threads of this process, or Spark.",
)
@setting_option(
    "--on-damage",
    key="builds.on_damage",
    type=click.Choice(["fail", "skip"]),
    help="A damaged file is left out (fail, the default), or its damaged layers are (skip).",
)
@setting_option(
    "--split", key="builds.split_bytes", metavar="SIZE", help="Bytes of a file per task: '64 MiB'."
)
@ray_address_option
@spark_master_option
@json_option
@pass_invocation
def parse_command(
    invocation: Invocation, paths: tuple[str, ...], output: str, as_json: bool
) -> None:
    """Read the build files that PATH... names, and write their tables as Parquet.

    PATH is a file, a folder (with all below it), a pattern or a URL. The output has a folder
    per table, and in it one per build; the tables files and errors say what became of every
    file. A bad file does not stop the others: the command then ends with 3.
    """
    from pbf_ray.jobs.builds import BuildsJob

    settings = invocation.settings()
    invocation.start_logs()
    result = _run(BuildsJob(settings), paths, output)
    if as_json:
        write_json(result.to_plain())
    else:
        from pbf_ray.cli.render.builds import parsed_view
        from pbf_ray.cli.render.text import show

        show(parsed_view(result.to_plain()), sys.stdout)
    if not result.whole:
        raise click.exceptions.Exit(_NOT_ALL_READ)


def _run(job: BuildsJob, paths: tuple[str, ...], output: str) -> BuildsResult:
    if not sys.stderr.isatty():
        return job.run(paths, output)
    from pbf_ray.cli.live import LiveProgress
    from pbf_ray.cli.render.builds import parsing_line

    with LiveProgress(sys.stderr, line=parsing_line) as shown:

        def take(progress: BuildsProgress) -> None:
            plain: dict[str, Any] = progress.to_plain()
            shown.update(plain)

        return job.run(paths, output, take)
