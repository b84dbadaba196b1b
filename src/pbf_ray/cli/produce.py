"""``pbf-ray produce``: the records of a source class of one's own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    is_stdout,
    json_option,
    pass_invocation,
    target_options,
)
from pbf_ray.errors import SourceFailedError

if TYPE_CHECKING:
    from pbf_ray.kafka.sensor_source import SensorSource

__all__ = ["produce_command"]


@click.command("produce")
@click.argument("source", metavar="PACKAGE.MODULE:CLASS")
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Argument of the class, as text; repeatable.",
)
@click.option(
    "--rate", metavar="N|max", default="max", show_default=True, help="Records per second at most."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Seconds of event time per second, instead of --rate.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Give up after so many failures of the source in a row [default: never].",
)
@target_options
@address_option
@json_option
@pass_invocation
def produce_command(
    invocation: Invocation,
    source: str,
    arguments: tuple[str, ...],
    rate: str,
    speed: float | None,
    max_failures: int | None,
    topic: str | None,
    to_file: IO[bytes] | None,
    as_json: bool,
) -> None:
    """Send the records of a source class to a topic, until it ends or Ctrl-C.

    The class has records(), which gives records as dicts, and close(); modules are also looked
    for in the current folder. A source that raises is asked again after 5 s, and then after
    longer and longer pauses. Ends with 1 if a record could not be sent.
    """
    from pbf_ray.cli.sending import open_target, parse_rate, report_sending, send_all
    from pbf_ray.cli.signals import StopSignals

    per_second = parse_rate(rate, "--rate", {"max": None})
    if per_second is not None and speed is not None:
        raise click.UsageError("give --rate or --speed, not both")
    if as_json and is_stdout(to_file):
        raise click.UsageError("--json and --to-file - would both write to stdout")
    made = _make(source, _named(arguments))
    settings = invocation.settings()
    invocation.start_logs()
    with StopSignals() as signals:
        done = send_all(
            made,
            open_target(settings, topic, to_file),
            signals,
            speed=speed,
            rate=per_second,
            max_failures=max_failures,
        )
    report_sending(
        done,
        details={"source": source},
        lines=[("source", source), ("its failures", f"{done.source_failures:,}")],
        as_json=as_json,
        to_stdout=is_stdout(to_file),
    )


def _named(arguments: tuple[str, ...]) -> dict[str, str]:
    named = {}
    for argument in arguments:
        name, divided, value = argument.partition("=")
        if not divided or not name.isidentifier():
            raise click.UsageError(f"--arg {argument!r}: write --arg name=value")
        named[name] = value
    return named


def _make(source: str, arguments: dict[str, str]) -> SensorSource:
    """An instance of the class that ``package.module:Class`` names."""
    module_name, divided, class_name = source.partition(":")
    if not divided or not all(part.isidentifier() for part in module_name.split(".")):
        raise click.UsageError(f"{source!r}: write package.module:Class")
    here = str(Path.cwd())
    if here not in sys.path:
        # Last: a file here must not take the place of an installed package.
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise SourceFailedError(source, failures=0, cause=repr(error)) from error
        raise click.UsageError(f"{source!r}: there is no module {error.name}") from error
    except Exception as error:
        raise SourceFailedError(source, failures=0, cause=repr(error)) from error
    kind: Any = getattr(module, class_name, None)
    if kind is None:
        raise click.UsageError(f"{source!r}: {module_name} has no {class_name}")
    try:
        made = kind(**arguments)
    except Exception as error:
        raise SourceFailedError(source, failures=0, cause=repr(error)) from error
    missing = [name for name in ("records", "close") if not callable(getattr(made, name, None))]
    if missing:
        raise click.UsageError(f"{source!r}: it has no {' and no '.join(missing)}")
    source_made: SensorSource = made
    return source_made
