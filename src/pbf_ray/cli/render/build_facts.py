"""What a build file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.builds import size
from pbf_ray.cli.render.fitting import FittedColumn, fitted_table
from pbf_ray.cli.render.text import count, listing

__all__ = ["facts_view"]

_MOST_ROWS: Final = 12
_MOST_PROBLEMS: Final = 8
_STYLE_COLUMNS: Final = (
    ("laser_power_w", "W"),
    ("speed_mm_s", "mm/s"),
    ("exposure_time_us", "expose us"),
    ("point_distance_um", "points um"),
    ("point_delay_us", "delay us"),
    ("jump_speed_mm_s", "jump mm/s"),
    ("jump_delay_us", "jump us"),
    ("focus_mm", "focus mm"),
    ("spot_size_um", "spot um"),
)

Plain = Mapping[str, Any]


def facts_view(facts: Plain, *, width: int) -> RenderableType:
    """The facts of a build file.

    Args:
        facts: As ``describe_build`` gives them.
        width: Columns of the terminal.
    """
    head = Text.assemble(
        (str(facts["file"]).rpartition("/")[2], "bold"),
        f"  {facts['format']}, {size(facts['bytes'])}, {_number(facts['layers'], 'layer')}",
        no_wrap=True,
        overflow="ignore",
    )
    table = listing("what", "value", header=False)
    for name, value in _lines(facts):
        table.add_row("", Text(name, style="dim"), value)
    parts: list[RenderableType] = [head, table]
    if facts["models"]:
        parts += _rows("Models", facts["models"], _models(facts["models"][:_MOST_ROWS]), width)
    if facts["build_styles"]:
        styles = facts["build_styles"]
        parts += _rows("Build styles", styles, _styles(styles[:_MOST_ROWS]), width)
    if facts["metadata"]:
        parts += [Text(), Text("Header", style="bold")]
        header = listing("key", "value", header=False)
        for key, value in facts["metadata"]:
            header.add_row("", Text(key, style="dim"), Text(value))
        parts.append(header)
    for title, style, rows in (
        ("Warnings", "yellow", facts["warnings"]),
        ("Damage", "red", facts["damage"]),
    ):
        parts += _problems(title, style, rows)
    return Group(*parts)


def _lines(facts: Plain) -> list[tuple[str, str]]:
    lines = []
    if facts["z_mm"]:
        low, high = facts["z_mm"]
        without = facts["layers_without_z"]
        some = f", {_number(without, 'layer')} without" if without else ""
        lines.append(("z", f"{low + 0.0:g} to {high + 0.0:g} mm{some}"))
    elif facts["layers"]:
        lines.append(("z", "the file does not say"))
    if facts["layer_thickness_um"]:
        low, middle, high = facts["layer_thickness_um"]
        spread = "" if high - low < 0.5 else f" (from {low:.4g} to {high:.4g})"
        lines.append(("layer thickness", f"{middle:.4g} um{spread}"))
    if facts.get("bounding_box_mm"):
        x0, y0, x1, y1 = facts["bounding_box_mm"]
        lines.append(("bounding box", f"{_range('x', x0, x1)}, {_range('y', y0, y1)} mm"))
    if facts["dimension_mm"]:
        x0, y0, z0, x1, y1, z1 = facts["dimension_mm"]
        box = f"{_range('x', x0, x1)}, {_range('y', y0, y1)}, {_range('z', z0, z1)} mm"
        lines.append(("declared", box))
    if facts["unit_mm"] is not None:
        lines.append(("unit of the file", f"{facts['unit_mm']:g} mm"))
    if "geometries" in facts:
        for kind, number in facts["geometries"].items():
            if number:
                points = facts["points"][kind]
                unit = (
                    _number(points // 2, "vector") if kind == "hatch" else _number(points, "point")
                )
                lines.append((kind, f"{_number(number, 'geometry', 'geometries')}, {unit}"))
        if facts["empty_layers"]:
            lines.append(("empty layers", count(facts["empty_layers"])))
    return lines


def _number(number: int, one: str, many: str = "") -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _range(axis: str, low: float, high: float) -> str:
    # Files do say -0; adding 0 takes the sign off.
    return f"{axis} {low + 0.0:.7g} to {high + 0.0:.7g}"


def _rows(
    title: str, rows: Sequence[Plain], columns: Sequence[FittedColumn], width: int
) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(),
        Text.assemble((title, "bold"), f"  {count(len(rows))}"),
        fitted_table(columns, width=width),
    ]
    if len(rows) > _MOST_ROWS:
        parts.append(Text(f"  and {count(len(rows) - _MOST_ROWS)} more; --json has all", "dim"))
    return parts


def _models(rows: Sequence[Plain]) -> list[FittedColumn]:
    return [
        FittedColumn("id", [_id(row["model_id"]) for row in rows], right=True),
        FittedColumn("name", [Text(row["name"]) for row in rows], fold=True),
        FittedColumn("top layer", [_id(row["top_layer"]) for row in rows], right=True, spare=1),
    ]


def _styles(rows: Sequence[Plain]) -> list[FittedColumn]:
    return [
        FittedColumn("id", [_id(row["build_style_id"]) for row in rows], right=True),
        FittedColumn("model", [_id(row["model_id"]) for row in rows], right=True, spare=10),
        FittedColumn("laser", [_id(row["laser_id"]) for row in rows], right=True, spare=9),
        FittedColumn("name", [Text(row["name"]) for row in rows], fold=True, spare=11),
        *[
            FittedColumn(
                heading,
                [Text("-" if row[name] is None else f"{row[name]:g}") for row in rows],
                right=True,
                spare=place,
            )
            for place, (name, heading) in enumerate(_STYLE_COLUMNS, start=1)
        ],
    ]


def _id(value: int | None) -> Text:
    return Text("-" if value is None else str(value))


def _problems(title: str, style: str, rows: Sequence[Plain]) -> list[RenderableType]:
    if not rows:
        return []
    lines: list[RenderableType] = [Text(), Text(title, style=f"bold {style}")]
    for row in rows[:_MOST_PROBLEMS]:
        layer = "" if row["layer"] is None else f"layer {row['layer']}, "
        member = f"{row['member']}, " if row["member"] else ""
        lines.append(Text(f"  {member}{layer}byte {count(row['byte_offset'])}: {row['problem']}"))
    if len(rows) > _MOST_PROBLEMS:
        lines.append(Text(f"  and {count(len(rows) - _MOST_PROBLEMS)} more; --json has all", "dim"))
    return lines
