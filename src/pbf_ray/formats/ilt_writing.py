"""Writes ILT archives: a CLI file for each model and build style, and their parameters."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.ilt import PARAMETER_FILE
from pbf_ray.formats.ilt_sections import parameter_block, section_of
from pbf_ray.formats.layer_columns import NO_ID, LayerColumns, option_texts

__all__ = ["IltWriter"]

_MOST_SECTIONS: Final = 500
"""Each section is an open file while layers come."""

_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of all members, so that the same build gives the same bytes."""

_ZIP32: Final = 1 << 31
"""Members from this size on need the large form of the archive."""

_OUTSIDE: Final = str.maketrans(dict.fromkeys('/\\:*?"<>|[]', "_"))
"""Characters that a member's name does not have."""


@dataclass
class _Section:
    """A member that is being written."""

    name: str
    style: dict[str, Any] | None
    path: Path
    writer: _core.Writer
    rank: tuple[int, int]  # where it stands among all


class IltWriter:
    """A ``LayerWriter`` for ILT.

    Args:
        path: Where the archive goes; None: ``finish`` gives it.
        options: Those of CLI, for the sections.
    """

    def __init__(self, path: str | None, options: dict[str, object]) -> None:
        self._path = path
        self._options = option_texts(options)
        self._folder = tempfile.TemporaryDirectory(prefix="pbf-ray-ilt-")
        self._header: dict[str, Any] = {}
        self._places: dict[tuple[int | None, int | None], int] = {}
        self._sections: dict[int, _Section] = {}  # by model and build style
        self._empty: list[float] = []  # heights below the first geometry
        self._lost: list[str] = []

    def begin(self, header: dict[str, Any]) -> None:
        """Takes the header; sections begin when they have a geometry."""
        self._header = header
        self._places = {
            (style["model_id"], style["build_style_id"]): place
            for place, style in enumerate(header["build_styles"])
        }
        # Refuses what CLI is not written with before any layer comes.
        _core.Writer("cli", None, self._options)
        if header["raw_tags"]:
            self._lose("raw tags")

    def layer(self, columns: LayerColumns) -> None:
        """Writes the layer to all sections that have begun, and begins those that are new."""
        codes = columns.model_id.astype(np.int64) << 32 | columns.build_style_id.astype(np.uint32)
        distinct, first, place = np.unique(codes, return_index=True, return_inverse=True)
        keys = [(int(columns.model_id[row]), int(columns.build_style_id[row])) for row in first]
        for row in np.argsort(first):
            if int(distinct[row]) not in self._sections:
                self._sections[int(distinct[row])] = self._begin_section(*keys[row])
        if not self._sections:
            self._empty.append(columns.z_mm)
            return
        ranks = [self._sections[int(code)].rank for code in distinct]
        order = np.array([sorted(ranks).index(rank) for rank in ranks], np.int64)
        if len(codes) and np.any(np.diff(order[place]) < 0):
            self._lose("the order of exposure between sections")
        if np.any(columns.laser_id != NO_ID):
            self._lose("laser_id")
        for code, section in self._sections.items():
            self._write(section, columns, codes == code)

    def _write(self, section: _Section, columns: LayerColumns, mine: Any) -> None:
        rows = {
            name: values[mine]
            for name, values in vars(columns).items()
            if name not in {"z_mm", "x_mm", "y_mm"}
        }
        # Ids of styles and lasers are said by the section, and are no loss.
        rows["build_style_id"] = np.full_like(rows["build_style_id"], NO_ID)
        rows["laser_id"] = np.full_like(rows["laser_id"], NO_ID)
        section.writer.layer(z_mm=columns.z_mm, x_mm=columns.x_mm, y_mm=columns.y_mm, **rows)
        for what in section.writer.lost:
            self._lose(what)

    def _begin_section(self, model_id: int, build_style_id: int) -> _Section:
        if len(self._sections) >= _MOST_SECTIONS:
            raise BuildFileError(
                self._path or "<bytes>",
                f"ILT with more than {_MOST_SECTIONS} sections (a model and a build style each)",
                code="not_representable",
            )
        models = [row for row in self._header["models"] if row["model_id"] == _id(model_id)]
        style = self._style(model_id, build_style_id)
        if style is None and build_style_id != NO_ID:
            self._lose("ids of build styles that the header does not have")
        if style is not None:
            if style["raw_tags"]:
                self._lose("raw tags of build styles")
            if style["laser_id"] is not None:
                self._lose("laser_id of build styles")
            if style["description"] not in {"", section_of(f"{style['name']}.cli").description}:
                self._lose("descriptions of build styles")
        name = self._name(model_id, build_style_id, style)
        path = Path(self._folder.name) / f"{len(self._sections)}.cli"
        writer = _core.Writer("cli", str(path), self._options)
        header = {**self._header, "format": "cli", "models": models, "build_styles": []}
        writer.begin({**header, "metadata": [], "raw_tags": []})
        for z_mm in self._empty:
            writer.layer(**vars(LayerColumns.empty(z_mm)))
        self._empty.clear()
        return _Section(name, style, path, writer, self._rank(model_id, build_style_id))

    def _style(self, model_id: int, build_style_id: int) -> dict[str, Any] | None:
        place = self._places.get((_id(model_id), _id(build_style_id)))
        if place is None:
            place = self._places.get((None, _id(build_style_id)))
        return None if place is None else self._header["build_styles"][place]

    def _rank(self, model_id: int, build_style_id: int) -> tuple[int, int]:
        """Where a section stands among all: as its style does in the header, then by its model."""
        style = self._style(model_id, build_style_id)
        styles = self._header["build_styles"]
        place = len(styles) if style is None else styles.index(style)
        return place, model_id

    def _name(self, model_id: int, style_id: int, style: dict[str, Any] | None) -> str:
        """The style's own name, if it is one and nobody has it; else one of the two numbers."""
        taken = {section.name.lower() for section in self._sections.values()}
        said = str(style["name"]) if style is not None else ""
        own = said.translate(_OUTSIDE).strip()
        if own and own.isprintable() and f"{own}.cli".lower() not in taken:
            if own != said:
                self._lose("characters of names of build styles")
            return f"{own}.cli"
        numbers = [0 if number == NO_ID else number for number in (model_id, style_id)]
        return f"modelsection_{numbers[0]:03d}_style_{numbers[1]:03d}.cli"

    def finish(self) -> bytes | None:
        """Packs all sections; gives the archive, where no path was named."""
        if not self._sections:
            self._sections[0] = self._begin_section(NO_ID, NO_ID)
        target = io.BytesIO() if self._path is None else self._path
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            blocks = ["; Build Parameter File\r\n"]
            blocks += [
                f"; {key}: {' '.join(value.split())}\r\n"
                for key, value in self._header["metadata"]
                if key != "member"
            ]
            blocks.append("\r\n")
            for section in sorted(self._sections.values(), key=lambda one: one.rank):
                section.writer.finish()
                size = section.path.stat().st_size
                with (
                    section.path.open("rb") as unpacked,
                    archive.open(_info(section.name), "w", force_zip64=size > _ZIP32) as packed,
                ):
                    shutil.copyfileobj(unpacked, packed)
                section.path.unlink()
                blocks.append(parameter_block(section.name, section.style))
            text = "".join(blocks)
            archive.writestr(_info(PARAMETER_FILE), text.encode(_encoding(text)))
        return target.getvalue() if isinstance(target, io.BytesIO) else None

    def close(self) -> None:
        """Removes the unpacked sections."""
        self._sections.clear()
        self._folder.cleanup()

    @property
    def lost(self) -> list[str]:
        """What was left out so far."""
        return self._lost

    def _lose(self, what: str) -> None:
        if what not in self._lost:
            self._lost.append(what)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _id(number: int) -> int | None:
    return None if number == NO_ID else number


def _encoding(text: str) -> str:
    """Windows-1252 as machines have it, where that will do."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return "utf-8"
    return "cp1252"
