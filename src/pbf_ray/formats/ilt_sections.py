"""What names and parameter files of ILT archives say about their sections."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "Section",
    "parameter_block",
    "parameter_sections",
    "section_of",
    "stem_of",
    "style_of",
]

_MAGICS: Final = re.compile(
    r"(?P<model>.+_\d+)_(?P<area>st|k|s\d*)_(?P<class>vs|vk|us|uk|kv|kvu|sx|skin)", re.IGNORECASE
)
_NETFABB: Final = re.compile(
    r"(?P<model>.+?)(?P<support> \((?:solid)?support\))?(?P<filling> \(filling\))?", re.IGNORECASE
)
_3DXPERT: Final = re.compile(
    r"(?P<model>.+_\d+)_(?P<style>.+?)_(?P<position>(?:c\d+)?(?:up|md|dn))", re.IGNORECASE
)

_CLASSES: Final = {
    "vs": "volume hatch",
    "vk": "volume contour",
    "us": "downskin hatch",
    "uk": "downskin contour",
    "sx": "support",
}
"""Classes of Magics whose meaning is public; the others are kept as they are."""

_LENGTHS_UM: Final = {"µm": 1.0, "um": 1.0, "mm": 1000.0, "m": 1e6}
_LENGTHS_MM: Final = {"mm": 1.0, "µm": 1e-3, "um": 1e-3, "m": 1000.0}
_TIMES_US: Final = {"µs": 1.0, "us": 1.0, "ms": 1000.0, "s": 1e6, "ns": 1e-3}
_SPEEDS: Final = {"mm/s": 1.0, "m/s": 1000.0, "mm/min": 1 / 60}
_POWERS: Final = {"watt": 1.0, "w": 1.0, "kw": 1000.0, "mw": 1e-3}

_PARAMETERS: Final[dict[str, tuple[str, dict[str, float]]]] = {
    "LaserPower": ("laser_power_w", _POWERS),
    "LaserSpeed": ("speed_mm_s", _SPEEDS),
    "FocusShift": ("focus_mm", _LENGTHS_MM),
    "PointDistance": ("point_distance_um", _LENGTHS_UM),
    "ExposureTime": ("exposure_time_us", _TIMES_US),
    "PointDelay": ("point_delay_us", _TIMES_US),
    "JumpSpeed": ("jump_speed_mm_s", _SPEEDS),
    "JumpDelay": ("jump_delay_us", _TIMES_US),
    "SpotSize": ("spot_size_um", _LENGTHS_UM),
}
"""Keys of parameter files; a value without a unit is in the first one.

The first five are in files of machines, the others are ours.
"""

_BY_LOWER: Final = {key.lower(): known for key, known in _PARAMETERS.items()}

_NUMBER: Final = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(.*)")


@dataclass(frozen=True)
class Section:
    """What the name of a member says.

    Attributes:
        model: The model that it is part of; empty, if the name is of no known kind.
        description: What is exposed, in words; empty where that is not public.
        parameters: What else the name says, by word: area, class, style, position.
    """

    model: str = ""
    description: str = ""
    parameters: tuple[tuple[str, str], ...] = field(default=())


def section_of(member: str) -> Section:
    """What the name of a member says; of an unknown kind, nothing.

    Names of Magics (``part_001_s1_vs.cli``), Netfabb (``part (support) (filling).cli``) and 3DXpert
    (``part_1_style_c2up.cli``) are known.
    """
    stem = stem_of(member)
    if found := _MAGICS.fullmatch(stem):
        name = found["class"].lower()
        pairs = (("area", found["area"].lower()), ("class", name))
        return Section(found["model"], _CLASSES.get(name, ""), pairs)
    if (found := _NETFABB.fullmatch(stem)) and (found["support"] or found["filling"]):
        words = [found[name].strip(" ()").lower() for name in ("support", "filling") if found[name]]
        return Section(found["model"], " ".join(words), tuple((word, "true") for word in words))
    if found := _3DXPERT.fullmatch(stem):
        pairs = (("style", found["style"]), ("position", found["position"].lower()))
        return Section(found["model"], "", pairs)
    return Section()


def stem_of(member: str) -> str:
    """A member's name without folders and without ``.cli``."""
    name = re.split(r"[/\\]", member)[-1]
    return name[:-4] if name.lower().endswith(".cli") else name


def parameter_sections(data: bytes) -> dict[str, dict[str, str]]:
    """The blocks of a parameter file: key and value, by member name in lower case, without folders.

    Args:
        data: UTF-8 or Windows-1252 text; whatever is no ``[name]`` or ``key = value`` is left out.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in re.split(r"\r\n|\r|\n", text):
        line = line.strip()
        if line.startswith((";", "#")):
            continue
        if line.startswith("[") and line.endswith("]"):
            name = re.split(r"[/\\]", line[1:-1].strip())[-1].lower()
            current = sections.setdefault(name, {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current[key.strip()] = value.strip()
    return sections


def style_of(style_id: int, member: str, values: dict[str, str]) -> dict[str, Any]:
    """The build style of a member; what the parameter file does not say is None.

    Args:
        style_id: Its number.
        member: Name of the member.
        values: Its block of the parameter file. Keys that are not known, and values that are no
            number in a known unit, go to ``parameters`` as they are.
    """
    section = section_of(member)
    style: dict[str, Any] = {
        "build_style_id": style_id,
        "model_id": None,
        "laser_id": None,
        "name": stem_of(member),
        "description": section.description,
        **{name: None for name, _ in _PARAMETERS.values()},
        "parameters": list(section.parameters),
        "raw_tags": [],
    }
    for key, value in values.items():
        known = _BY_LOWER.get(re.sub(r"[\s_]", "", key).lower())
        number = _in_unit(value, known[1]) if known else None
        if known is None or number is None:
            style["parameters"].append((key, value))
        else:
            style[known[0]] = number
    return style


def parameter_block(member: str, style: dict[str, Any] | None) -> str:
    """A build style as a block of a parameter file; the reverse of ``style_of``."""
    lines = [f"[{member}]"]
    if style is not None:
        for key, (column, units) in _PARAMETERS.items():
            if style[column] is not None:
                lines.append(f"{key} = {style[column]!r} {next(iter(units))}")
        said = dict(section_of(member).parameters)
        lines += [f"{key} = {value}" for key, value in style["parameters"] if key not in said]
    return "\r\n".join([*lines, "", ""])


def _in_unit(value: str, units: dict[str, float]) -> float | None:
    # µ has two code points, and is often decoded from the wrong code page.
    value = value.replace("\N{GREEK SMALL LETTER MU}", "µ").replace("Âµ", "µ")
    found = _NUMBER.fullmatch(value)
    if not found:
        return None
    unit = found[2].strip().lower() or next(iter(units))
    scale = units.get(unit)
    number = float(found[1].replace(",", "."))
    if scale is None or abs(number) == float("inf"):
        return None
    return number if scale == 1.0 else number * scale
