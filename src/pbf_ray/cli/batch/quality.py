"""``pbf-ray batch quality``: bounded records to the tables of the stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    job_option,
    json_option,
    output_option,
    pass_invocation,
    ray_address_option,
    setting_option,
    spark_master_option,
)
from pbf_ray.cli.streams import write_json

if TYPE_CHECKING:
    from pbf_ray.batch.quality import QualityProgress
    from pbf_ray.jobs.quality import QualityJob, QualityResult

__all__ = ["quality_command"]


@click.command("quality", short_help="Records to anomalies, rolling quality and layer results.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="PATH_OR_TOPIC",
    help="File, folder, pattern or URL; or kafka://TOPIC?start=...&end=...; repeatable.",
)
@output_option
@setting_option(
    "--engine",
    key="batch.engine",
    type=click.Choice(["ray", "local", "spark"]),
    help="Who works: Ray Data (the default), threads of this process, or Spark SQL.",
)
@setting_option(
    "--format",
    key="batch.format",
    type=click.Choice(["parquet", "delta"]),
    help="Folders of Parquet files (the default), or Delta Lake tables over them.",
)
@job_option
@setting_option(
    "--profile", key="rules.profile", metavar="NAME", help="Rule profile: default, or a TOML file."
)
@setting_option(
    "--split", key="batch.split_bytes", metavar="SIZE", help="Bytes of input per task: '32 MiB'."
)
@address_option
@ray_address_option
@spark_master_option
@json_option
@pass_invocation
def quality_command(
    invocation: Invocation, inputs: tuple[str, ...], output: str, as_json: bool
) -> None:
    """Read records that end, and write what the stream would write over them.

    Records are in JSON lines (also .gz), in Parquet (the fields of the record as columns, or a
    column value of raw records), or in topics: kafka://ispm-monitoring?start=2026-05-04T06:00Z,
    where start and end are earliest, latest, a time, or offsets such as 0:17,1:9.
    """
    from pbf_ray.jobs.quality import QualityJob

    settings = invocation.settings()
    invocation.start_logs(job=settings.job.name)
    result = _run(QualityJob(settings), inputs, output)
    if as_json:
        write_json(result.to_plain())
        return
    from pbf_ray.cli.render.batch import quality_view
    from pbf_ray.cli.render.text import show
    from pbf_ray.jobs.stream import load_profile

    rules = load_profile(settings.rules.profile).rules
    severities = {rule.anomaly_type: rule.severity for rule in rules}
    show(quality_view(result.to_plain(), severities), sys.stdout)


def _run(job: QualityJob, inputs: tuple[str, ...], output: str) -> QualityResult:
    if not sys.stderr.isatty():
        return job.run(inputs, output)
    from pbf_ray.cli.live import LiveProgress
    from pbf_ray.cli.render.batch import quality_line

    with LiveProgress(sys.stderr, line=quality_line) as shown:

        def take(progress: QualityProgress) -> None:
            shown.update(progress.to_plain())

        return job.run(inputs, output, take)
