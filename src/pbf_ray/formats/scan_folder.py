"""A folder of scan files, one per layer, as one build (America Makes / OASIS).

Files are taken in the order of the numbers in their names, and their layers merged by height. Tags
(models) and build styles that several files name are one. Few files stay open; of many, each is
opened when it is read, so that their number has no limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import BUILD_GEOMETRIES
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.composite import CompositeSource, Member
from pbf_ray.formats.layer_source import BuildBatch, Damage, NativeSource, build_file_errors
from pbf_ray.formats.limits import ReadLimits

__all__ = ["open_scan_folder"]

_FORMAT: Final = "amxml"

_STAY_OPEN: Final = 128
"""Most files that stay open: well below the 1024 that a process may have on most systems."""

_OF_ONE_LAYER: Final = frozenset({"layer_num", "absolute_height_mm"})


def open_scan_folder(folder: Path, limits: ReadLimits, *, tolerate_damage: bool) -> CompositeSource:
    """Open all scan XML files of a folder (not of folders within it) as one build.

    Args:
        folder: The folder.
        limits: How much is read at most, of each file; ``max_layers`` is of the folder.
        tolerate_damage: Whether a damaged file is named, and the others read.

    Raises:
        BuildFileError: There is no scan XML in it, or one is damaged and that is not tolerated.
    """
    paths = [path for path in folder.iterdir() if path.suffix.lower() == ".xml" and path.is_file()]
    paths.sort(key=lambda path: (_number(path) is None, _number(path) or 0, path.name))
    chosen: list[Path] = []
    others: list[Path] = []
    for path in paths:
        with build_file_errors(str(path)):
            (chosen if _core.sniff_file(str(path)) == _FORMAT else others).append(path)
    if not chosen:
        raise BuildFileError(
            str(folder),
            "it is a folder with no scan XML in it",
            code="unsupported",
            advice="other formats are opened by the path of the file",
        )
    if len(chosen) > limits.max_layers:
        raise BuildFileError(
            str(folder),
            f"it has {len(chosen)} layers, more than max_layers = {limits.max_layers}",
            code="limit_exceeded",
        )
    shared = _Shared()
    files = [
        _LayerFile(
            path, limits, shared, tolerate=tolerate_damage, stays_open=len(chosen) <= _STAY_OPEN
        )
        for path in chosen
    ]
    source = CompositeSource(
        _FORMAT,
        [Member(file.path.name, file) for file in files],
        metadata=_common([file.header["metadata"] for file in files]),
        models=shared.models,
    )
    source.warnings += (*_gaps(chosen), *_left_out(others))
    return source


class _Shared:
    """What the files of a folder have in common, once: models by name, and equal headers."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self._model_ids: dict[str, int] = {}
        self._styles: dict[str, list[dict[str, Any]]] = {}

    def model_ids(self, models: Sequence[dict[str, Any]]) -> npt.NDArray[np.int32]:
        """The ids here of a file's models, which it numbers from 0."""
        for model in models:
            if self._model_ids.setdefault(model["name"], len(self.models)) == len(self.models):
                self.models.append({**model, "model_id": len(self.models)})
        return np.array([self._model_ids[model["name"]] for model in models], np.int32)

    def styles(self, styles: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Equal styles, or those of an earlier file that are the same."""
        return self._styles.setdefault(repr(styles), styles)


class _LayerFile:
    """One file of the folder as a ``LayerSource``."""

    def __init__(
        self, path: Path, limits: ReadLimits, shared: _Shared, *, tolerate: bool, stays_open: bool
    ) -> None:
        self.path = path
        self._limits = limits
        self._tolerate = tolerate
        native = self._open()
        self._names = [model["name"] for model in native.header["models"]]
        self._model_ids = pa.array(shared.model_ids(native.header["models"]))
        self.header: dict[str, Any] = {
            **native.header,
            "models": [],  # numbered anew, in the header of the folder
            "build_styles": shared.styles(native.header["build_styles"]),
        }
        self.damage, self.warnings = native.damage, native.warnings
        self.z_mm, self.byte_offset, self.byte_size = (
            native.z_mm,
            native.byte_offset,
            native.byte_size,
        )
        self._native = native if stays_open else None

    def _open(self) -> NativeSource:
        name = str(self.path)
        with build_file_errors(name):
            reader = _core.Reader.open_file(name, _FORMAT, self._limits.native(), self._tolerate)
        return NativeSource(name, reader)

    def read(self, start: int, stop: int, *, skip_damaged: bool) -> BuildBatch:
        """Layers ``[start, stop)``; see ``LayerSource.read``."""
        native = self._native or self._open()
        if [model["name"] for model in native.header["models"]] != self._names:
            raise BuildFileError(
                str(self.path), "the file has changed since it was opened", code="inconsistent"
            )
        batch = native.read(start, stop, skip_damaged=skip_damaged)
        own = batch.geometries["model_id"].combine_chunks()
        field = BUILD_GEOMETRIES.field("model_id")
        geometries = batch.geometries.set_column(
            batch.geometries.schema.get_field_index(field.name), field, self._model_ids.take(own)
        )
        return BuildBatch(batch.layers, geometries, batch.coordinates, batch.damage, batch.warnings)


def _number(path: Path) -> int | None:
    """The last number in a file's name."""
    found = re.findall(r"\d+", path.stem, re.ASCII)
    return int(found[-1]) if found else None


def _common(metadata: Sequence[Sequence[tuple[str, str]]]) -> list[tuple[str, str]]:
    """What all files say in the same words, but for what is of one layer."""
    others = [set(pairs) for pairs in metadata[1:]]
    return [
        pair
        for pair in metadata[0]
        if pair[0] not in _OF_ONE_LAYER and all(pair in other for other in others)
    ]


def _gaps(paths: Sequence[Path]) -> list[Damage]:
    numbers = [number for path in paths if (number := _number(path)) is not None]
    out = []
    for before, after in pairwise(numbers):
        if after == before:
            problem = f"two files have the number {after}"
        elif after == before + 2:
            problem = f"there is no file with the number {before + 1}"
        elif after > before + 1:
            problem = f"there are no files with the numbers {before + 1} to {after - 1}"
        else:
            continue
        out.append(Damage("inconsistent", 0, None, problem))
    return out


def _left_out(paths: Sequence[Path]) -> list[Damage]:
    return [
        Damage("unsupported", 0, None, "it is no scan XML, and is left out", path.name)
        for path in paths
    ]
