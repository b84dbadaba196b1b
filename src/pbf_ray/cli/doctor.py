"""``pbf-ray doctor``: what is missing, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import address_option, data_dir_option, json_option, pass_invocation
from pbf_ray.cli.streams import write_json
from pbf_ray.errors import InputFileError, SettingError

if TYPE_CHECKING:
    from pbf_ray.cli.checks import Check

__all__ = ["doctor_command"]


@click.command("doctor")
@address_option
@data_dir_option
@json_option
@pass_invocation
def doctor_command(invocation: Invocation, as_json: bool) -> None:
    """Check this machine, the broker and the stores, and say what to do.

    Ends with 1 if a check fails. A broker that does not answer is a remark only, unless its
    address was set.
    """
    from pbf_ray.cli.render.checks import check_line, verdict_line
    from pbf_ray.cli.render.text import show

    checks = []
    for check in _checks(invocation):
        checks.append(check.to_plain())
        if not as_json:
            show(check_line(checks[-1]), sys.stdout)
            sys.stdout.flush()
    failed = any(check["status"] == "fail" for check in checks)
    if as_json:
        write_json({"ok": not failed, "checks": checks})
    else:
        show(verdict_line(checks), sys.stdout)
    if failed:
        raise click.exceptions.Exit(1)


def _checks(invocation: Invocation) -> Iterator[Check]:
    from pbf_ray.cli.checks import Check, settings_checks
    from pbf_ray.cli.machine import machine_checks
    from pbf_ray.config import Settings

    try:
        loaded = invocation.load()
    except (SettingError, InputFileError) as error:
        # Everything else follows from the settings, but the machine can be looked at all the same.
        yield Check("settings", "fail", error.what, error.advice)
        defaults = Settings()
        yield from machine_checks(defaults.job.data_dir, defaults.ray.object_store_mb)
        return
    settings = loaded.settings
    changed = sum(source != "default" for source in loaded.sources.values())
    yield Check("settings", "ok", f"{len(loaded.sources)}, of which {changed} set")
    yield from chain(
        machine_checks(settings.job.data_dir, settings.ray.object_store_mb),
        settings_checks(loaded),
    )
