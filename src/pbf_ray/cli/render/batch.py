"""How a batch run is getting on, and what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.anomalies import anomalies_view
from pbf_ray.cli.render.books import books_view
from pbf_ray.cli.render.progress import Part
from pbf_ray.cli.render.text import count, duration, listing

__all__ = ["quality_line", "quality_view"]

_STEPS: Final = {"reading": "reading", "layers": "rolling up layers"}

Plain = Mapping[str, Any]


def quality_line(progress: Plain, elapsed_s: float, width: int | None = None) -> list[Part]:
    """The line that says how far a run is; as ``progress_line``.

    Args:
        progress: The fields of ``QualityProgress`` as plain values.
        elapsed_s: Time since the beginning.
        width: Columns; None for all pieces.
    """
    pieces: list[Part] = [
        (duration(elapsed_s), "dim"),
        (_STEPS[progress["step"]], "bold"),
        (f"{progress['tasks_done']}/{progress['tasks']} tasks", ""),
        (f"{count(int(progress['records']))} records", ""),
    ]
    line: list[Part] = []
    used = 0
    for text, style in pieces:
        length = len(text) + (2 if line else 0)
        if width is not None and used + length > width:
            break
        line += [*([("  ", "")] if line else []), (text, style)]
        used += length
    return line


def quality_view(result: Plain, severities: Mapping[str, str]) -> RenderableType:
    """The books, the anomalies, the tables, and where they lie.

    Args:
        result: The fields of ``QualityResult`` as plain values.
        severities: Severity by type of anomaly.
    """
    books = {
        **result["books"],
        "dead_letters_by_reason": result["dead_letters_by_reason"],
    }
    records, layers = int(books["consumed"]), int(result["layers"])
    head = Text.assemble(
        (f"{count(records)} record{'' if records == 1 else 's'}", "bold"),
        f", {count(layers)} layer{'' if layers == 1 else 's'}",
        f" in {result['seconds']:.1f} s with the engine {result['engine']}",
    )
    tables = listing("table", "rows", right=("rows",))
    for table, rows in result["rows"].items():
        tables.add_row("", table, count(rows))
    place = Text(f"  {result['output']}", style="cyan", no_wrap=True, overflow="ignore")
    return Group(
        head,
        Text(),
        books_view(books),
        Text(),
        anomalies_view(result["anomalies_by_type"], severities, int(books["accepted"])),
        Text(),
        Text("Tables", style="bold"),
        tables,
        Text(),
        Text("Where they lie", style="bold"),
        place,
    )
