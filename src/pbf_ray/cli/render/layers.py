"""Layers and their quality."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import count, listing

__all__ = ["NOT_ENOUGH_DATA", "layers_table", "layers_view", "verdict"]

NOT_ENOUGH_DATA: Final = "not enough data"
"""Where a layer has no spread of temperature: semantics.md gives 0.4, which says nothing."""

_SCORE_STYLES: Final = {1.0: "green", 0.8: "green", 0.6: "yellow", 0.4: "red"}

_MEASURED: Final = (
    ("temperature", "temperature degC", 1),
    ("pressure", "pressure bar", 3),
    ("laser_power", "laser power W", 1),
    ("scan_speed", "scan speed m/s", 3),
)
"""Channels, their headings, and the decimals worth showing."""
_WIDE: Final = 110

Row = Mapping[str, Any]


def verdict(row: Row) -> str:
    """The quality score as text, or that there is not enough data for one.

    Args:
        row: A row of ``layer_quality``.
    """
    if int(row["n"]) < 2 or row["temperature_std"] is None:
        return NOT_ENOUGH_DATA
    return f"{row['quality_score']:.1f}"


def layers_view(rows: Sequence[Row], total: int, *, most: int, width: int) -> RenderableType:
    """How many layers have which score, and the worst of them.

    Args:
        rows: Rows of ``layer_quality``.
        total: Layers that the job has closed; may be more than the rows.
        most: Most layers to list.
        width: Columns of the terminal.
    """
    title = Text.assemble(("Layers", "bold"), f"  {count(total)} closed")
    if not rows:
        return title
    scores = Counter(map(verdict, rows))
    known = sorted((score for score in scores if score != NOT_ENOUGH_DATA), reverse=True)
    spread = Text("  quality  ", style="dim")
    for index, score in enumerate([*known, NOT_ENOUGH_DATA]):
        if scores[score]:
            style = _SCORE_STYLES.get(_score(score), "dim")
            spread.append(",  " if index and spread.plain.strip() != "quality" else "")
            spread.append(score, style=style)
            spread.append(f": {count(scores[score])}")
    worst = sorted(rows, key=_worst_first)[:most]
    parts: list[RenderableType] = [title, spread]
    if len(worst) < total:
        parts.append(Text(f"  the {len(worst)} that need a look first:", style="dim"))
    return Group(*parts, layers_table(worst, width=width))


def layers_table(rows: Sequence[Row], *, width: int, revision: bool = False) -> RenderableType:
    """A line per layer.

    Args:
        rows: Rows of ``layer_quality``.
        width: Columns of the terminal; from 110 on all channels are shown.
        revision: Whether to show how often the layer was closed again.
    """
    measured = _MEASURED if width >= _WIDE else _MEASURED[:2]
    headings = [heading for _, heading, _ in measured]
    columns = ["build", "layer", "records", *headings, "anomalies", "quality"]
    right = ["layer", "records", *headings, "anomalies"]
    if revision:
        columns.append("revision")
        right.append("revision")
    table = listing(*columns, right=tuple(right))
    for row in rows:
        score = verdict(row)
        cells: list[str | Text] = [
            "",
            _key(row["build_id"]),
            _key(row["layer"]),
            count(row["n"]),
            *[_mean(row, name, decimals) for name, _, decimals in measured],
            Text(count(row["anomalies"]), style="red" if row["anomalies"] else "dim"),
            Text(score, style=_SCORE_STYLES.get(_score(score), "dim")),
        ]
        if revision:
            cells.append(str(row["revision"]))
        table.add_row(*cells)
    return table


def _mean(row: Row, channel: str, decimals: int) -> str:
    mean, spread = row[f"{channel}_avg"], row[f"{channel}_std"]
    if mean is None:
        return "-"
    text = f"{mean:.{decimals}f}"
    return text if spread is None else f"{text} ± {spread:.{decimals}f}"


def _key(value: Any) -> str:
    return "null" if value is None else str(value)


def _score(text: str) -> float:
    return math.nan if text == NOT_ENOUGH_DATA else float(text)


def _worst_first(row: Row) -> tuple[Any, ...]:
    score = _score(verdict(row))
    layer = row["layer"]
    return (
        math.isnan(score),
        0.0 if math.isnan(score) else score,
        -row["anomalies"],
        _key(row["build_id"]),
        -1 if layer is None else layer,
    )
