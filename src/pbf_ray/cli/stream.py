"""``pbf-ray stream``: the main job, from Kafka to rolling quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    data_dir_option,
    job_option,
    json_option,
    pass_invocation,
    ray_address_option,
    setting_option,
)
from pbf_ray.cli.reset import reset_command

if TYPE_CHECKING:
    from pbf_ray.cli.following import FollowedJob
    from pbf_ray.config import Settings

__all__ = ["stream_command"]


@click.group("stream", invoke_without_command=True)
@job_option
@address_option
@setting_option(
    "--topic", key="kafka.topics", multiple=True, metavar="NAME", help="Topic to read; repeatable."
)
@setting_option(
    "--until-end",
    key="stream.until_end",
    is_flag=True,
    flag_value=True,
    help="End when everything that is in the topics now is done.",
)
@setting_option(
    "--start-from",
    key="stream.start_from",
    type=click.Choice(["earliest", "latest"]),
    help="Where a new job starts; a job that ran before goes on from its checkpoint.",
)
@setting_option(
    "--mode",
    key="stream.mode",
    type=click.Choice(["watermark", "strict"]),
    help="watermark: as event time passes; strict: each layer whole.",
)
@setting_option(
    "--lateness", key="stream.allowed_lateness_s", metavar="SECONDS", help="Allowed lateness."
)
@setting_option(
    "--profile",
    key="rules.profile",
    metavar="NAME|FILE",
    help="Anomaly rules: a shipped profile or a TOML file.",
)
@data_dir_option
@setting_option("--readers", key="workers.readers", metavar="N", help="Reader actors.")
@setting_option("--windows", key="workers.windows", metavar="N", help="Window actors.")
@ray_address_option
@setting_option(
    "--accept-loss",
    key="stream.accept_loss",
    is_flag=True,
    flag_value=True,
    help="Note offsets that the broker no longer has, and go on.",
)
@json_option
@pass_invocation
@click.pass_context
def stream_command(ctx: click.Context, invocation: Invocation, as_json: bool) -> None:
    """Run the main job: read records, judge them, roll up quality, close layers.

    Goes on from its checkpoint. Ctrl-C or SIGTERM finishes the epoch, commits, and ends with 0;
    a second one stops at once, with nothing lost on restart.
    """
    if ctx.invoked_subcommand is not None:
        return
    from pbf_ray.cli.following import next_steps, report, run_to_end, write_result

    loaded = invocation.load()
    settings = loaded.settings
    invocation.start_logs(job=settings.job.name)
    result = run_to_end(_job(settings, invocation))
    if as_json:
        write_result(result)
        return
    given = loaded.sources["job.data_dir"].startswith("command line")
    report(result, settings, next_steps(settings, with_data_dir=given))


stream_command.add_command(reset_command)


def _job(settings: Settings, invocation: Invocation) -> FollowedJob:
    from pbf_ray.cli.broker import reach_broker, require_topics
    from pbf_ray.jobs.stream import StreamJob

    job = StreamJob(settings, log_level=invocation.level, log_json=invocation.log_json)
    # Starting Ray takes a while: what stands in the way is said before.
    require_topics(reach_broker(settings), settings.kafka.topics)
    return job
