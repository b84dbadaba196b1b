"""The container of MTT and SLM files in plain Python; its tags are in docs/formats.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pbf_ray.errors import BuildFileError
from pbf_ray.formats.reference.build import (
    ID_BITS,
    ReferenceBuild,
    ReferenceGeometry,
    ReferenceLayer,
    damage_in,
    shown,
)

__all__ = ["read_tlv"]

_GEOMETRIES: Final = {11: ("contour", 19, 8), 12: ("hatch", 20, 16), 28: ("points", 29, 8)}
_COORDINATES: Final = {19, 20, 29}
_FLOATS: Final = {15: "speed_mm_s", 16: "laser_power_w", 17: "focus_mm"}
_NUMBERS: Final = {25: "point_distance_um", 26: "exposure_time_us"}
_ASCII: Final = {2: "file_ident", 42: "uid", 47: "build_processor_time"}
_UTF16: Final = {
    35: "build_processor_info",
    36: "material",
    45: "build_processor",
    46: "build_processor_version",
}


def read_tlv(data: bytes, name: str = "<bytes>") -> ReferenceBuild:
    """Read an MTT or SLM file that has a table of layers.

    Args:
        data: The file.
        name: What it is called in errors.

    Raises:
        BuildFileError: The file is damaged; code and byte offset as of the core. A file whose
            header names no table is an error here ("bad_header"); the core reads on without.
    """
    return _Reader(data, name).read()


@dataclass(frozen=True)
class _Section:
    tag: int
    at: int  # of the tag
    first: int  # of the payload
    end: int


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.damage = damage_in(name)
        self.metadata: list[tuple[str, str]] = []
        self.models: list[dict[str, Any]] = []
        self.build_styles: list[dict[str, Any]] = []
        self.z_units_per_mm: int | None = None
        self.table: tuple[int, int] | None = None
        self.only_slm = False

    def read(self) -> ReferenceBuild:
        size = len(self.data)
        if size == 0:
            raise self.damage("bad_magic", 0, "an empty file")
        tag, position = self.number(0, size)
        if tag != 1:
            raise self.damage("bad_magic", 0, "no header")
        length, position = self.number(position, size)
        if length > size - position:
            raise self.damage("truncated", position, "no whole header")
        for section in self.sections(position, position + length):
            self.header_section(section)
        for section in self.sections(position + length, size):
            if section.tag in {8, 10, 21}:
                break
            self.header_section(section)
        layers = [self.layer(z_mm, section) for z_mm, section in self.index()]
        ident = dict(self.metadata).get("file_ident", "").lower()
        slm = "mtt" not in ident and ("slm" in ident or self.only_slm)
        return ReferenceBuild(
            "slm" if slm else "mtt", layers, self.models, self.build_styles, self.metadata
        )

    # Numbers and sections.

    def number(self, position: int, end: int) -> tuple[int, int]:
        if position >= end:
            raise self.damage("truncated", position, "no number")
        follow = self.data[position] >> 5
        if end - position < 1 + follow:
            raise self.damage("truncated", position, "no whole number")
        value = self.data[position] & 31
        for byte in self.data[position + 1 : position + 1 + follow]:
            value = value * 256 + byte
        return value, position + 1 + follow

    def section(self, at: int, end: int) -> _Section:
        tag, position = self.number(at, end)
        length, first = self.number(position, end)
        if length > end - first:
            raise self.damage("truncated", first, "no whole section")
        return _Section(tag, at, first, first + length)

    def sections(self, position: int, end: int) -> Iterator[_Section]:
        while position < end:
            section = self.section(position, end)
            yield section
            position = section.end

    def value(self, section: _Section) -> int | None:
        """The number that a section of the header holds; None if it holds none."""
        try:
            return self.number(section.first, section.end)[0]
        except BuildFileError:
            return None

    def identity(self, section: _Section) -> int | None:
        value = self.value(section)
        if value is not None and value >= 1 << ID_BITS:
            raise self.damage("bad_number", section.first, "no id")
        return value

    def utf16(self, section: _Section) -> str:
        raw = self.data[section.first : section.end]
        text = raw[: len(raw) // 2 * 2].decode("utf-16-le", "surrogatepass")
        text = text.removesuffix("\0")
        # What is half of a pair becomes U+FFFD; a decoder of Python's would leave it out of step.
        return "".join("\ufffd" if "\ud800" <= letter < "\ue000" else letter for letter in text)

    def holds_sections(self, section: _Section) -> bool:
        try:
            return bool(list(self.sections(section.first, section.end)))
        except BuildFileError:
            return False

    # The header.

    def header_section(self, section: _Section) -> None:
        self.only_slm = self.only_slm or 34 <= section.tag <= 48
        raw = self.data[section.first : section.end]
        if section.tag in _ASCII:
            text = shown(raw.removesuffix(b"\0"))
            self.metadata.append((_ASCII[section.tag], text))
        elif section.tag in _UTF16:
            self.metadata.append((_UTF16[section.tag], self.utf16(section)))
        elif section.tag == 3:
            major, position = self.number(section.first, section.end)
            minor, _ = self.number(position, section.end)
            self.metadata.append(("version", f"{major}.{minor}"))
        elif section.tag == 4:
            self.table = section.at, self.number(section.first, section.end)[0]
        elif section.tag == 5:
            self.model(section)
        elif section.tag == 27:
            self.z_units_per_mm = self.value(section)
            if self.z_units_per_mm is not None:
                self.metadata.append(("z_units_per_mm", str(self.z_units_per_mm)))
        elif section.tag == 43:
            if (value := self.value(section)) is not None:
                self.metadata.append(("build_info", str(value)))
        elif section.tag in {41, 44} and self.holds_sections(section):
            for inner in self.sections(section.first, section.end):
                self.header_section(inner)

    def model(self, section: _Section) -> None:
        model: dict[str, Any] = {"model_id": None, "name": "", "top_layer": None}
        family, description = "", ""
        styles = []
        for inner in self.sections(section.first, section.end):
            self.only_slm = self.only_slm or inner.tag in {37, 39, 48}
            if inner.tag == 6:
                model["model_id"] = self.identity(inner)
            elif inner.tag == 7:
                model["name"] = self.utf16(inner)
            elif inner.tag == 13:
                styles.append(self.build_style(inner))
            elif inner.tag == 22:
                model["top_layer"] = self.value(inner)
            elif inner.tag == 37:
                family = self.utf16(inner)
            elif inner.tag == 39:
                description = self.utf16(inner)
        model_id = model["model_id"]
        self.build_styles += [{**style, "model_id": model_id} for style in styles]
        self.models.append(model)
        key = "model" if model_id is None else f"model_{model_id}"
        if family:
            self.metadata.append((f"{key}_build_style_family", family))
        if description:
            self.metadata.append((f"{key}_build_style_family_description", description))

    def build_style(self, section: _Section) -> dict[str, Any]:
        style: dict[str, Any] = {"build_style_id": None, "description": ""}
        style |= dict.fromkeys([*_FLOATS.values(), *_NUMBERS.values()])
        for inner in self.sections(section.first, section.end):
            self.only_slm = self.only_slm or inner.tag in {34, 40}
            if inner.tag == 14:
                style["build_style_id"] = self.identity(inner)
            elif inner.tag in _FLOATS:
                raw = self.data[inner.first : inner.end]
                number = np.frombuffer(raw, "<f4")[0] if len(raw) == 4 else np.float32("nan")
                # As with all float32 of headers: the decimal number that somebody meant.
                style[_FLOATS[inner.tag]] = float(str(number)) if np.isfinite(number) else None
            elif inner.tag in _NUMBERS:
                value = self.value(inner)
                style[_NUMBERS[inner.tag]] = None if value is None else float(value)
            elif inner.tag == 40:
                style["description"] = self.utf16(inner)
        return style

    # Layers.

    def index(self) -> list[tuple[float | None, _Section]]:
        if self.table is None:
            raise self.damage("bad_header", 0, "no table of layers")
        named_at, position = self.table
        size = len(self.data)
        if position >= size:
            raise self.damage("truncated", size, "no table of layers")
        if self.number(position, size)[0] != 8:
            raise self.damage("bad_offset", named_at, "no table of layers")
        table = self.section(position, size)
        entries = [
            (entry.at, *self.entry(entry))
            for entry in self.sections(table.first, table.end)
            if entry.tag == 9
        ]
        behind = 0
        for at, _, layer in sorted(entries, key=lambda entry: (entry[2].at, entry[0])):
            if layer.at < behind:
                raise self.damage("inconsistent", at, "a layer within a layer")
            behind = layer.end
        return [(z_mm, layer) for _, z_mm, layer in entries]

    def entry(self, entry: _Section) -> tuple[float | None, _Section]:
        position, z_mm = None, None
        for inner in self.sections(entry.first, entry.end):
            if inner.tag == 23:
                position = self.number(inner.first, inner.end)[0]
            elif inner.tag == 24:
                value = self.number(inner.first, inner.end)[0]
                if self.z_units_per_mm:
                    z_mm = float(value) / float(self.z_units_per_mm)
        if position is None:
            raise self.damage("bad_offset", entry.at, "no position")
        try:
            layer = self.section(position, len(self.data))
        except BuildFileError:
            layer = None
        if layer is None or layer.tag != 10:
            raise self.damage("bad_offset", entry.at, "no layer")
        return z_mm, layer

    def layer(self, z_mm: float | None, layer: _Section) -> ReferenceLayer:
        geometries: list[ReferenceGeometry] = []
        for section in self.sections(layer.first, layer.end):
            if section.tag in _GEOMETRIES:
                geometries += self.geometries(section)
        return ReferenceLayer(z_mm, geometries)

    def geometries(self, section: _Section) -> list[ReferenceGeometry]:
        kind, coordinates, item_bytes = _GEOMETRIES[section.tag]
        model_id, build_style_id = None, None
        blocks = []
        for inner in self.sections(section.first, section.end):
            if inner.tag == 18:
                model_id, position = self.number(inner.first, inner.end)
                if model_id >= 1 << ID_BITS:
                    raise self.damage("bad_number", inner.first, "no id")
                build_style_id, _ = self.number(position, inner.end)
                if build_style_id >= 1 << ID_BITS:
                    raise self.damage("bad_number", inner.first, "no id")
            elif inner.tag in _COORDINATES:
                if inner.tag != coordinates:
                    raise self.damage("bad_command", inner.at, "coordinates of another kind")
                blocks.append(inner)
        if not blocks:
            points_mm = [np.empty((0, 2), np.float32)]
        else:
            points_mm = [self.points(block, item_bytes) for block in blocks]
        return [
            ReferenceGeometry(
                kind,
                points,
                _is_closed(points) if kind == "contour" else None,
                model_id,
                build_style_id,
            )
            for points in points_mm
        ]

    def points(self, block: _Section, item_bytes: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        if (block.end - block.first) % item_bytes:
            raise self.damage("bad_count", block.at, "no whole items")
        values = np.frombuffer(self.data[block.first : block.end], "<f4").astype(np.float32)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise self.damage("bad_number", block.first + 4 * int(wrong[0]), "not finite")
        return values.reshape(-1, 2)


def _is_closed(points: np.ndarray[Any, np.dtype[np.float32]]) -> bool:
    return len(points) > 2 and bool((points[0] == points[-1]).all())
