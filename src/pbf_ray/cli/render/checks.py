"""What ``doctor`` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import listing

__all__ = ["check_line", "verdict_line"]

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}

Plain = Mapping[str, Any]


def check_line(check: Plain) -> RenderableType:
    """One check: status, name, what was found, and below it what to do.

    Args:
        check: The fields of ``Check`` as plain values.
    """
    status = str(check["status"])
    table = listing("status", "name", "found", header=False)
    table.columns[1].width, table.columns[2].width = 4, 16
    found: RenderableType = Text(str(check["found"]))
    if check["advice"]:
        found = Group(found, Text(f"to do: {check['advice']}", style=_STYLES[status]))
    table.add_row("", Text(status, style=_STYLES[status]), str(check["name"]), found)
    return table


def verdict_line(checks: Sequence[Plain]) -> Text:
    """How many checks there were of each status.

    Args:
        checks: All of them.
    """
    counts = Counter(str(check["status"]) for check in checks)
    if counts["fail"]:
        return Text(f"{counts['fail']} of {len(checks)} checks failed", style=_STYLES["fail"])
    if counts["warn"]:
        text = f"ready, with {counts['warn']} remark{'s' if counts['warn'] > 1 else ''}"
        return Text(text, style=_STYLES["warn"])
    return Text(f"ready: all {len(checks)} checks are well", style=_STYLES["ok"])
