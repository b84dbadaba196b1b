"""The commands under ``pbf-ray builds``."""

from __future__ import annotations

import click

from pbf_ray.cli.builds.convert import convert_command
from pbf_ray.cli.builds.diff import diff_command
from pbf_ray.cli.builds.info import info_command
from pbf_ray.cli.builds.parse import parse_command
from pbf_ray.cli.builds.plot import plot_command

__all__ = ["builds_command"]


@click.group("builds")
def builds_command() -> None:
    """Read, look at, convert, draw and compare build files.

    CLI, CLI+, EOS SLI, ILT, MTT, SLM, OVF and scan XML; what a file is, its bytes say.
    """


for _command in (parse_command, info_command, convert_command, plot_command, diff_command):
    builds_command.add_command(_command)
