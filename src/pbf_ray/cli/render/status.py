"""How a job is, on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pbf_ray.cli.render.books import balance
from pbf_ray.cli.render.fitting import FittedColumn, fitted_table
from pbf_ray.cli.render.rows import moment
from pbf_ray.cli.render.text import count, duration, listing

__all__ = ["size", "span", "status_view"]

Plain = Mapping[str, Any]

_STYLES: Final = {
    "running": "bold green",
    "hindered": "bold yellow",
    "hanging": "bold red",
    "silent": "bold red",
    "failed": "bold red",
    "stopped": "bold",
    "finished": "bold",
}
_WORDS: Final = {"silent": "NO SIGN OF LIFE", "hanging": "HANGS", "failed": "FAILED"}
_LIVING: Final = frozenset({"running", "hindered", "hanging"})
_MOST_PARTITIONS: Final = 12
_MOST_BUILDS: Final = 5


def status_view(job: Plain, *, width: int) -> RenderableType:
    """The verdict first; then books, lag, watermarks, where the time goes, copies.

    Args:
        job: The fields of ``JobStatus`` as plain values.
        width: Columns of the terminal.
    """
    parts: list[RenderableType] = [*_head(job), Text(), _figures(job)]
    if job["partitions"]:
        parts += [Text(), _partitions(job, width)]
    if job["status"]["builds"]:
        parts += [Text(), _builds(job["status"], width, living=job["verdict"] in _LIVING)]
    if job["status"]["epochs"]:
        parts += [Text(), _stages(job["status"])]
    return Group(*parts)


def size(value: int) -> str:
    """Bytes for people: ``9.4 KiB``."""
    number = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def span(seconds: float) -> str:
    """A time span for people: ``3.4 s``, ``12 min``, ``5 h``, ``3 d``."""
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if abs(seconds) < limit:
            number = seconds / divisor
            return f"{number:.1f} {unit}" if abs(number) < 10 else f"{number:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _head(job: Plain) -> list[RenderableType]:
    verdict, status = job["verdict"], job["status"]
    facts = status["facts"]
    line = Text.assemble(
        "job ",
        (str(job["job_id"]), "bold"),
        "  ",
        (str(_WORDS.get(verdict, verdict)), _STYLES[verdict]),
    )
    if verdict in _LIVING and job["explanation"] != verdict:
        line.append(f"  {job['explanation']}", style=_STYLES[verdict])
    started = datetime.fromtimestamp(facts["started_us"] / 1e6, UTC)
    ran_s = (status["heartbeat_us"] - facts["started_us"]) / 1e6
    lines: list[RenderableType] = [line]
    if verdict not in _LIVING:
        lines.append(_indented(job["explanation"], "" if job["healthy"] else "red"))
        advice = (status["error"] or {}).get("advice")
        if verdict == "failed" and advice:
            lines.append(_indented(f"to do: {advice}", "yellow"))
    lines.append(
        Text(
            f"  run {status['progress']['run']}, process {facts['driver_pid']} on "
            f"{facts['driver_host']}, since "
            f"{started:%Y-%m-%d %H:%M:%S} UTC ({duration(ran_s)})",
            style="dim",
        )
    )
    said = "ended" if verdict in {"finished", "stopped", "failed"} else "heartbeat"
    beat = f"  {said} {span(job['heartbeat_age_s'])} ago"
    lines.append(Text(beat, style="bold red" if verdict == "silent" else "dim"))
    return lines


def _figures(job: Plain) -> RenderableType:
    status = job["status"]
    progress = status["progress"]
    equation, right = balance(progress, named=True)
    lag_style = "" if not job["lag"] else "yellow"
    said = "now" if job["lag_from"] == "broker" else "when the run looked last"
    rows: list[tuple[str, Text, str]] = [
        ("consumed", Text(count(progress["consumed"]), style="bold"), ""),
        ("books", _balanced(right), equation),
        ("lag", Text(count(job["lag"]), style=lag_style), f"offsets, {said}"),
        ("records/s", Text(count(round(progress["records_per_s"]))), "committed, last 10 s"),
        ("epoch", Text(count(progress["epoch"])), f"{status['in_flight']} in flight"),
        ("pending", Text(count(progress["pending"])), "wait for the watermark"),
        ("anomalies", Text(count(progress["anomalies"])), f"{count(progress['layers'])} layers"),
        ("state", Text(size(progress["state_bytes"])), f"{count(status['builds_open'])} builds"),
    ]
    if job["verdict"] not in _LIVING:
        rows = [row for row in rows if row[0] != "records/s"]
    if status["replayed"]:
        rows.append(("replayed", Text(count(status["replayed"])), "of the consumed"))
    if status["passed_over"]:
        passed = Text(count(status["passed_over"]), style="yellow")
        rows.append(("passed over", passed, "offsets lost or skipped, for good"))
    if progress["restarts"]:
        rows.append(("restarts", Text(count(progress["restarts"]), style="yellow"), "of workers"))
    for name, wait in status["waits"].items():
        if wait["count"]:
            waited = Text(f"{count(int(wait['count']))} x", style="yellow")
            rows.append((f"{name} away", waited, f"{span(wait['total_s'])} in all"))
    for copy in status["copies"]:
        rows += _copy(copy)
    table = listing("", "", "", header=False)
    for name, value, note in rows:
        table.add_row("", Text(name, style="dim"), value, Text(note, style="dim"))
    if job["broker_problem"]:
        return Group(table, _indented(job["broker_problem"], "yellow"))
    return table


def _indented(text: str, style: str) -> RenderableType:
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def _balanced(right: bool) -> Text:
    return Text("balanced", style="green") if right else Text("NOT BALANCED", style="bold red")


def _copy(copy: Plain) -> list[tuple[str, Text, str]]:
    name = "copies" if copy["table"] == "dead_letters" else "late copies"
    if copy["problem"]:
        return [(name, Text("WAIT", style="bold yellow"), copy["problem"])]
    if copy["waiting"]:
        return [(name, Text(f"{count(copy['waiting'])} waiting"), f"for {copy['topic']}")]
    if copy["published"]:
        return [(name, Text(f"{count(copy['published'])} published"), f"on {copy['topic']}")]
    return []


def _partitions(job: Plain, width: int) -> RenderableType:
    places: Sequence[Plain] = job["partitions"]
    behind = [place for place in places if place["lag"]]
    title = Text.assemble(
        ("Partitions", "bold"), f"  {count(len(places))}, {count(len(behind))} behind"
    )
    if not behind:
        return title
    worst = sorted(behind, key=lambda place: -int(place["lag"]))[:_MOST_PARTITIONS]
    table = fitted_table(
        [
            FittedColumn(
                "partition", [Text(f"{place['topic']}/{place['partition']}") for place in worst]
            ),
            FittedColumn(
                "committed", [Text(count(place["position"])) for place in worst], right=True
            ),
            FittedColumn("end", [Text(count(place["end"])) for place in worst], right=True),
            FittedColumn(
                "lag", [Text(count(place["lag"]), style="yellow") for place in worst], right=True
            ),
        ],
        width=width,
    )
    more = len(behind) - len(worst)
    return Group(title, table, *([Text(f"  and {more} more", style="dim")] if more else []))


def _builds(status: Plain, width: int, *, living: bool) -> RenderableType:
    builds: Sequence[Plain] = status["builds"][:_MOST_BUILDS]
    title = Text.assemble(("Watermarks", "bold"), f"  of {count(status['builds_open'])} builds")
    if living and status["watermark_delay_s"] is not None:
        title.append(f", at most {span(status['watermark_delay_s'])} behind the clock")

    def text(value: Any) -> str:
        return "null" if value is None else str(value)

    table = fitted_table(
        [
            FittedColumn("build", [Text(text(build["build_id"])) for build in builds], fold=True),
            FittedColumn("phase", [Text(build["phase"]) for build in builds]),
            FittedColumn(
                "watermark, UTC",
                [
                    Text("not started" if b["watermark"] is None else moment(b["watermark"]))
                    for b in builds
                ],
            ),
            FittedColumn(
                "behind the clock",
                [Text("-" if b["delay_s"] is None else span(b["delay_s"])) for b in builds],
                right=True,
                spare=1,
            ),
        ],
        width=width,
    )
    return Group(title, table)


def _stages(status: Plain) -> RenderableType:
    stages = {name: spent["recent_s"] for name, spent in status["stages"].items()}
    total_s = sum(stages.values())
    line = Text("  ")
    for name, seconds in stages.items():
        share = seconds / total_s if total_s else 0.0
        line.append(f"{name} ", style="dim")
        line.append(f"{1000 * seconds:.0f}  ", style="bold" if share > 0.5 else "")
    title = Text.assemble(("Where an epoch's time goes", "bold"), "  ms, mean of the last ones")
    return Group(title, line)
