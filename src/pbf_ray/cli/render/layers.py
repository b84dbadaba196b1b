"""Layers and their quality."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.fitting import FittedColumn, fitted_table
from pbf_ray.cli.render.text import count

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


def layers_table(rows: Sequence[Row], *, width: int) -> RenderableType:
    """A line per layer; channels without data, or without room, are left out.

    Args:
        rows: Rows of ``layer_quality``.
        width: Columns of the terminal.
    """

    def cells(text: Callable[[Row], str]) -> list[Text]:
        return [Text(text(row)) for row in rows]

    return fitted_table(
        [
            FittedColumn("build", cells(lambda row: _key(row["build_id"])), fold=True),
            FittedColumn("layer", cells(lambda row: _key(row["layer"])), right=True),
            FittedColumn("records", cells(lambda row: count(row["n"])), right=True),
            *[
                FittedColumn(
                    heading, [Text(_mean(row, name, decimals)) for row in rows], True, spare=spare
                )
                for spare, (name, heading, decimals) in enumerate(_MEASURED, start=1)
            ],
            FittedColumn("anomalies", [_anomalies(row) for row in rows], right=True),
            FittedColumn("quality", [_score_text(row) for row in rows]),
            FittedColumn("revision", cells(_revision), right=True, spare=len(_MEASURED) + 1),
        ],
        width=width,
    )


def _anomalies(row: Row) -> Text:
    return Text(count(row["anomalies"]), style="red" if row["anomalies"] else "dim")


def _score_text(row: Row) -> Text:
    text = verdict(row)
    return Text(text, style=_SCORE_STYLES.get(_score(text), "dim"))


def _revision(row: Row) -> str:
    return str(row["revision"]) if row["revision"] > 1 else ""


def _mean(row: Row, channel: str, decimals: int) -> str:
    mean, spread = row[f"{channel}_avg"], row[f"{channel}_std"]
    if mean is None:
        return "-"
    if not math.isfinite(mean):
        return str(mean)
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
