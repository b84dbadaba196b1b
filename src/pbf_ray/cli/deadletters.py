"""``pbf-ray deadletters``: what could not be used, or came late, and sending it again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.moments import MOMENT
from pbf_ray.cli.options import (
    address_option,
    data_dir_option,
    job_option,
    json_option,
    pass_invocation,
)
from pbf_ray.cli.streams import say, tell, write_json

if TYPE_CHECKING:
    from pbf_ray.jobs.dead_letter_replay import Edit, ReplayResult
    from pbf_ray.jobs.dead_letters import DeadLetters, LetterFilter

__all__ = ["deadletters_command"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_USUAL_LIMIT: Final = 20
_MOST_TOLD: Final = 10


def _late_option(command: _Command) -> _Command:
    return click.option("--late", is_flag=True, help="Late records instead of dead letters.")(
        command
    )


def _filter_options(command: _Command) -> _Command:
    for option in (
        click.option("--until", type=MOMENT, metavar="TIME", help="Set aside before this time."),
        click.option(
            "--since", type=MOMENT, metavar="TIME", help="Set aside since: 2026-05-04T06:00, 2h."
        ),
        click.option("--build", "builds", multiple=True, help="Of this build; repeatable."),
        click.option(
            "--partition",
            "partitions",
            type=click.IntRange(min=0),
            multiple=True,
            help="From this partition; repeatable.",
        ),
        click.option("--topic", "topics", multiple=True, help="From this topic; repeatable."),
        click.option("--reason", "reasons", multiple=True, help="With this reason; repeatable."),
    ):
        command = option(command)
    return command


@click.group("deadletters")
def deadletters_command() -> None:
    """List, show and send again the records that could not be used, or came late."""


@deadletters_command.command("list")
@_late_option
@_filter_options
@click.option("--replayed/--not-replayed", default=None, help="Sent again already, or not.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Most rows [default: {_USUAL_LIMIT} on the screen, all with --json].",
)
@job_option
@data_dir_option
@json_option
@pass_invocation
def list_command(
    invocation: Invocation,
    /,
    late: bool,
    limit: int | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """List them, oldest first, with their place, reason and what became of them."""
    letters = _letters(invocation, late=late)
    rows = letters.find(_filter(**wanted))
    shown = rows.slice(0, limit or (rows.num_rows if as_json else _USUAL_LIMIT))
    if as_json:
        write_json({"table": letters.table, "total": rows.num_rows, "rows": shown.to_pylist()})
        return
    if not rows.num_rows:
        say("there are none" if not late else "no late records")
        return
    from pbf_ray.cli.render.dead_letters import letters_table
    from pbf_ray.cli.render.text import console_for, count, show

    width = console_for(sys.stdout).width
    show(letters_table(shown.to_pylist(), width=width), sys.stdout, width=width)
    if shown.num_rows < rows.num_rows:
        tell(f"{count(shown.num_rows)} of {count(rows.num_rows)}; --limit N for more")


@deadletters_command.command("show")
@click.argument("place")
@_late_option
@click.option("--all", "whole", is_flag=True, help="All bytes, however many.")
@job_option
@address_option
@data_dir_option
@json_option
@pass_invocation
def show_command(
    invocation: Invocation, place: str, late: bool, whole: bool, as_json: bool
) -> None:
    """Show one: why, where in the text, and its raw bytes.

    PLACE is topic/partition/offset, as list shows it.
    """
    row = _letters(invocation, late=late).get(place)
    if as_json:
        value: bytes | None = row["value"]
        write_json({**row, "value_hex": None if value is None else value.hex()})
        return
    from pbf_ray.cli.render.dead_letters import letter_view
    from pbf_ray.cli.render.text import console_for, show

    width = console_for(sys.stdout).width
    show(letter_view(row, width=width, whole=whole), sys.stdout, width=width)


@deadletters_command.command("replay")
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@_late_option
@_filter_options
@click.option("--to-topic", metavar="NAME", help="Where to [default: the topic it came from].")
@click.option(
    "--value-file",
    type=click.File("rb"),
    help="The new value of the one record that PLACE names.",
)
@click.option(
    "--edit-with",
    metavar="COMMAND",
    help="Makes the new value of each: the old one on its stdin, the new one on its stdout.",
)
@click.option("--include-bad", is_flag=True, help="Also what would be a dead letter again.")
@click.option("--again", is_flag=True, help="Also what was sent again before.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@job_option
@address_option
@data_dir_option
@json_option
@pass_invocation
def replay_command(
    invocation: Invocation,
    /,
    places: tuple[str, ...],
    late: bool,
    to_topic: str | None,
    value_file: IO[bytes] | None,
    edit_with: str | None,
    include_bad: bool,
    again: bool,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Send records again; the stream takes them as if they had been good from the start.

    All that the filters let through, or those at PLACE. What was sent before is left out, and
    what would be a dead letter again. Can be interrupted and repeated: nothing arrives twice.
    """
    if value_file is not None and edit_with is not None:
        raise click.UsageError("--value-file or --edit-with, not both")
    if value_file is not None and len(places) != 1:
        raise click.UsageError("--value-file is for one record: give its PLACE")
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here; give --yes, or --dry-run to look only")
    letters = _letters(invocation, late=late)
    rows = letters.find(_filter(places=places, **wanted))
    if limit is not None:
        rows = rows.slice(0, limit)
    edit = _edit(value_file, edit_with)

    def replay(*, dry: bool) -> ReplayResult:
        return letters.replay(
            rows, topic=to_topic, edit=edit, include_bad=include_bad, again=again, dry_run=dry
        )

    if dry_run or not yes:
        preview = replay(dry=True)
        if dry_run:
            _report(preview, as_json=as_json)
            return
        _report(preview, as_json=False)
        if not preview.sent or not click.confirm(f"Send {preview.sent:,} records?", err=True):
            say("nothing was sent")
            raise click.exceptions.Exit(1 if preview.sent else 0)
    result = replay(dry=False)
    _report(result, as_json=as_json)
    if result.failed:
        raise click.exceptions.Exit(1)


def _letters(invocation: Invocation, *, late: bool) -> DeadLetters:
    from pbf_ray.jobs.dead_letters import DeadLetters

    table: Literal["dead_letters", "late_records"] = "late_records" if late else "dead_letters"
    return DeadLetters(invocation.settings(), table=table)


def _filter(
    *,
    since: datetime | None,
    until: datetime | None,
    replayed: bool | None = None,
    **wanted: Any,
) -> LetterFilter:
    from pbf_ray.jobs.dead_letters import LetterFilter

    return LetterFilter(since=since, until=until, replayed=replayed, **wanted)


def _edit(value_file: IO[bytes] | None, command: str | None) -> Edit | None:
    if value_file is not None:
        content = value_file.read()
        return lambda _value: content
    if command is None:
        return None
    from pbf_ray.cli.editing import edit_with

    return edit_with(command)


def _report(result: ReplayResult, *, as_json: bool) -> None:
    if as_json:
        write_json(result.to_plain())
        return
    say(f"{'would send' if result.dry_run else 'sent'} {result.sent:,}")
    for number, what in (
        (result.found, "had arrived in an interrupted replay"),
        (result.before, "were sent again before: left out"),
    ):
        if number:
            say(f"{number:,} {what}")
    for listed, what in (
        (result.bad, "would be set aside again: left out (--edit-with, --value-file)"),
        (result.failed, "failed"),
    ):
        if listed:
            say(f"{len(listed):,} {what}")
        for place, why in listed[:_MOST_TOLD]:
            say(f"  {place}  {why}")
        if len(listed) > _MOST_TOLD:
            say(f"  and {len(listed) - _MOST_TOLD:,} more")
