"""What differs between two builds: layers, heights, geometries, coordinates, styles, models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.formats.build_file import BuildFile
from pbf_ray.formats.layer_source import BuildBatch

__all__ = ["BuildComparison", "Difference", "compare_builds"]

_KINDS: Final = pa.array(GEOMETRY_KINDS)
_IDS: Final = ("model_id", "build_style_id", "laser_id")


@dataclass(frozen=True)
class Difference:
    """One kind of thing that differs.

    Attributes:
        what: ``layers``, ``z``, ``geometries``, ``shape`` (kinds or numbers of points), ``ids``,
            ``coordinates``, ``build_styles`` or ``models``.
        count: In how many layers (styles, models).
        layer: The first of those layers; None where it is no matter of layers.
        detail: How the first differs, in words.
    """

    what: str
    count: int
    layer: int | None
    detail: str


@dataclass(frozen=True)
class BuildComparison:
    """What differs between two builds.

    Attributes:
        differences: By kind; empty: they are the same.
        layers: Layers that both have.
        geometries: Geometries in those layers of the first.
        largest_difference_mm: Of coordinates of geometries that have the same shape.
    """

    differences: tuple[Difference, ...]
    layers: int
    geometries: int
    largest_difference_mm: float

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


@dataclass
class _Found:
    """Collects differences by kind, with the first of each."""

    by_kind: dict[str, Difference] = field(default_factory=dict)

    def add(self, what: str, layer: int | None, detail: str) -> None:
        before = self.by_kind.get(what)
        if before is None:
            self.by_kind[what] = Difference(what, 1, layer, detail)
        else:
            self.by_kind[what] = Difference(what, before.count + 1, before.layer, before.detail)


def compare_builds(a: BuildFile, b: BuildFile, *, tolerance_mm: float = 0.0) -> BuildComparison:
    """Compare two builds layer by layer, in the order of their files; memory is that of a batch.

    Neither formats nor names in headers are compared: a converted file is the same build.

    Args:
        a: One build.
        b: The other.
        tolerance_mm: Heights and coordinates this close are the same.

    Raises:
        BuildFileError: A layer is damaged, and damage is not skipped.
    """
    found = _Found()
    if len(a) != len(b):
        found.add("layers", None, f"{len(a)} and {len(b)}")
    geometries, largest = 0, 0.0
    common = min(len(a), len(b))
    for first, behind in a.batches(stop=common):
        mine, theirs = (
            _Columns(a.read_layers(first, behind)),
            _Columns(b.read_layers(first, behind)),
        )
        geometries += len(mine.kind)
        for index in range(behind - first):
            distance = _compare_layer(found, first + index, index, mine, theirs, tolerance_mm)
            largest = max(largest, distance)
    for table, ids in (("build_styles", ("model_id", "build_style_id")), ("models", ("model_id",))):
        _compare_rows(found, table, getattr(a, table), getattr(b, table), ids)
    return BuildComparison(tuple(found.by_kind.values()), common, geometries, largest)


class _Columns:
    """The columns of a batch as arrays."""

    def __init__(self, batch: BuildBatch) -> None:
        layers = batch.layers
        self.z_mm = layers["z_mm"].to_numpy()
        self.first = layers["first_geometry"].to_numpy()
        self.geometry_count = layers["geometry_count"].to_numpy()
        table = batch.geometries
        self.kind = pc.index_in(table["kind"].cast(pa.string()), _KINDS).to_numpy()
        self.count = table["count"].to_numpy()
        self.offset = table["offset"].to_numpy()
        self.ids = {name: _ids(table[name]) for name in _IDS}
        self.x_mm = batch.coordinates["x_mm"].to_numpy()
        self.y_mm = batch.coordinates["y_mm"].to_numpy()

    def rows(self, index: int) -> slice:
        """The geometries of a layer of the batch."""
        return slice(self.first[index], self.first[index] + self.geometry_count[index])

    def points(self, rows: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The coordinates of geometries, in their order."""
        count, offset = self.count[rows], self.offset[rows]
        starts = np.cumsum(count) - count
        place = np.repeat(offset - starts, count) + np.arange(count.sum())
        return self.x_mm[place], self.y_mm[place]


def _ids(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()  # type: ignore[no-any-return]


def _compare_layer(
    found: _Found, layer: int, index: int, a: _Columns, b: _Columns, tolerance_mm: float
) -> float:
    """Notes what differs in one layer; gives the largest distance of coordinates, in mm."""
    z_a, z_b = float(a.z_mm[index]), float(b.z_mm[index])
    if np.isnan(z_a) != np.isnan(z_b) or abs(z_a - z_b) > tolerance_mm:
        found.add("z", layer, _heights(z_a, z_b))
    rows_a, rows_b = a.rows(index), b.rows(index)
    if a.geometry_count[index] != b.geometry_count[index]:
        found.add("geometries", layer, f"{a.geometry_count[index]} and {b.geometry_count[index]}")
        return 0.0
    for name in _IDS:
        unlike = np.flatnonzero(a.ids[name][rows_a] != b.ids[name][rows_b])
        if len(unlike):
            found.add("ids", layer, f"{name} of {_first_and_more(unlike)}")
            break
    unlike = np.flatnonzero(
        (a.kind[rows_a] != b.kind[rows_b]) | (a.count[rows_a] != b.count[rows_b])
    )
    if len(unlike):
        found.add("shape", layer, _first_and_more(unlike))
        return 0.0
    (x_a, y_a), (x_b, y_b) = a.points(rows_a), b.points(rows_b)
    if not len(x_a):
        return 0.0
    distance = np.maximum(
        np.abs(x_a.astype(np.float64) - x_b), np.abs(y_a.astype(np.float64) - y_b)
    )
    beyond = int(np.count_nonzero(distance > tolerance_mm))
    largest = float(distance.max())
    if beyond:
        found.add("coordinates", layer, f"{beyond} points, by up to {largest * 1000:.4g} um")
    return largest


def _first_and_more(unlike: npt.NDArray[np.intp]) -> str:
    more = f" and {len(unlike) - 1} more" if len(unlike) > 1 else ""
    return f"geometry {unlike[0]}{more}"


def _heights(a_mm: float, b_mm: float) -> str:
    if np.isnan(a_mm) or np.isnan(b_mm):
        return " and ".join("unknown" if np.isnan(z) else f"{z:.6g} mm" for z in (a_mm, b_mm))
    return f"{a_mm:.6g} and {b_mm:.6g} mm, {abs(a_mm - b_mm) * 1000:.4g} um apart"


def _compare_rows(found: _Found, what: str, a: pa.Table, b: pa.Table, ids: tuple[str, ...]) -> None:
    rows_a, rows_b = _by_id(a, ids), _by_id(b, ids)
    for key in sorted(rows_a.keys() | rows_b.keys(), key=repr):
        name = " ".join(f"{label} {value}" for label, value in zip(ids, key[0], strict=True))
        if key not in rows_b or key not in rows_a:
            found.add(what, None, f"{name}: only in the {'first' if key in rows_a else 'second'}")
            continue
        for field_name, value, other in _unlike(rows_a[key], rows_b[key]):
            found.add(what, None, f"{name}: {field_name} is {value} and {other}")
            break


def _by_id(table: pa.Table, ids: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in table.to_pylist():
        # Raw tags hold byte offsets, which are the file's and not the build's.
        del row["raw_tags"]
        key = tuple(row[name] for name in ids)
        rows[key, sum(1 for other in rows if other[0] == key)] = row
    return rows


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, value in a.items():
        if value != b[name]:
            yield name, value, b[name]
