"""Layers as columns of plain NumPy arrays: what all writers take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.formats.layer_source import BuildBatch

__all__ = ["NO_ID", "LayerColumns", "LayerWriter", "layer_columns", "option_texts"]

NO_ID: Final = np.iinfo(np.int32).min
"""Stands for null in id columns of the core."""

_UNKNOWN: Final = 2
"""Stands for null in ``closed``."""


@dataclass(frozen=True)
class LayerColumns:
    """One layer as the writers take it.

    Attributes:
        z_mm: Its height in mm.
        kind: uint8 (geometries,), indices of ``contracts.GEOMETRY_KINDS``.
        model_id: int32 (geometries,), ``NO_ID`` for null; so are the next two.
        build_style_id: See ``model_id``.
        laser_id: See ``model_id``.
        closed: uint8 (geometries,): 0, 1, or 2 for null.
        offset: int64 (geometries,), rows of the coordinates.
        count: int64 (geometries,), rows of the coordinates.
        x_mm: float32 (points,) in mm.
        y_mm: float32 (points,) in mm.
    """

    z_mm: float
    kind: npt.NDArray[np.uint8]
    model_id: npt.NDArray[np.int32]
    build_style_id: npt.NDArray[np.int32]
    laser_id: npt.NDArray[np.int32]
    closed: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    x_mm: npt.NDArray[np.float32]
    y_mm: npt.NDArray[np.float32]

    @classmethod
    def empty(cls, z_mm: float) -> LayerColumns:
        """A layer without geometries."""
        codes, ids = np.zeros(0, np.uint8), np.zeros(0, np.int32)
        rows, values = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return cls(z_mm, codes, ids, ids, ids, codes, rows, rows, values, values)


class LayerWriter(Protocol):
    """Writes one build: ``begin`` once, ``layer`` from the bottom up, ``finish`` once."""

    def begin(self, header: dict[str, Any]) -> None:
        """Takes the header, as ``BuildFile.header``."""

    def layer(self, columns: LayerColumns) -> None:
        """Takes the next layer."""

    def finish(self) -> bytes | None:
        """Ends the file; gives it, where it went to no path."""

    def close(self) -> None:
        """Gives back what the writer holds, whether it has finished or not."""

    @property
    def lost(self) -> list[str]:
        """What was left out so far."""


def layer_columns(batch: BuildBatch) -> Iterator[LayerColumns]:
    """The layers of a batch; only one of them is copied at a time."""
    for row in batch.layers.to_pylist():
        geometries = batch.geometries.slice(row["first_geometry"], row["geometry_count"])
        coordinates = batch.coordinates.slice(row["first_point"], row["point_count"])
        offset = _numbers(geometries["offset"], np.int64)
        yield LayerColumns(
            z_mm=float("nan") if row["z_mm"] is None else row["z_mm"],
            kind=_kind(geometries["kind"]),
            model_id=_numbers(geometries["model_id"], np.int32, NO_ID),
            build_style_id=_numbers(geometries["build_style_id"], np.int32, NO_ID),
            laser_id=_numbers(geometries["laser_id"], np.int32, NO_ID),
            closed=_numbers(pc.cast(geometries["closed"], pa.uint8()), np.uint8, _UNKNOWN),
            offset=offset - row["first_point"],
            count=_numbers(geometries["count"], np.int64),
            x_mm=_numbers(coordinates["x_mm"], np.float32),
            y_mm=_numbers(coordinates["y_mm"], np.float32),
        )


def _numbers(column: pa.ChunkedArray, dtype: Any, null: int | None = None) -> npt.NDArray[Any]:
    if column.null_count and null is not None:
        column = pc.fill_null(column, pa.scalar(null, column.type))
    return np.ascontiguousarray(column.to_numpy(), dtype=dtype)


def _kind(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    codes = pc.index_in(column.cast(pa.string()), pa.array(GEOMETRY_KINDS))
    return _numbers(codes, np.uint8)


def option_texts(options: Mapping[str, object]) -> list[tuple[str, str]]:
    """Options as the core takes them; those that are None are left out."""
    return [(name, _text(value)) for name, value in options.items() if value is not None]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
