"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from pbf_ray.cli.invocation import Invocation

__all__ = [
    "address_option",
    "data_dir_option",
    "is_stdout",
    "job_option",
    "json_option",
    "output_option",
    "pass_invocation",
    "ray_address_option",
    "setting_option",
    "spark_master_option",
    "target_options",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

pass_invocation = click.make_pass_decorator(Invocation)


def setting_option(*names: str, key: str, **attributes: Any) -> Callable[[_Command], _Command]:
    """An option that gives a setting; the command sees it in the settings only.

    Args:
        names: Option names, the long one first.
        key: Dotted key of the setting.
        attributes: As for ``click.option``.
    """

    def take(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None and value != () and not ctx.resilient_parsing:
            ctx.ensure_object(Invocation).override(key, value, names[0].partition("/")[0])

    # A flag that was not given must not say False over what the file says.
    return click.option(*names, expose_value=False, callback=take, default=None, **attributes)


def json_option(command: _Command) -> _Command:
    """``--json``: the last line of stdout is one JSON object, everything else is on stderr."""

    def take(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
        ctx.ensure_object(Invocation).json = value
        return value

    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=take,
        is_eager=True,
        help="Write the result as one JSON object, on the last line of stdout.",
    )(command)


def job_option(command: _Command) -> _Command:
    """``--job NAME``."""
    return setting_option("--job", key="job.name", metavar="NAME", help="Name of the job.")(command)


def address_option(command: _Command) -> _Command:
    """``--bootstrap-servers HOST:PORT``."""
    return setting_option(
        "--bootstrap-servers",
        key="kafka.bootstrap_servers",
        metavar="HOST:PORT",
        help="Kafka brokers, with commas between.",
    )(command)


def data_dir_option(command: _Command) -> _Command:
    """``--data-dir FOLDER``."""
    return setting_option(
        "--data-dir",
        key="job.data_dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of checkpoints and stores.",
    )(command)


def output_option(command: _Command) -> _Command:
    """``--output URL`` of a batch."""
    return click.option(
        "--output",
        required=True,
        metavar="URL",
        help="Folder or URL for the tables; what an earlier run left there is replaced.",
    )(command)


def ray_address_option(command: _Command) -> _Command:
    """``--address ADDRESS``."""
    return setting_option(
        "--address", key="ray.address", metavar="ADDRESS", help="A running Ray cluster, or auto."
    )(command)


def spark_master_option(command: _Command) -> _Command:
    """``--master MASTER``."""
    return setting_option(
        "--master", key="spark.master", metavar="MASTER", help="The Spark master."
    )(command)


def target_options(command: _Command) -> _Command:
    """``--topic NAME`` and ``--to-file FILE``."""
    command = click.option(
        "--to-file",
        type=click.File("wb", atomic=True),
        metavar="FILE",
        help="Write a line per record to a file (- for stdout), without a broker.",
    )(command)
    return click.option(
        "--topic", metavar="NAME", help="Topic to send to [default: the first of kafka.topics]."
    )(command)


def is_stdout(file: IO[bytes] | None) -> bool:
    """Whether ``--to-file`` was ``-``."""
    # Streams without a file behind them (tests, pipes into other programs) have no name.
    return file is not None and getattr(file, "name", "<stdout>") == "<stdout>"
