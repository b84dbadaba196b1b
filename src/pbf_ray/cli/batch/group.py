"""The commands under ``pbf-ray batch``."""

from __future__ import annotations

import click

from pbf_ray.cli.batch.quality import quality_command

__all__ = ["batch_command"]


@click.group("batch")
def batch_command() -> None:
    """Run the main job once over files, or over a range of a topic."""


batch_command.add_command(quality_command)
