"""The settings, by section: key, value, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pbf_ray.cli.render.text import listing

__all__ = ["settings_view"]


def settings_view(
    values: Iterable[tuple[str, Any]], sources: Mapping[str, str], described: Mapping[str, str]
) -> RenderableType:
    """All settings, those that are not defaults standing out.

    Args:
        values: Dotted keys and plain values, secrets masked.
        sources: Where each came from, by dotted key.
        described: What each is, by dotted key; keys that are missing have no description.
    """
    parts: list[RenderableType] = []
    for section, rows in _by_section(values):
        parts.append(Text(f"[{section}]", style="bold cyan"))
        table = listing("key", "value", "from", header=False)
        for name, value in rows:
            key = f"{section}.{name}"
            source = sources.get(key, "default")
            style = "dim" if source == "default" else ""
            shown = (name, Text(_text(value), style=style), Text(source, style=style))
            if key not in described:
                table.add_row("", *shown)
                continue
            # A line of its own over the whole width, so the columns cannot go on below it.
            parts.append(Text.assemble("  ", name, " = ", shown[1], "  ", (f"({source})", style)))
            parts.append(Padding(Text(described[key], style="italic dim"), (0, 0, 0, 6)))
        if table.row_count:
            parts.append(table)
        parts.append(Text())
    return Group(*parts[:-1])


def _by_section(values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    sections: dict[str, list[tuple[str, Any]]] = {}
    for key, value in values:
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append((name, value))
    yield from sections.items()


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value == {}:
        return "none"
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    return str(value)
