"""``pbf-ray stores prune``: what is older than the retention of its table goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import data_dir_option, job_option, json_option, pass_invocation
from pbf_ray.cli.streams import say, write_json

if TYPE_CHECKING:
    from pbf_ray.jobs.retention import PrunedTable, SweptStore

__all__ = ["prune_command"]


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Only count what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@job_option
@data_dir_option
@json_option
@pass_invocation
def prune_command(invocation: Invocation, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove rows that were written longer ago than retention.* says; safe beside a running job.

    Raw tables count in days, features in months, reports in years. What is not set stays for ever.
    Also removes what killed writers have left in the stores of blobs, once it is a day old.
    """
    from pbf_ray.jobs.retention import plan_retention, prune, sweep

    settings = invocation.settings()
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here; give --yes, or --dry-run to look only")
    plan = plan_retention(settings, datetime.now(UTC))
    counted = list(prune(settings, plan, dry_run=True))
    left = list(sweep(settings, dry_run=True))
    rows, leftovers = sum(table.rows for table in counted), sum(one.leftovers for one in left)
    if not as_json:
        from pbf_ray.cli.render.stores import prune_view
        from pbf_ray.cli.render.text import show

        view = prune_view([table.to_plain() for table in counted], [one.to_plain() for one in left])
        show(view, sys.stdout)
    if dry_run or not (rows or leftovers):
        if as_json:
            write_json({"done": False, **_plain(counted, left)})
        else:
            say("nothing was removed")
        return
    wanted = f"{rows:,} rows and {leftovers:,} leftovers"
    if not yes and not click.confirm(f"Remove {wanted}?", err=True):
        say("nothing was removed")
        raise click.exceptions.Exit(1)
    removed = list(prune(settings, plan, dry_run=False))
    swept = list(sweep(settings, dry_run=False))
    if as_json:
        write_json({"done": True, **_plain(removed, swept)})
    else:
        rows, leftovers = sum(one.rows for one in removed), sum(one.leftovers for one in swept)
        say(f"{rows:,} rows and {leftovers:,} leftovers were removed")


def _plain(tables: Sequence[PrunedTable], left: Sequence[SweptStore]) -> dict[str, Any]:
    return {
        "tables": [table.to_plain() for table in tables],
        "blobs": [one.to_plain() for one in left],
    }
