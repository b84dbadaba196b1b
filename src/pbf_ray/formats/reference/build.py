"""What a reference reader gives: a build as plain lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pbf_ray.errors import BuildFileError

__all__ = [
    "ID_BITS",
    "ReferenceBuild",
    "ReferenceGeometry",
    "ReferenceLayer",
    "damage_in",
    "shown",
]

ID_BITS: Final = 31
"""Ids are int32."""


@dataclass(frozen=True)
class ReferenceGeometry:
    """One block of exposure.

    Attributes:
        kind: As in ``contracts.GEOMETRY_KINDS``.
        points_mm: Shape (points, 2), float32: x and y in mm; a hatch has two rows per vector.
        closed: Of a contour: whether it ends where it begins, of three points or more; else None.
        model_id: None where the file does not say; so for the other ids.
        build_style_id: Likewise.
        laser_id: Likewise.
    """

    kind: str
    points_mm: npt.NDArray[np.float32]
    closed: bool | None = None
    model_id: int | None = None
    build_style_id: int | None = None
    laser_id: int | None = None


@dataclass(frozen=True)
class ReferenceLayer:
    """A layer: its height in mm (None: the file does not say), and its geometries in order."""

    z_mm: float | None
    geometries: list[ReferenceGeometry]


@dataclass(frozen=True)
class ReferenceBuild:
    """A build file.

    Attributes:
        format: As ``BuildFile.format``.
        layers: From the bottom, as the file has them.
        models: model_id, name, top_layer.
        build_styles: Columns of ``contracts.BUILD_STYLES`` that the format has.
        metadata: Pairs of key and value.
    """

    format: str
    layers: list[ReferenceLayer]
    models: list[dict[str, Any]] = field(default_factory=list)
    build_styles: list[dict[str, Any]] = field(default_factory=list)
    metadata: list[tuple[str, str]] = field(default_factory=list)


def damage_in(name: str) -> Callable[[str, int, str], BuildFileError]:
    """Makes the error of a file called ``name`` from (code, byte offset, problem)."""

    def damage(code: str, offset: int, problem: str) -> BuildFileError:
        return BuildFileError(name, problem, code=code, byte_offset=offset)

    return damage


def shown(text: bytes) -> str:
    """Text of a file, whatever its encoding should have been: what is not UTF-8 is from Windows."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "backslashreplace")
