"""America Makes scan XML by the standard library's parser: the other opinion on it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

from support.build_rows import Row, as_row

__all__ = ["expected_rows", "laser_numbers", "segment"]


def segment(style: str, x: object, y: object) -> str:
    """A segment as text."""
    return f"<Segment><SegStyle>{style}</SegStyle><End><X>{x}</X><Y>{y}</Y></End></Segment>"


def laser_numbers(names: list[str]) -> dict[str, int]:
    """Whole numbers as they are, letters by the alphabet: for files without other names."""
    return {
        name: int(name) if name.lstrip("-").isdigit() else ord(name.lower()) - ord("a") + 1
        for name in names
    }


def expected_rows(content: bytes | str) -> list[Row]:
    """What a reader is to make of a file; written from the schema, not from the C++."""
    root = ET.fromstring(content)  # noqa: S314 - of our own making, or in shared data
    names = [node.findtext("ID", "").strip() for node in root.iter("Traveler")]
    lasers = laser_numbers(names)
    styles: dict[str, list[tuple[int, int | None]]] = {}
    off: set[str] = set()
    number = 0
    for style in root.iter("SegmentStyle"):
        name = _text(style, "ID")
        travelers = [lasers[_text(node, "ID")] for node in style.findall("Traveler")]
        if not travelers:
            off.add(name)
        exposures: list[int | None] = [*travelers] or [None]
        styles.setdefault(name, [(number + place, laser) for place, laser in enumerate(exposures)])
        number += len(exposures)
    tags: list[str] = []
    rows: list[Row] = []
    for path in root.iter("Path"):
        tag = path.findtext("Tag")
        if tag is not None and tag.strip() not in tags:
            tags.append(tag.strip())
        model = None if tag is None else tags.index(tag.strip())
        rows += _path_rows(path, model, styles, off)
    for region in root.iter("Region"):
        tag = _text(region, "Tag")
        if tag not in tags:
            tags.append(tag)
        rows += _region_rows(root, region, tags.index(tag))
    return rows


def _text(node: Any, name: str) -> str:
    return str(node.findtext(name, "")).strip()


def _point(node: Any) -> tuple[float, float]:
    return float(_text(node, "X")), float(_text(node, "Y"))


def _path_rows(
    path: Any,
    model: int | None,
    styles: dict[str, list[tuple[int, int | None]]],
    off: set[str],
) -> list[Row]:
    hatch = _text(path, "Type").lower() == "hatch"
    at = _point(path.find("Start"))
    runs: list[tuple[str, list[tuple[float, float]]]] = []
    for node in path.findall("Segment"):
        style, end = _text(node, "SegStyle"), _point(node.find("End"))
        if not runs or runs[-1][0] != style:
            runs.append((style, [at]))
        runs[-1][1].append(end)
        at = end
    rows: list[Row] = []
    last: int | None = None
    for style, points in runs:
        jump = style in off
        kind = "jump" if jump else "hatch" if hatch else "contour"
        if kind == "hatch":
            points = [point for pair in pairwise(points) for point in pair]
        for build_style, laser in styles[style]:
            rows.append(
                as_row(
                    0,
                    kind,
                    points,
                    model_id=model,
                    build_style_id=build_style,
                    laser_id=last if jump else laser,
                )
            )
        if not jump:
            last = styles[style][0][1] if len(styles[style]) == 1 else None
    return rows


def _region_rows(root: Any, region: Any, model: int) -> list[Row]:
    vertices = [_point(node) for node in root.iter("Vertex")]
    lines: list[list[int]] = []
    for edge in region.findall("Edge"):
        start, end = int(_text(edge, "Start")) - 1, int(_text(edge, "End")) - 1
        if not lines or lines[-1][-1] != start:
            lines.append([start])
        lines[-1].append(end)
    return [
        as_row(0, "contour", [vertices[place] for place in line], model_id=model) for line in lines
    ]
