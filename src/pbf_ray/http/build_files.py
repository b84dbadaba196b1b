"""Build files that belong to builds: plans and scan vectors of their layers."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pbf_ray.buildplan import MachineTimes, plan_batches
from pbf_ray.contracts import LAYER_PLAN
from pbf_ray.formats import BuildBatch, BuildFile, open_build
from pbf_ray.http.problems import ProblemError

__all__ = ["PLAN_COLUMNS", "BuildFiles", "LayerVectors", "style_rows"]

_OPEN: Final = 8
_SUFFIXES: Final = (".cli", ".sli", ".ilt", ".ovf", ".mtt", ".slm", ".amx", ".xml", ".zip")

PLAN_COLUMNS: Final = tuple(
    field.name for field in LAYER_PLAN if not pa.types.is_nested(field.type)
)
"""The columns of ``layer_plan`` that are one value per layer."""


@dataclass(frozen=True)
class LayerVectors:
    """The geometries of one layer of a build file.

    Attributes:
        batch: The layer alone.
        styles: The build styles of the file, ``contracts.BUILD_STYLES``.
        layer: Its number.
        z_mm: Its height; None where the file does not say.
    """

    batch: BuildBatch
    styles: pa.Table
    layer: int
    z_mm: float | None


class BuildFiles:
    """A folder of build files, found by the name of their build.

    Args:
        folder: The folder; it need not be there.
        machine: What no file says of the machine.
    """

    def __init__(self, folder: Path, machine: MachineTimes) -> None:
        self._folder = folder
        self._machine = machine
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int, int], BuildFile] = OrderedDict()
        self._plans: OrderedDict[tuple[str, int, int], pa.Table] = OrderedDict()

    @property
    def there(self) -> bool:
        """Whether there is such a folder."""
        return self._folder.is_dir()

    def version(self) -> int:
        """Changes when a file is added to the folder or removed."""
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return 0

    def path(self, build_id: str) -> Path | None:
        """The file of a build; None if there is none."""
        # The name comes from a client: what is not a plain file name of the folder does not exist.
        if not build_id or build_id in {".", ".."} or "\0" in build_id:
            return None
        if "/" in build_id or "\\" in build_id or len(build_id.encode()) > 240:
            return None
        for suffix in _SUFFIXES:
            for name in (build_id + suffix, build_id + suffix.upper()):
                path = self._folder / name
                if path.is_file():
                    return path
        return None

    def layers(self, build_id: str) -> int | None:
        """How many layers the file of a build has; None without a file.

        Raises:
            BuildFileError: The file cannot be read.
        """
        path = self.path(build_id)
        return None if path is None else len(self._opened(path))

    def plan(self, build_id: str) -> pa.Table:
        """What the file of a build means, a row per layer: ``PLAN_COLUMNS`` of ``LAYER_PLAN``.

        Raises:
            ProblemError: There is no file of the build.
            BuildFileError: The file cannot be read.
        """
        path = self._needed(build_id)
        key = _key(path)
        with self._lock:
            known = self._plans.get(key)
        if known is not None:
            return known
        file = self._opened(path)
        plans = plan_batches(file.scan(), file.build_styles, machine=self._machine)
        schema = pa.schema([LAYER_PLAN.field(name) for name in PLAN_COLUMNS])
        tables = [plan.layers.select(PLAN_COLUMNS) for plan in plans]
        whole = pa.concat_tables(tables) if tables else schema.empty_table()
        with self._lock:
            self._plans[key] = whole
            while len(self._plans) > _OPEN:
                self._plans.popitem(last=False)
        return whole

    def vectors(self, build_id: str, layer: int) -> LayerVectors:
        """The geometries of one layer.

        Raises:
            ProblemError: There is no file of the build, or no such layer in it.
            BuildFileError: The layer cannot be read.
        """
        path = self._needed(build_id)
        file = self._opened(path)
        if not 0 <= layer < len(file):
            raise ProblemError(
                404,
                "not-found",
                f"the build file of {build_id!r} has layers 0 to {len(file) - 1}, not {layer}",
            )
        z_mm = float(file.z_mm[layer])
        height = None if np.isnan(z_mm) else z_mm
        return LayerVectors(file.read_layer(layer), file.build_styles, layer, height)

    def _needed(self, build_id: str) -> Path:
        path = self.path(build_id)
        if path is None:
            raise ProblemError(
                404,
                "no-build-file",
                f"there is no build file of {build_id!r}",
                advice="put it into the folder of http.build_files under the name of its build",
            )
        return path

    def _opened(self, path: Path) -> BuildFile:
        key = _key(path)
        with self._lock:
            file = self._open.get(key)
            if file is not None:
                self._open.move_to_end(key)
                return file
        # The name of the folder is not for clients.
        file = open_build(path, name=path.name, on_damage="skip")
        with self._lock:
            self._open[key] = file
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return file


def _key(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size


def style_rows(styles: pa.Table) -> list[dict[str, Any]]:
    """The build styles in short, as JSON-ready values; numbers that are none are None."""
    names = (
        "model_id", "build_style_id", "laser_id", "name", "laser_power_w", "speed_mm_s",
    )  # fmt: skip
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in styles.select(names).to_pylist()
    ]
