"""What became of build files, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.progress import Part
from pbf_ray.cli.render.text import count, duration, listing

__all__ = ["differences_view", "parsed_view", "parsing_line", "size"]

_MOST_ERRORS: Final = 8
_BAR: Final = 20
_STATUS: Final = {
    "read": ("read", "green"),
    "partial": ("read in part", "yellow"),
    "failed": ("could not be read", "red"),
    "skipped": ("no build files", "dim"),
}
_EFFECTS: Final = {
    "file_left_out": ("left out", "red"),
    "layer_left_out": ("layer left out", "yellow"),
    "recovered": ("read past it", "yellow"),
    "warning": ("warning", "dim"),
}
_MEANING: Final = {
    "layers": "number of layers",
    "z": "heights",
    "geometries": "numbers of geometries",
    "shape": "kinds or numbers of points",
    "ids": "model, style or laser ids",
    "coordinates": "coordinates",
    "build_styles": "build styles",
    "models": "models",
}

Plain = Mapping[str, Any]


def size(byte_count: float) -> str:
    """``12.3 MiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if byte_count < 1024 or unit == "GiB":
            break
        byte_count /= 1024
    return f"{byte_count:,.0f} bytes" if unit == "bytes" else f"{byte_count:,.1f} {unit}"


def parsing_line(progress: Plain, elapsed_s: float, width: int | None = None) -> list[Part]:
    """The line that says how far a run is, with a bar; as ``progress_line``.

    Args:
        progress: The fields of ``BuildsProgress`` as plain values.
        elapsed_s: Time since the beginning.
        width: Columns; None for all pieces.
    """
    done, total = int(progress["bytes_done"]), int(progress["total_bytes"])
    tasks_done, tasks = int(progress["tasks_done"]), int(progress["tasks"])
    share = done / total if total and tasks_done < tasks else float(tasks_done == tasks)
    filled = round(share * _BAR)
    pieces: list[list[Part]] = [
        [(duration(elapsed_s), "dim")],
        [("━" * filled, "green"), ("━" * (_BAR - filled), "dim")],
        [(f"{share:4.0%}", "bold")],
        [(f"{tasks_done}/{tasks} parts", "")],
        [(f"{count(int(progress['layers']))} layers", "")],
        [(f"{size(done / elapsed_s)}/s" if elapsed_s > 0 and done else "", "dim")],
    ]
    if progress["failed"]:
        pieces.insert(3, [(f"{progress['failed']} bad", "red")])
    line: list[Part] = []
    used = 0
    for piece in pieces:
        length = sum(len(text) for text, _ in piece) + (2 if line else 0)
        if not length or (width is not None and used + length > width):
            break
        line += [*([("  ", "")] if line else []), *piece]
        used += length
    return line


def parsed_view(result: Plain) -> RenderableType:
    """What a run gave.

    Args:
        result: The fields of ``BuildsResult`` as plain values.
    """
    files = result["files"]
    read = sum(files[status] for status in ("read", "partial"))
    head = Text.assemble(
        (f"{count(read)} build file{'' if read == 1 else 's'}", "bold"),
        f" in {result['seconds']:.1f} s with the engine {result['engine']}",
    )
    statuses = listing("files", "status", header=False, right=("files",))
    for status, (words, style) in _STATUS.items():
        if files[status]:
            statuses.add_row("", count(files[status]), Text(words, style=style))
    tables = listing("table", "rows", right=("rows",))
    for table, rows in result["rows"].items():
        tables.add_row("", table, count(rows))
    parts: list[RenderableType] = [head, statuses, Text(), Text("Tables", style="bold"), tables]
    if result["errors"]:
        parts += [Text(), *_problems(result["errors"])]
    place = Text(f"  {result['output']}", style="cyan", no_wrap=True, overflow="ignore")
    return Group(*parts, Text(), Text("Where they lie", style="bold"), place)


def _problems(errors: Sequence[Plain]) -> list[RenderableType]:
    shown = errors[:_MOST_ERRORS]
    lines: list[RenderableType] = [Text("What was wrong", style="bold")]
    for row in shown:
        words, style = _EFFECTS[row["effect"]]
        where = PurePosixPath(row["file"]).name
        if row["member"]:
            where += f", {row['member']}"
        if row["layer"] is not None:
            where += f", layer {row['layer']}"
        if row["byte_offset"] is not None:
            where += f", byte {count(row['byte_offset'])}"
        line = Text.assemble("  ", (f"{words}: ", style), where, no_wrap=True, overflow="ignore")
        lines.append(line)
        lines.append(Text(f"    {row['problem']}", style="dim"))
        if row["advice"]:
            lines.append(Text.assemble(("    to do: ", "yellow"), row["advice"]))
    if len(errors) > len(shown):
        more = len(errors) - len(shown)
        lines.append(Text(f"  and {count(more)} more in the table errors", style="dim"))
    return lines


def differences_view(compared: Plain, *, tolerance_um: float) -> RenderableType:
    """What differs between two builds.

    Args:
        compared: The fields of ``BuildComparison`` as plain values.
        tolerance_um: What was taken as the same.
    """
    within = f" within {tolerance_um:g} um" if tolerance_um else ""
    what = f"{count(compared['layers'])} layers, {count(compared['geometries'])} geometries"
    if not compared["differences"]:
        return Text.assemble(("the same", "green"), f"{within}: {what}")
    table = listing("what differs", "in", "first", "how", right=("in", "first"))
    for row in compared["differences"]:
        layer = row["layer"]
        table.add_row(
            "",
            _MEANING[row["what"]],
            count(row["count"]) if layer is not None or row["count"] > 1 else "",
            "" if layer is None else f"layer {layer}",
            row["detail"],
        )
    return Group(Text.assemble(("different", "red"), f"{within}: {what} compared"), table)
