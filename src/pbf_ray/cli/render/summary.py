"""What a job says when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.anomalies import anomalies_view
from pbf_ray.cli.render.books import books_view
from pbf_ray.cli.render.layers import layers_view
from pbf_ray.cli.render.text import listing

__all__ = ["outputs_view", "steps_view", "summary_view"]

_WORST_LAYERS = 8


def summary_view(
    result: Mapping[str, Any],
    *,
    layers: Sequence[Mapping[str, Any]],
    severities: Mapping[str, str],
    steps: Sequence[tuple[str, str]],
    width: int,
) -> RenderableType:
    """The books, the anomalies, the layers, where everything lies, and what to try next.

    Args:
        result: The fields of ``JobResult`` as plain values.
        layers: Rows of ``layer_quality``.
        severities: Severity by type of anomaly.
        steps: Commands to try next, each with what it shows.
        width: Columns of the terminal.
    """
    books = result["books"]
    head = Text.assemble(
        "job ",
        (str(result["job_id"]), "bold"),
        f" {result['outcome']} after {float(result['seconds']):.1f} s",
    )
    judged = int(books.get("accepted", 0)) + int(books.get("late", 0))
    return Group(
        Text(),
        head,
        Text(),
        books_view(books),
        Text(),
        anomalies_view(result["anomalies_by_type"], severities, judged),
        Text(),
        layers_view(layers, int(result["layers"]), most=_WORST_LAYERS, width=width),
        Text(),
        outputs_view(result["outputs"], width=width),
        Text(),
        steps_view(steps),
    )


def outputs_view(outputs: Mapping[str, str], *, width: int) -> RenderableType:
    """Where everything lies; a place is never broken, so that it can be copied.

    Args:
        outputs: Place by name; what lies in one place is told together.
        width: Columns of the terminal.
    """
    title = Text("Where everything lies", style="bold")
    by_place: dict[str, list[str]] = {}
    for name, place in outputs.items():
        by_place.setdefault(place, []).append(name)
    rows = [(", ".join(names), place) for place, names in by_place.items()]
    longest = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    if sum(longest) + 4 <= width:
        table = listing("name", "place", header=False)
        for names, place in rows:
            table.add_row("", names, Text(place, style="dim"))
        return Group(title, table)
    lines = [
        line
        for names, place in rows
        for line in (Text(f"  {names}"), _whole(f"    {place}", "dim"))
    ]
    return Group(title, *lines)


def steps_view(steps: Sequence[tuple[str, str]]) -> RenderableType:
    """What to try next; a command is never broken, so that it can be copied.

    Args:
        steps: Commands, each with what it shows.
    """
    lines = [
        line
        for command, what in steps
        for line in (Text(f"  # {what}", style="dim"), _whole(f"  {command}", "cyan"))
    ]
    return Group(Text("Next", style="bold"), *lines)


def _whole(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ignore")
