"""Topics: what was done about them, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import count, listing

__all__ = ["milliseconds", "outcomes_view", "topic_view", "topics_view"]

Plain = Mapping[str, Any]

_TOLD: Final = (
    "retention.ms",
    "retention.bytes",
    "compression.type",
    "cleanup.policy",
    "min.insync.replicas",
    "max.message.bytes",
    "segment.bytes",
)
"""Settings worth a line; ``--json`` has them all."""


def milliseconds(text: str) -> str:
    """A time in ms as days or hours too, where it is a whole number of them."""
    value = int(text) if text.lstrip("-").isdigit() else 0
    if value == -1:
        return "for ever"
    for size, unit in ((86_400_000, "d"), (3_600_000, "h")):
        if value and value % size == 0:
            return f"{value // size} {unit} ({text} ms)"
    return text


def outcomes_view(outcomes: Sequence[Plain]) -> RenderableType:
    """What ``create`` did about each topic.

    Args:
        outcomes: The fields of ``TopicOutcome`` as plain values.
    """
    table = listing("topic", "", "copies", "", right=("copies",), header=False)
    for outcome in outcomes:
        differences = outcome["differences"]
        notes = [
            f"{_name(difference)} is {_value(difference, 'found')}, "
            f"should be {_value(difference, 'wanted')}"
            for difference in differences
        ]
        if outcome["clamped"]:
            notes.insert(0, "fewer copies than usual: there are not more brokers")
        state = (
            Text("created", style="green")
            if outcome["created"]
            else Text(
                "differs" if differences else "as it should be",
                style="yellow" if differences else "dim",
            )
        )
        copies = f"{outcome['replication']} cop{'y' if outcome['replication'] == 1 else 'ies'}"
        table.add_row("", outcome["name"], state, copies, Text("\n".join(notes), style="dim"))
    return table


def topics_view(states: Sequence[Plain]) -> RenderableType:
    """A line per topic.

    Args:
        states: Topics as plain values, with ``records``.
    """
    numbers = ("partitions", "copies", "records")
    table = listing("topic", *numbers, "retention", right=numbers)
    for state in states:
        table.add_row(
            "",
            state["name"],
            count(len(state["partitions"])),
            count(state["replication"]),
            count(state["records"]),
            milliseconds(state["config"].get("retention.ms", "")),
        )
    return table


def topic_view(state: Plain) -> RenderableType:
    """One topic with its settings and partitions.

    Args:
        state: The topic as plain values, with ``records``.
    """
    head = Text.assemble((state["name"], "bold"), f"  {count(state['records'])} records")
    if state["topic_id"]:
        head.append(f"  id {state['topic_id']}", style="dim")
    settings = listing("setting", "value", header=False)
    for key in _TOLD:
        if key in state["config"]:
            value = state["config"][key]
            settings.add_row("", key, milliseconds(value) if key.endswith(".ms") else value)
    numbers = ("partition", "leader", "first", "end", "records")
    partitions = listing(*numbers, "copies", "in sync", right=numbers)
    for partition in state["partitions"]:
        behind = set(partition["replicas"]) - set(partition["in_sync"])
        partitions.add_row(
            "",
            str(partition["number"]),
            Text("none", style="red") if partition["leader"] < 0 else str(partition["leader"]),
            count(partition["first"]),
            count(partition["end"]),
            count(partition["end"] - partition["first"]),
            _nodes(partition["replicas"]),
            Text(_nodes(partition["in_sync"]), style="yellow" if behind else ""),
        )
    return Group(head, settings, partitions, Text())


def _nodes(nodes: Sequence[int]) -> str:
    return ", ".join(map(str, nodes))


def _name(difference: Plain) -> str:
    return str(difference["what"])


def _value(difference: Plain, which: str) -> str:
    text = str(difference[which]) or "not set"
    return milliseconds(text) if _name(difference).endswith(".ms") else text
