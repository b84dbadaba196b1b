"""``pbf-ray serve token``: who may use the API from elsewhere."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import data_dir_option, job_option, json_option, pass_invocation
from pbf_ray.cli.streams import say, tell, write_json

if TYPE_CHECKING:
    from pbf_ray.http.tokens import Scope, Tokens

__all__ = ["token_command"]


@click.group("token")
def token_command() -> None:
    """Make, list and revoke the tokens of the API.

    Scopes: read; decide also acknowledges alerts and records decisions; admin also sees the audit.
    """


@token_command.command("add")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(("read", "decide", "admin")),
    default="read",
    show_default=True,
    help="What it may do.",
)
@job_option
@data_dir_option
@json_option
@pass_invocation
def add_command(invocation: Invocation, name: str, scope: Scope, as_json: bool) -> None:
    """Make a token and show it, once: it is kept as a hash."""
    token = _tokens(invocation).add(name, scope, by=_me())
    if as_json:
        write_json({"name": name, "scope": scope, "token": token})
        return
    tell(f"a token for {name} with scope {scope}; it is not shown again:")
    say(token)


@token_command.command("list")
@job_option
@data_dir_option
@json_option
@pass_invocation
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List the tokens that are valid."""
    names = _tokens(invocation).names()
    if as_json:
        found = [
            {"name": name, "scope": scope, "added_at": at} for name, (scope, at) in names.items()
        ]
        write_json({"tokens": found})
        return
    if not names:
        say("there are no tokens")
    for name, (scope, at) in names.items():
        say(f"{name:<24} {scope:<7} since {at[:19]}Z")


@token_command.command("revoke")
@click.argument("name")
@job_option
@data_dir_option
@json_option
@pass_invocation
def revoke_command(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let a token be valid no more; a server that runs notices at once."""
    _tokens(invocation).revoke(name, by=_me())
    if as_json:
        write_json({"name": name, "revoked": True})
        return
    say(f"the token {name} is valid no more")


def _tokens(invocation: Invocation) -> Tokens:
    from pbf_ray.http.ledger import open_ledger
    from pbf_ray.http.tokens import Tokens

    return Tokens(open_ledger(invocation.settings()))


def _me() -> str:
    return f"cli:{getpass.getuser()}"
