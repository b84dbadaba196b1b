"""``pbf-ray stream reset``: a stopped job goes on elsewhere."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    data_dir_option,
    job_option,
    json_option,
    pass_invocation,
)
from pbf_ray.cli.streams import say, tell, write_json

__all__ = ["reset_command"]


@click.command("reset")
@click.option(
    "--to",
    required=True,
    metavar="earliest|latest|TIME|OFFSETS",
    help="TIME: ISO 8601, UTC, by Kafka's timestamps. OFFSETS: 0:1200,1:1300 (partition:offset).",
)
@click.option(
    "--clear-outputs",
    is_flag=True,
    help="Remove the rows of the job and begin anew; needed to go back.",
)
@click.option("--dry-run", is_flag=True, help="Only show what it would do.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@job_option
@address_option
@data_dir_option
@json_option
@pass_invocation
def reset_command(
    invocation: Invocation, to: str, clear_outputs: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Set a stopped job to other offsets; shows what it will do, and asks.

    Forward, the records between are noted as skipped, and everything else stays. Back, they would
    be read twice: so the rows of the job are removed (--clear-outputs), and it begins anew there.
    """
    from pbf_ray.cli.broker import reach_broker, require_topics
    from pbf_ray.jobs.reset import StreamReset

    settings = invocation.settings()
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here; give --yes, or --dry-run to look only")
    require_topics(reach_broker(settings), settings.kafka.topics)
    reset = StreamReset(settings)
    if not dry_run:
        reset.require_stopped()
    preview = reset.preview(to, clear_outputs=clear_outputs)
    if not as_json:
        from pbf_ray.cli.render.reset import reset_view
        from pbf_ray.cli.render.text import console_for, show

        width = console_for(sys.stdout).width
        show(reset_view(preview.to_plain(), width=width), sys.stdout, width=width)
    if dry_run or preview.nothing:
        if as_json:
            write_json({**preview.to_plain(), "done": False})
        else:
            tell("nothing was changed")
        return
    if not yes and not click.confirm("Do it?", err=True):
        say("nothing was changed")
        raise click.exceptions.Exit(1)
    result = reset.apply(preview, clear_outputs=clear_outputs)
    if as_json:
        write_json({**preview.to_plain(), **asdict(result), "done": True})
        return
    say("done; pbf-ray stream goes on from there")
    if result.group_problem:
        tell(f"the consumer group was not told: {result.group_problem}")
