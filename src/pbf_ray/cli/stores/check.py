"""``pbf-ray stores check``: each store of the routes, and what to do where one does not answer."""

from __future__ import annotations

import sys

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import data_dir_option, job_option, json_option, pass_invocation
from pbf_ray.cli.streams import write_json

__all__ = ["check_command"]


@click.command("check")
@job_option
@data_dir_option
@json_option
@pass_invocation
def check_command(invocation: Invocation, as_json: bool) -> None:
    """Reach every store and write to it; say what is wrong and how to mend it.

    Ends with 1 if a store cannot be used.
    """
    from pbf_ray.jobs.store_checks import check_stores

    settings = invocation.settings()
    checks = []
    for check in check_stores(settings):
        checks.append(check)
        if not as_json:
            from pbf_ray.cli.render.stores import store_line
            from pbf_ray.cli.render.text import show

            show(store_line(check.to_plain()), sys.stdout)
            sys.stdout.flush()
    failed = [check for check in checks if not check.ok]
    if as_json:
        write_json({"ok": not failed, "stores": [check.to_plain() for check in checks]})
    else:
        from pbf_ray.cli.render.stores import stores_verdict
        from pbf_ray.cli.render.text import show

        show(stores_verdict([check.to_plain() for check in checks]), sys.stdout)
    if failed:
        raise click.exceptions.Exit(1)
