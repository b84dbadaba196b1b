"""The stores of the routes, and what retention removes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import count, listing

__all__ = ["prune_view", "store_line", "stores_verdict"]

Plain = Mapping[str, Any]


def store_line(check: Plain) -> RenderableType:
    """One store: whether it can be used, its name, its routes; below it what to do.

    Args:
        check: The fields of ``StoreCheck`` as plain values.
    """
    style = "green" if check["ok"] else "bold red"
    table = listing("status", "store", "routes", header=False)
    table.columns[1].width = 4
    lines: list[RenderableType] = [
        Text(str(check["store"])),
        Text(f"for {', '.join(check['routes'])}", style="dim"),
    ]
    if not check["ok"]:
        lines.append(Text(str(check["problem"])))
        if check["advice"]:
            lines.append(Text(f"to do: {check['advice']}", style=style))
    took = f"{check['took_ms']:.0f} ms" if check["ok"] else ""
    table.add_row("", Text("ok" if check["ok"] else "fail", style=style), Group(*lines), took)
    return table


def stores_verdict(checks: Sequence[Plain]) -> Text:
    """How many stores can be used.

    Args:
        checks: All of them.
    """
    failed = sum(not check["ok"] for check in checks)
    if failed:
        return Text(f"{failed} of {len(checks)} stores cannot be used", style="bold red")
    return Text(f"all {len(checks)} stores can be read and written", style="green")


def prune_view(tables: Sequence[Plain], blobs: Sequence[Plain] = ()) -> RenderableType:
    """What is older than its time, by table; what killed writers have left, by store of blobs.

    Args:
        tables: The fields of ``PrunedTable`` as plain values.
        blobs: The fields of ``SweptStore`` as plain values; those without leftovers are not shown.
    """
    view = listing("table", "tier", "kept since", "rows older", "store", right=("rows older",))
    for table in tables:
        before = table["before"]
        view.add_row(
            "",
            str(table["table"]),
            str(table["tier"]),
            "for ever" if before is None else f"{before[:10]}",
            "-" if before is None else count(int(table["rows"])),
            str(table["store"]),
        )
    lines = [
        Text(f"{count(int(one['leftovers']))} leftovers of killed writers in {one['store']}")
        for one in blobs
        if one["leftovers"]
    ]
    return Group(view, *lines)
