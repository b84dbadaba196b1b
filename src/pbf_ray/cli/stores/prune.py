"""``pbf-ray stores prune``: what is older than the retention of its table goes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import data_dir_option, job_option, json_option, pass_invocation
from pbf_ray.cli.streams import say, write_json

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
    """
    from pbf_ray.jobs.retention import plan_retention, prune

    settings = invocation.settings()
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here; give --yes, or --dry-run to look only")
    plan = plan_retention(settings, datetime.now(UTC))
    counted = list(prune(settings, plan, dry_run=True))
    rows = sum(table.rows for table in counted)
    if not as_json:
        from pbf_ray.cli.render.stores import prune_view
        from pbf_ray.cli.render.text import show

        show(prune_view([table.to_plain() for table in counted]), sys.stdout)
    if dry_run or not rows:
        if as_json:
            write_json({"done": False, "tables": [table.to_plain() for table in counted]})
        else:
            say("nothing was removed" if dry_run or plan else "set retention.* first")
        return
    if not yes and not click.confirm(f"Remove {rows:,} rows?", err=True):
        say("nothing was removed")
        raise click.exceptions.Exit(1)
    removed = list(prune(settings, plan, dry_run=False))
    if as_json:
        write_json({"done": True, "tables": [table.to_plain() for table in removed]})
    else:
        say(f"{sum(table.rows for table in removed):,} rows were removed")
