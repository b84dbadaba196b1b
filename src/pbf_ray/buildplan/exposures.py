"""Geometries by exposure: those of one layer, model, build style and laser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.buildplan.columns import BuildColumns, Ids
from pbf_ray.buildplan.grouping import dense, starts
from pbf_ray.buildplan.styles import Styles, resolve_styles
from pbf_ray.kernels.scan_path import group_rows

__all__ = ["Exposures", "find_exposures"]


@dataclass(frozen=True, eq=False)
class Exposures:
    """e exposures, ascending by layer, model, build style and laser, nulls first.

    Attributes:
        layer: int64[e], index of the layer.
        model: Model of each.
        style: Build style of each.
        laser: Laser of each, of its geometries or else of its style.
        styles: What is known of their styles.
        model_group: int64[e], the (layer, model) of each, from 0 to m - 1.
        of_geometry: int64[g], exposure of each geometry.
        rows: int64[g], geometries by exposure, in the order of the file in each.
        start: int64[e + 1], where those of each begin in ``rows``.
        model_start: int64[m + 1], where the exposures of each (layer, model) begin.
        layer_start: int64[l + 1], where the (layer, model) of each layer begin.
    """

    layer: NDArray[np.int64]
    model: Ids
    style: Ids
    laser: Ids
    styles: Styles
    model_group: NDArray[np.int64]
    of_geometry: NDArray[np.int64]
    rows: NDArray[np.int64]
    start: NDArray[np.int64]
    model_start: NDArray[np.int64]
    layer_start: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.layer.size)

    @property
    def models(self) -> int:
        """Number of (layer, model)."""
        return self.model_start.size - 1

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.layer_start.size - 1


def find_exposures(columns: BuildColumns, build_styles: pa.Table | None) -> Exposures:
    """The exposures of a batch.

    Args:
        columns: The batch.
        build_styles: ``BUILD_STYLES``, or None where there is none.
    """
    combination = (columns.model_of * len(columns.styles) + columns.style_of) * len(
        columns.lasers
    ) + columns.laser_of
    different, of_geometry = dense(combination)
    rest, laser = np.divmod(different, max(len(columns.lasers), 1))
    model, style = np.divmod(rest, max(len(columns.styles), 1))
    wanted = [
        (columns.models[m], columns.styles[s], columns.lasers[k])
        for m, s, k in zip(model.tolist(), style.tolist(), laser.tolist(), strict=True)
    ]
    styles = resolve_styles(build_styles, wanted)
    # A geometry without a laser and one with it may be of one exposure, once the style is asked.
    keys = [(m, s, k) for (m, s, _), k in zip(wanted, styles.laser, strict=True)]
    ordered = sorted(set(keys), key=lambda key: [(part is not None, part or 0) for part in key])
    place = {key: index for index, key in enumerate(ordered)}
    merged = np.array([place[key] for key in keys], np.int64)
    kept = np.zeros(len(ordered), np.int64)
    kept[merged[::-1]] = np.arange(len(keys))[::-1]

    code = columns.layer_of * max(len(ordered), 1)
    code += merged[of_geometry] if of_geometry.size else 0
    codes, exposure_of = dense(code)
    layer, key = np.divmod(codes, max(len(ordered), 1))
    rows, start = group_rows(exposure_of, codes.size)
    chosen = [ordered[k] for k in key.tolist()]
    model_rank = {value: rank for rank, value in enumerate(columns.models)}
    models = np.array([model_rank[m] for m, _, _ in chosen], np.int64)
    groups, model_group = dense(layer * max(len(columns.models), 1) + models)
    layers = columns.layer.size
    return Exposures(
        layer=layer,
        model=tuple(m for m, _, _ in chosen),
        style=tuple(s for _, s, _ in chosen),
        laser=tuple(k for _, _, k in chosen),
        styles=styles.take(kept[key]),
        model_group=model_group,
        of_geometry=exposure_of,
        rows=rows,
        start=start,
        model_start=starts(model_group, groups.size),
        layer_start=starts(groups // max(len(columns.models), 1), layers),
    )
