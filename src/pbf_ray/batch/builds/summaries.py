"""Layers in numbers: the plan of each, carried over the borders of batches and of parts."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from pbf_ray.buildplan import LayerBefore, MachineTimes, plan_layers
from pbf_ray.formats import BuildBatch, BuildFile

__all__ = ["SUMMARY_TABLES", "LayerSummaries"]

SUMMARY_TABLES: Final = ("layers", "layer_models", "layer_lasers", "layer_exposures")
"""Tables of the output that say what the layers mean."""


class LayerSummaries:
    """Summaries of the layers of a file from one on, batch by batch.

    The layer before the first is read for its height and direction, so that the rows are the same
    however a file is split.

    Args:
        build: The file.
        first: The first layer that will come.
        machine: What the file does not say about times.

    Raises:
        BuildFileError: The layer before is damaged, and damage is not skipped.
    """

    def __init__(self, build: BuildFile, first: int, machine: MachineTimes) -> None:
        self._build_styles = build.build_styles
        self._machine = machine
        self._before: LayerBefore | None = None
        if first:
            self.of(build.read_layer(first - 1))

    def of(self, batch: BuildBatch) -> dict[str, pa.Table]:
        """The next batch: ``SUMMARY_TABLES`` by name. Damaged layers have no rows."""
        plan = plan_layers(
            batch.layers,
            batch.geometries,
            batch.coordinates,
            self._build_styles,
            machine=self._machine,
            before=self._before,
            damaged=[damage.layer for damage in batch.damage if damage.layer is not None],
        )
        self._before = plan.after
        tables = (plan.layers, plan.models, plan.lasers, plan.exposures)
        return dict(zip(SUMMARY_TABLES, tables, strict=True))
