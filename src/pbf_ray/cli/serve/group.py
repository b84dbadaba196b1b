"""``pbf-ray serve``: the server itself, and what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    data_dir_option,
    job_option,
    json_option,
    ray_address_option,
    setting_option,
)
from pbf_ray.cli.serve.token import token_command
from pbf_ray.cli.streams import tell, write_json

if TYPE_CHECKING:
    from pbf_ray.config import Settings

__all__ = ["serve_command", "serve_until_told"]


@click.group("serve", invoke_without_command=True)
@setting_option("--host", key="http.host", metavar="ADDRESS", help="Address to listen on.")
@setting_option(
    "--port", key="http.port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@setting_option(
    "--build-files",
    key="http.build_files",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of build files, each named as its build: M01-B001.cli.",
)
@setting_option(
    "--replicas", key="http.replicas", type=click.IntRange(min=1), help="Processes that answer."
)
@job_option
@data_dir_option
@ray_address_option
@json_option
@click.pass_context
def serve_command(ctx: click.Context, as_json: bool) -> None:
    """Serve what a job has written, live, as a web page and an API, until Ctrl-C.

    Listens on this machine only unless --host says otherwise; from elsewhere nobody comes in
    without a token (pbf-ray serve token add).
    """
    if ctx.invoked_subcommand is not None:
        return
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101 - the group has made it
    invocation.start_logs()
    serve_until_told(invocation.settings(), as_json=as_json)


def serve_until_told(
    settings: Settings, *, as_json: bool = False, or_any_port: bool = False
) -> None:
    """Serve, say where, and end at a signal.

    Args:
        settings: The settings of the job, and of how it is served.
        as_json: Say where as a JSON object.
        or_any_port: Take a free port if the one of the settings is taken.

    Raises:
        PbfRayError: The address cannot be used.
    """
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.http.security import on_this_machine
    from pbf_ray.http.serving import serve_results

    with StopSignals() as signals:
        tell(f"starting to serve job {settings.job.name} ...")
        serving = serve_results(settings, or_any_port=or_any_port)
        signals.renew()
        try:
            if as_json:
                write_json({"address": serving.address, "job_id": settings.job.name})
            else:
                click.echo(f"serving job {settings.job.name} at {serving.address}")
                click.echo("Ctrl-C ends it")
            if not on_this_machine(settings.http.host):
                tell("callers need a token: pbf-ray serve token add NAME")
            while not signals.asked.wait(0.5):
                pass
            tell("ending: requests that run are answered first")
        finally:
            serving.close()


serve_command.add_command(token_command)
