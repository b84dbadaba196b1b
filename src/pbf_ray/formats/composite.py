"""Several sources as one build: an archive of sections, a folder with a file per layer.

Layers of all members are merged by height: what lies within ``Z_TOLERANCE_MM`` of the lowest of a
group is one layer, its geometries in the order of the members. Layers without a height come last,
each by itself. Members are read when a layer of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import BUILD_COORDINATES, BUILD_GEOMETRIES, BUILD_LAYERS
from pbf_ray.formats.layer_source import BuildBatch, Damage, LayerSource

__all__ = ["CompositeSource", "Member", "Z_TOLERANCE_MM"]

Z_TOLERANCE_MM: Final = 1e-3
"""Heights this close are one layer: far below a layer's thickness, above float32's steps at 1 m."""

_IDS: Final = ("build_style_id", "model_id", "raw_tags")


@dataclass(frozen=True)
class Member:
    """A part of a composite build.

    Attributes:
        name: Its name in messages, and of its model where it names none.
        source: What it is read through.
        model_id: The model of all its geometries; None: as its own ids say.
        build_style_id: The build style of all its geometries; None: as its own ids say.
    """

    name: str
    source: LayerSource
    model_id: int | None = None
    build_style_id: int | None = None


class CompositeSource:
    """Members as one ``LayerSource``.

    Args:
        format: Its format, for the header.
        members: At least one.
        metadata: Of the header; None: the names of the members.
        models: Of the header, and then ids in members are left as they are; None: those of the
            members, numbered anew from 1. An id that a member does not list is its first model.
        build_styles: In the same way, but styles that say the same become one, and an id that a
            member does not list is null. None needs ids that one member has once.
    """

    def __init__(
        self,
        format: str,
        members: Sequence[Member],
        *,
        metadata: Sequence[tuple[str, str]] | None = None,
        models: Sequence[dict[str, Any]] | None = None,
        build_styles: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        self._members = tuple(members)
        self._model_ids: list[_NewIds | None] = [None] * len(members)
        self._style_ids: list[_NewIds | None] = [None] * len(members)
        if models is None:
            models, self._model_ids = _renumbered_models(self._members)
        if build_styles is None:
            build_styles, self._style_ids = _renumbered_styles(self._members)
        if metadata is None:
            metadata = [("member", member.name) for member in members]
        self.header: dict[str, Any] = {
            "format": format,
            "metadata": list(metadata),
            "models": list(models),
            "build_styles": list(build_styles),
            "unit_mm": None,
            "dimension_mm": _common_box(self._members),
            "declared_layers": None,
            "raw_tags": [],
        }
        self._merge()
        self.damage = tuple(
            self._outside(damage, place)
            for place, member in enumerate(self._members)
            for damage in member.source.damage
        )
        self.warnings = tuple(
            self._outside(warning, place)
            for place, member in enumerate(self._members)
            for warning in member.source.warnings
        )

    def _merge(self) -> None:
        """Sorts the layers of all members by height, and groups them."""
        counts = [len(member.source.z_mm) for member in self._members]
        z = np.concatenate([np.zeros(0), *(member.source.z_mm for member in self._members)])
        member = np.repeat(np.arange(len(counts)), counts)
        inner = np.concatenate([np.zeros(0, int), *(np.arange(count) for count in counts)])
        order = np.argsort(z, kind="stable")  # NaN last; of equal heights, in the order of members
        z, member, inner = z[order], member[order], inner[order]
        starts = _group_starts(z)
        group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(z)))
        order = np.lexsort((inner, member, group))
        self._group, self._member, self._inner = group[order], member[order], inner[order]
        self.z_mm: npt.NDArray[np.float64] = z[starts]
        self._layer_of = [np.zeros(count, np.int64) for count in counts]
        for place in range(len(counts)):
            mine = self._member == place
            self._layer_of[place][self._inner[mine]] = self._group[mine]
        self.byte_size = np.zeros(len(starts), np.uint64)
        self.byte_offset = np.zeros(len(starts), np.uint64)
        for place, one in enumerate(self._members):
            np.add.at(self.byte_size, self._layer_of[place], one.source.byte_size)

    def _outside(self, damage: Damage, place: int) -> Damage:
        """What a member says, as the composite says it."""
        layer = damage.layer
        if layer is not None:
            known = 0 <= layer < len(self._layer_of[place])
            layer = int(self._layer_of[place][layer]) if known else None
        return replace(damage, layer=layer, member=damage.member or self._members[place].name)

    def read(self, start: int, stop: int, *, skip_damaged: bool) -> BuildBatch:
        """Layers ``[start, stop)``; see ``LayerSource.read``."""
        rows = slice(*np.searchsorted(self._group, [start, stop]))
        member, inner = self._member[rows], self._inner[rows]
        parts: list[_Columns] = []
        damage: list[Damage] = []
        warnings: list[Damage] = []
        for place in np.unique(member).tolist():
            for first, behind in _runs(np.sort(inner[member == place])):
                batch = self._members[place].source.read(first, behind, skip_damaged=skip_damaged)
                damage += [self._outside(one, place) for one in batch.damage]
                warnings += [self._outside(one, place) for one in batch.warnings]
                parts.append(self._columns(place, batch))
        return _batch(parts, self.z_mm[start:stop], start, tuple(damage), tuple(warnings))

    def _columns(self, place: int, batch: BuildBatch) -> _Columns:
        member = self._members[place]
        geometries = batch.geometries.combine_chunks()
        coordinates = batch.coordinates.combine_chunks()
        layer = self._layer_of[place][geometries["layer"].to_numpy()]
        model_id = _ids(geometries["model_id"], member.model_id, self._model_ids[place])
        style_id = _ids(geometries["build_style_id"], member.build_style_id, self._style_ids[place])
        for name, column in (("model_id", model_id), ("build_style_id", style_id)):
            index = geometries.schema.get_field_index(name)
            geometries = geometries.set_column(index, BUILD_GEOMETRIES.field(name), column)
        return _Columns(layer, np.full(len(layer), place), geometries, coordinates)


@dataclass(frozen=True)
class _NewIds:
    """New ids by old ones; ``other`` (None: null) for what is not among them."""

    by_old: dict[int | None, int]
    other: int | None

    def of(self, old: int | None) -> int | None:
        return self.by_old.get(old, self.other)


@dataclass(frozen=True)
class _Columns:
    """Rows of one member, with their layer of the composite."""

    layer: npt.NDArray[np.int64]
    member: npt.NDArray[np.int64]
    geometries: pa.Table
    coordinates: pa.Table


def _batch(
    parts: list[_Columns],
    z_mm: npt.NDArray[np.float64],
    start: int,
    damage: tuple[Damage, ...],
    warnings: tuple[Damage, ...],
) -> BuildBatch:
    """The rows of all parts, ordered by layer, member, and place in the member."""
    geometries = pa.concat_tables(
        [BUILD_GEOMETRIES.empty_table(), *(part.geometries for part in parts)]
    ).unify_dictionaries()
    coordinates = pa.concat_tables(
        [BUILD_COORDINATES.empty_table(), *(part.coordinates for part in parts)]
    )
    layer = np.concatenate([np.zeros(0, np.int64), *(part.layer for part in parts)])
    member = np.concatenate([np.zeros(0, np.int64), *(part.member for part in parts)])
    sizes = [part.coordinates.num_rows for part in parts]
    before = np.repeat(
        np.cumsum([0, *sizes[:-1]])[: len(parts)], [part.geometries.num_rows for part in parts]
    )
    old = geometries["offset"].to_numpy() + before
    order = np.lexsort((np.arange(len(layer)), member, layer))
    count = geometries["count"].to_numpy()[order]
    offset = np.cumsum(count) - count
    if len(parts) > 1:
        geometries = geometries.take(order)
        rows = np.arange(int(count.sum())) + np.repeat(old[order] - offset, count)
        coordinates = coordinates.take(rows)
    layer = layer[order]
    layers = start + np.arange(len(z_mm))
    first = np.searchsorted(layer, layers)
    geometry_count = np.searchsorted(layer, layers, side="right") - first
    points_before = np.concatenate([[0], np.cumsum(count)])
    first_point = points_before[first]
    new = {
        "layer": layer,
        "geometry_id": np.arange(len(layer)) - first[layer - start],
        "offset": offset,
    }
    for name, values in new.items():
        field = BUILD_GEOMETRIES.field(name)
        index = geometries.schema.get_field_index(name)
        geometries = geometries.set_column(index, field, pa.array(values, field.type))
    columns = [
        pa.array(layers, pa.int32()),
        pa.array(z_mm, pa.float64(), mask=np.isnan(z_mm)),
        pa.array(first, pa.int64()),
        pa.array(geometry_count, pa.int64()),
        pa.array(first_point, pa.int64()),
        pa.array(points_before[first + geometry_count] - first_point, pa.int64()),
    ]
    return BuildBatch(
        pa.table(columns, schema=BUILD_LAYERS), geometries, coordinates, damage, warnings
    )


def _group_starts(z_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Where groups of sorted heights begin; each reaches the tolerance from its first one."""
    if not len(z_mm):
        return np.zeros(0, np.int64)
    # A gap, or an unknown height, ends a group; where there is none for long, look at each height.
    gaps = np.flatnonzero(~(np.diff(z_mm) <= Z_TOLERANCE_MM)) + 1
    starts = np.concatenate([[0], gaps])
    ends = np.concatenate([gaps, [len(z_mm)]])
    further: list[int] = []
    for run in np.flatnonzero(z_mm[ends - 1] - z_mm[starts] > Z_TOLERANCE_MM).tolist():
        first = starts[run]
        for row in range(starts[run], ends[run]):
            if z_mm[row] - z_mm[first] > Z_TOLERANCE_MM:
                first = row
                further.append(row)
    return np.sort(np.concatenate([starts, np.array(further, np.int64)]))


def _runs(numbers: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted numbers as ranges without a gap."""
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(numbers, cuts) if len(run)]


def _ids(column: pa.ChunkedArray, constant: int | None, new: _NewIds | None) -> pa.ChunkedArray:
    if constant is not None:
        return pa.chunked_array([pa.array(np.full(len(column), constant), pa.int32())])
    if new is None:
        return column
    encoded = column.combine_chunks().dictionary_encode()
    values = pa.array([new.of(old) for old in encoded.dictionary.to_pylist()], pa.int32())
    taken = values.take(encoded.indices)
    if encoded.indices.null_count and new.of(None) is not None:
        taken = taken.fill_null(new.of(None))
    return pa.chunked_array([taken])


def _renumbered_models(
    members: Sequence[Member],
) -> tuple[list[dict[str, Any]], list[_NewIds | None]]:
    models: list[dict[str, Any]] = []
    new: list[_NewIds | None] = []
    for member in members:
        first = len(models) + 1
        own = member.source.header["models"] or [
            {"model_id": None, "name": member.name, "top_layer": None, "raw_tags": []}
        ]
        models += [{**model, "model_id": first + place} for place, model in enumerate(own)]
        by_old = {model["model_id"]: first + place for place, model in enumerate(own)}
        new.append(_NewIds(by_old, first))
    return models, new


def _renumbered_styles(
    members: Sequence[Member],
) -> tuple[list[dict[str, Any]], list[_NewIds | None]]:
    styles: list[dict[str, Any]] = []
    known: dict[str, int] = {}
    new: list[_NewIds | None] = []
    for member in members:
        by_old: dict[int | None, int] = {}
        for style in member.source.header["build_styles"]:
            said = repr({key: value for key, value in style.items() if key not in _IDS})
            if said not in known:
                known[said] = len(styles) + 1
                styles.append({**style, "build_style_id": known[said], "model_id": None})
            by_old[style["build_style_id"]] = known[said]
        new.append(_NewIds(by_old, None))
    return styles, new


def _common_box(members: Sequence[Member]) -> list[float] | None:
    boxes = [member.source.header["dimension_mm"] for member in members]
    if not boxes or any(box is None for box in boxes):
        return None
    array = np.array(boxes, np.float64)
    return [*array[:, :3].min(axis=0).tolist(), *array[:, 3:].max(axis=0).tolist()]
