"""The line that says how a running job is getting on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pbf_ray.cli.render.text import count, duration

__all__ = ["Part", "progress_line", "progress_parts"]

_CALM: Final = frozenset({"running", "finished", "stopped"})

Part = tuple[str, str]
"""A piece of the line, and its style."""


def progress_parts(progress: Mapping[str, Any], elapsed_s: float) -> list[Part]:
    """The pieces of the line, the most important first.

    Args:
        progress: The fields of ``Progress`` as plain values; those that are missing are 0.
        elapsed_s: Time since the job was started.
    """

    def get(name: str) -> int:
        return int(progress.get(name, 0))

    def some(name: str, one: str, many: str) -> str:
        return f"{count(get(name))} {one if get(name) == 1 else many}"

    state = str(progress.get("state", "running"))
    if state == "starting":
        # Nothing is known yet, of a job that goes on neither: 0 records and no lag would be wrong.
        return [(duration(elapsed_s), "dim"), (state, "yellow")]
    lead = [] if state in _CALM else [(state, "yellow")]
    parts: list[Part] = [
        (duration(elapsed_s), "dim"),
        *lead,
        (some("consumed", "record", "records"), "bold"),
        (f"{count(round(float(progress.get('records_per_s', 0.0))))}/s", ""),
        (some("anomalies", "anomaly", "anomalies"), "red" if get("anomalies") else ""),
        (some("layers", "layer", "layers"), "green" if get("layers") else ""),
        (f"lag {count(get('lag'))}", ""),
    ]
    # What is worth a word only when it happens.
    parts += [
        (some(name, one, many), style)
        for name, one, many, style in (
            ("restarts", "restart", "restarts", "yellow"),
            ("dead_letters", "dead letter", "dead letters", "yellow"),
            ("late", "late", "late", "yellow"),
            ("pending", "pending", "pending", "dim"),
        )
        if get(name)
    ]
    return parts


def progress_line(
    progress: Mapping[str, Any], elapsed_s: float, width: int | None = None
) -> list[Part]:
    """As many pieces as fit, with their separators; joined they are the line.

    Args:
        progress: The fields of ``Progress`` as plain values.
        elapsed_s: Time since the job was started.
        width: Columns; None for all pieces.
    """
    line: list[Part] = []
    used = 0
    for text, style in progress_parts(progress, elapsed_s):
        separator = "  " if line else ""
        if width is not None and used + len(separator) + len(text) > width:
            break
        line.append((separator + text, style))
        used += len(separator) + len(text)
    return line
