"""The commands under ``pbf-ray stores``."""

from __future__ import annotations

import click

from pbf_ray.cli.stores.check import check_command
from pbf_ray.cli.stores.prune import prune_command

__all__ = ["stores_command"]


@click.group("stores")
def stores_command() -> None:
    """Check the stores, and remove what is old.

    Which store takes what, the settings under stores and tables say.
    """


for _command in (check_command, prune_command):
    stores_command.add_command(_command)
