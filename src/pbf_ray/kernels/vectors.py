"""Geometries and their coordinates as arrays: what the kernels of scan vectors take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONTOUR", "HATCH", "JUMP", "KINDS", "POINTS", "VectorColumns", "check_groups"]

HATCH: Final = 0
CONTOUR: Final = 1
POINTS: Final = 2
JUMP: Final = 3
KINDS: Final = 4
"""Codes of kinds are those of ``contracts.GEOMETRY_KINDS``."""

_DTYPES: Final = {
    "kind": np.int8,
    "closed": np.bool_,
    "offset": np.int64,
    "count": np.int64,
    "x_mm": np.float32,
    "y_mm": np.float32,
}


@dataclass(frozen=True, eq=False)
class VectorColumns:
    """g geometries and their n points. Checked here, because kernels do not look where they read.

    Attributes:
        kind: int8[g], :data:`HATCH` (two points a vector), :data:`CONTOUR`, :data:`POINTS` or
            :data:`JUMP`.
        closed: bool[g], whether a contour is closed; False for other kinds.
        offset: int64[g], first point of each geometry.
        count: int64[g], points of each geometry.
        x_mm: float32[n].
        y_mm: float32[n].

    Raises:
        ValueError: If lengths differ, a kind is unknown, points are not there or not finite, or a
            hatch has half a vector.
    """

    kind: NDArray[np.int8]
    closed: NDArray[np.bool_]
    offset: NDArray[np.int64]
    count: NDArray[np.int64]
    x_mm: NDArray[np.float32]
    y_mm: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        shape = self.kind.shape
        if len(shape) != 1 or any(
            column.shape != shape for column in (self.closed, self.offset, self.count)
        ):
            raise ValueError("kind, closed, offset and count must be of one length [g]")
        if self.x_mm.ndim != 1 or self.x_mm.shape != self.y_mm.shape:
            raise ValueError("x_mm and y_mm must be of one length [n]")
        if not self.kind.size:
            return
        if not (np.isfinite(self.x_mm).all() and np.isfinite(self.y_mm).all()):
            raise ValueError("a coordinate is not a finite number")
        if self.kind.min() < 0 or self.kind.max() >= KINDS:
            raise ValueError(f"kind must be from 0 to {KINDS - 1}")
        # Compared by subtraction: offset + count may not fit an int64.
        if (
            min(self.offset.min(), self.count.min()) < 0
            or self.count.max() > self.x_mm.size
            or np.any(self.offset > self.x_mm.size - self.count)
        ):
            raise ValueError(
                f"a geometry reaches beyond the {self.x_mm.size} points that there are"
            )
        if np.any(self.count[self.kind == HATCH] % 2):
            raise ValueError("a hatch has half a vector: its count is odd")

    def __len__(self) -> int:
        return int(self.kind.size)


def check_groups(
    rows: NDArray[np.int64], start: NDArray[np.int64], geometries: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Groups of geometries, as contiguous arrays.

    Args:
        rows: int64[r], rows of geometries, those of a group together.
        start: int64[e + 1], rising from 0 to r; the rows of group ``i`` are
            ``rows[start[i]:start[i + 1]]``.
        geometries: Number of geometries.

    Raises:
        ValueError: If ``start`` does not rise so, or a row does not exist.
    """
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    start = np.ascontiguousarray(start, dtype=np.int64)
    if (
        rows.ndim != 1
        or start.ndim != 1
        or not start.size
        or start[0] != 0
        or start[-1] != rows.size
        or np.any(start[1:] < start[:-1])
    ):
        raise ValueError(f"starts must rise from 0 to the number of rows {rows.size}")
    if rows.size and (rows.min() < 0 or rows.max() >= geometries):
        raise ValueError(f"rows must be from 0 to {geometries - 1}")
    return rows, start
