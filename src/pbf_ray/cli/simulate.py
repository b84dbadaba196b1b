"""``pbf-ray simulate``: the records of machines that are not there."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
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

if TYPE_CHECKING:
    from pbf_ray.simulate import GroundTruth, TwinConfig

__all__ = ["simulate_command"]

_SHARE = click.FloatRange(0.0, 1.0)
_AT_LEAST_ONE = click.IntRange(min=1)


def _event_time(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> float | None:
    """``now``, an ISO 8601 time, or seconds since 1970."""
    if value is None:
        return None
    if value == "now":
        return time.time()
    with suppress(ValueError):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither now, nor ISO 8601, nor seconds since 1970"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command("simulate")
@click.option("--machines", type=_AT_LEAST_ONE, default=2, show_default=True)
@click.option("--builds", type=_AT_LEAST_ONE, default=1, show_default=True, help="Of each machine.")
@click.option("--layers", type=_AT_LEAST_ONE, default=50, show_default=True, help="Of each build.")
@click.option(
    "--sensors", type=_AT_LEAST_ONE, default=3, show_default=True, help="Of each machine."
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two records of a sensor.",
)
@click.option(
    "--records-per-layer",
    type=_AT_LEAST_ONE,
    metavar="N",
    help="Of each sensor in each layer, instead of --interval.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--start",
    callback=_event_time,
    metavar="TIME",
    help="Event time of the first record: now, ISO 8601 or seconds since 1970 "
    "[default: a fixed day in the past, so that equal options give equal records].",
)
@click.option(
    "--rate",
    metavar="N|max",
    default="max",
    show_default=True,
    help="Records per second.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Seconds of event time per second, instead of --rate; 1 is how machines build.",
)
@click.option("--missing", type=_SHARE, default=0.0, metavar="SHARE", help="Records never sent.")
@click.option("--malformed", type=_SHARE, default=0.0, metavar="SHARE", help="Records spoilt.")
@click.option("--repeated", type=_SHARE, default=0.0, metavar="SHARE", help="Records sent twice.")
@click.option(
    "--out-of-order", type=_SHARE, default=0.0, metavar="SHARE", help="Records held back."
)
@click.option(
    "--max-disorder",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long they are held back at most.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND@BUILD:FIRST-LAST[=SIZE]",
    help="Inject a fault: hot_spot, gas_flow_step or laser_power_loss, for example "
    "hot_spot@M01-B001:20-25; repeatable.",
)
@click.option(
    "--random-faults",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Faults drawn for each build.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was really sent, and the faults in it, as JSON.",
)
@target_options
@address_option
@json_option
@pass_invocation
def simulate_command(
    invocation: Invocation,
    /,
    topic: str | None,
    to_file: IO[bytes] | None,
    truth: Path | None,
    rate: str,
    speed: float | None,
    as_json: bool,
    **twin_options: Any,
) -> None:
    """Send the records of simulated machines to a topic, or write them to a file.

    Layer time follows the exposed area; sensors drift while the machine warms up, and are noisy
    and quantised. Equal options give equal records. Ends with 1 if a record could not be sent.
    """
    from pbf_ray.cli.sending import open_target, parse_rate, report_sending, send_all
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.simulate import Twin, write_ground_truth

    per_second = parse_rate(rate, "--rate", {"max": None})
    if per_second is not None and speed is not None:
        raise click.UsageError("give --rate or --speed, not both")
    if as_json and is_stdout(to_file):
        raise click.UsageError("--json and --to-file - would both write to stdout")
    twin = Twin(_config(**twin_options))
    settings = invocation.settings()
    invocation.start_logs()
    with StopSignals() as signals:
        target = open_target(settings, topic, to_file)
        done = send_all(
            twin, target, signals, speed=speed, rate=per_second, expected=twin.measured_records()
        )
    found = twin.ground_truth
    if truth is not None:
        write_ground_truth(found, truth)
    report_sending(
        done,
        details={
            "truth": {key: value for key, value in found.to_dict().items() if key != "config"},
            "truth_file": truth,
        },
        lines=_told(found, truth),
        as_json=as_json,
        to_stdout=is_stdout(to_file),
    )


def _config(
    *,
    interval: float,
    start: float | None,
    missing: float,
    malformed: float,
    repeated: float,
    out_of_order: float,
    max_disorder: float,
    faults: tuple[str, ...],
    random_faults: int,
    **sizes: Any,
) -> TwinConfig:
    from pbf_ray.simulate import TwinConfig, parse_fault

    if start is not None:
        sizes["start_time_s"] = start
    return TwinConfig(
        collection_interval_s=interval,
        missing_rate=missing,
        malformed_rate=malformed,
        repeat_rate=repeated,
        out_of_order_rate=out_of_order,
        max_disorder_s=max_disorder,
        faults=tuple(map(parse_fault, faults)),
        random_faults_per_build=random_faults,
        **sizes,
    )


def _told(truth: GroundTruth, file: Path | None) -> list[tuple[str, str]]:
    lines = [("builds", f"{len(truth.builds)}, {truth.layers:,} layers")]
    lines += [
        (name, f"{number:,}")
        for name, number in (
            ("malformed", truth.void_malformed + truth.flagged_partial),
            ("repeated", truth.repeated),
            ("missing", truth.missing),
            ("out of order", truth.out_of_order),
        )
        if number
    ]
    for fault in truth.faults:
        layers = f"layers {fault.first_layer} to {fault.last_layer}"
        shown = f"{fault.kind} in {fault.build_id}, {layers}: {fault.records:,} records"
        lines.append(("fault", shown))
    if file is not None:
        lines.append(("ground truth", str(file)))
    return lines
