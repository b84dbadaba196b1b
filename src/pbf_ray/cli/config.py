"""``pbf-ray config``: every setting with its source, and whether they are right."""

from __future__ import annotations

import sys

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import json_option, pass_invocation
from pbf_ray.cli.streams import say, write_json

__all__ = ["config_command"]


@click.group("config")
def config_command() -> None:
    """Show or check the settings, and where each came from."""


@config_command.command("show")
@click.argument("sections", nargs=-1, metavar="[SECTION]...")
@click.option("--changed", is_flag=True, help="Only what is not a default.")
@click.option("--explain", is_flag=True, help="Say what each setting is.")
@json_option
@pass_invocation
def show_command(
    invocation: Invocation,
    sections: tuple[str, ...],
    changed: bool,
    explain: bool,
    as_json: bool,
) -> None:
    """Show every setting, its value and where it came from; secrets are masked.

    With SECTION, for example stream, only those sections.
    """
    from pbf_ray.config import Settings, describe, known_keys

    unknown = [name for name in sections if name not in Settings.model_fields]
    if unknown:
        raise click.UsageError(
            f"there is no section {unknown[0]}; sections are {', '.join(Settings.model_fields)}"
        )
    loaded = invocation.load()
    values = [
        (key, value)
        for key, value in loaded.settings.items()
        if (not sections or key.partition(".")[0] in sections)
        and not (changed and loaded.sources[key] == "default")
    ]
    if as_json:
        write_json(
            {
                "settings": {
                    key: {"value": value, "source": loaded.sources[key]} for key, value in values
                }
            }
        )
        return
    if not values:
        say("all settings have their default; pbf-ray config show lists them")
        return
    from pbf_ray.cli.render.settings import settings_view
    from pbf_ray.cli.render.text import show

    described = {key: describe(key) for key in known_keys()} if explain else {}
    show(settings_view(values, loaded.sources, described), sys.stdout)


@config_command.command("check")
@json_option
@pass_invocation
def check_command(invocation: Invocation, as_json: bool) -> None:
    """Check the settings; says what is wrong, and ends with 1, if they cannot be used."""
    loaded = invocation.load()
    changed = {key: source for key, source in loaded.sources.items() if source != "default"}
    if as_json:
        write_json({"ok": True, "settings": len(loaded.sources), "changed": changed})
        return
    say(f"settings are right: {len(changed)} set, {len(loaded.sources) - len(changed)} by default")
    for source in sorted(set(changed.values())):
        keys = [key for key, from_where in changed.items() if from_where == source]
        say(f"  {source}: {', '.join(keys)}")
