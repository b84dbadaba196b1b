"""What a reset would do, partition by partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.fitting import FittedColumn, fitted_table
from pbf_ray.cli.render.text import count

__all__ = ["reset_view"]


def reset_view(preview: Mapping[str, Any], *, width: int) -> RenderableType:
    """From where to where, and what it costs.

    Args:
        preview: The fields of ``ResetPreview`` as plain values.
        width: Columns of the terminal.
    """
    moves = preview["partitions"]
    head = Text.assemble("job ", (str(preview["job_id"]), "bold"), f" to {preview['to']}")

    def column(heading: str, name: str, style: str = "") -> FittedColumn:
        cells = [
            Text(count(move[name]) if move[name] else "-", style=style if move[name] else "dim")
            for move in moves
        ]
        return FittedColumn(heading, cells, right=True, spare=1)

    table = fitted_table(
        [
            FittedColumn(
                "partition", [Text(f"{move['topic']}/{move['partition']}") for move in moves]
            ),
            FittedColumn("from", [Text(count(move["from"])) for move in moves], right=True),
            FittedColumn("to", [Text(count(move["to"])) for move in moves], right=True),
            column("skipped", "skipped", "yellow"),
            column("read again", "again", "red"),
        ],
        width=width,
    )
    return Group(head, table, *(Text(f"  {line}", style=style) for line, style in _says(preview)))


def _says(preview: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if preview["unfinished"]:
        lines.append(("an earlier reset was interrupted; this one completes it", "yellow"))
    if preview["skipped"]:
        lines.append((f"{count(preview['skipped'])} offsets will never be read", "yellow"))
    if preview["clears"]:
        removed = f"{count(preview['rows'])} rows of the job are REMOVED"
        lines.append((f"{removed}, with its state and books; it begins anew", "bold red"))
    elif not preview["skipped"]:
        lines.append(("it stands there already", "green"))
    else:
        lines.append(("rows, state and books stay as they are", ""))
    return lines
