"""``pbf-ray replay``: the records of a real log."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import (
    address_option,
    is_stdout,
    json_option,
    pass_invocation,
    target_options,
)
from pbf_ray.cli.streams import tell

__all__ = ["replay_command"]

_SPEEDS: Final = {"max": None, "original": 1.0}


@click.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="TOML file that says which column is which field, and its unit.",
)
@click.option(
    "--speed",
    metavar="N|max|original",
    default="max",
    show_default=True,
    help="Seconds of the log per second.",
)
@click.option(
    "--most-bad-lines",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Bad lines to name one by one; all are counted.",
)
@target_options
@address_option
@json_option
@pass_invocation
def replay_command(
    invocation: Invocation,
    file: Path,
    mapping_file: Path,
    speed: str,
    most_bad_lines: int,
    topic: str | None,
    to_file: IO[bytes] | None,
    as_json: bool,
) -> None:
    """Send the records of the log FILE (CSV, pipe-separated, JSON lines, Parquet) to a topic.

    Units are converted as the mapping says. Lines that give no record are named with their
    number and do not stop the replay. Ends with 1 if a record could not be sent.
    """
    from pbf_ray.cli.sending import open_target, parse_rate, report_sending, send_all
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.simulate import BadLine, ReplayedLog, load_mapping

    if as_json and is_stdout(to_file):
        raise click.UsageError("--json and --to-file - would both write to stdout")
    log_speed = parse_rate(speed, "--speed", _SPEEDS)
    mapping = load_mapping(mapping_file)
    settings = invocation.settings()
    invocation.start_logs()
    bad = 0

    def take(line: BadLine) -> None:
        nonlocal bad
        bad += 1
        if bad <= most_bad_lines:
            tell(f"{file}, line {line.line}: {line.reason}")

    with StopSignals() as signals:
        target = open_target(settings, topic, to_file)
        log = ReplayedLog(file, mapping, on_bad_line=take)
        done = send_all(log, target, signals, speed=log_speed)
    if bad > most_bad_lines:
        tell(f"{file}: {bad - most_bad_lines:,} more bad lines; --most-bad-lines N names them")
    report_sending(
        done,
        details={"bad_lines": bad, "mapping": mapping.name},
        lines=[("bad lines", f"{bad:,}"), ("mapping", mapping.name)],
        as_json=as_json,
        to_stdout=is_stdout(to_file),
    )
