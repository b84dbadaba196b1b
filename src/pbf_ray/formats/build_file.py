"""An opened build file: header and index at once, layers when they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import BUILD_METADATA, BUILD_MODELS, BUILD_STYLES
from pbf_ray.formats.layer_source import BuildBatch, Damage, LayerSource

__all__ = ["BuildFile", "BuildTables"]

_BATCH_BYTES: Final = 16 << 20
"""Bytes of the file that a batch of a scan aims at, where the caller names no number of layers."""


@dataclass(frozen=True)
class BuildTables:
    """A whole build file as Arrow tables; the schemas are in ``pbf_ray.contracts``.

    Attributes:
        layers: ``BUILD_LAYERS``.
        geometries: ``BUILD_GEOMETRIES``; offsets are rows of ``coordinates``.
        coordinates: ``BUILD_COORDINATES``.
        build_styles: ``BUILD_STYLES``.
        models: ``BUILD_MODELS``.
        metadata: ``BUILD_METADATA``.
        damage: Damaged layers that were left out, and what in others was mended.
        warnings: What of the layers has no place in the tables.
    """

    layers: pa.Table
    geometries: pa.Table
    coordinates: pa.Table
    build_styles: pa.Table
    models: pa.Table
    metadata: pa.Table
    damage: tuple[Damage, ...] = ()
    warnings: tuple[Damage, ...] = ()


class BuildFile:
    """A build file; ``open_build`` makes one.

    Args:
        file: Its name, for messages.
        source: What it is read through.
        on_damage: ``"raise"``: a damaged layer is an error; ``"skip"``: it is left out and named.
    """

    def __init__(
        self, file: str, source: LayerSource, *, on_damage: Literal["raise", "skip"] = "raise"
    ) -> None:
        self.file = file
        self._source = source
        self._skip_damaged = on_damage == "skip"
        header = source.header
        self._header = header
        self._models = pa.Table.from_pylist(
            [_row(model, BUILD_MODELS) for model in header["models"]], BUILD_MODELS
        )
        self._build_styles = pa.Table.from_pylist(
            [_row(style, BUILD_STYLES) for style in header["build_styles"]], BUILD_STYLES
        )

    @property
    def format(self) -> str:
        """``"cli"``, ``"sli"``, ``"mtt"``, ``"slm"``, ``"ovf"``, ``"amxml"``, ``"ilt"``, ..."""
        return str(self._header["format"])

    @property
    def header(self) -> dict[str, Any]:
        """The header as plain values, as ``write_build`` takes them."""
        return self._header

    @property
    def metadata(self) -> dict[str, str]:
        """What the header says; of a key that comes more than once, the last."""
        return dict(self._header["metadata"])

    @property
    def metadata_table(self) -> pa.Table:
        """What the header says, in its order: ``contracts.BUILD_METADATA``."""
        pairs = self._header["metadata"]
        return pa.Table.from_arrays(
            [pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1)],
            schema=BUILD_METADATA,
        )

    @property
    def models(self) -> pa.Table:
        """``contracts.BUILD_MODELS``."""
        return self._models

    @property
    def build_styles(self) -> pa.Table:
        """``contracts.BUILD_STYLES``."""
        return self._build_styles

    @property
    def layers(self) -> pa.Table:
        """The index: layer (int32), z_mm (float64, null where unknown), byte_offset, byte_size."""
        z_mm = self._source.z_mm
        return pa.table(
            {
                "layer": pa.array(np.arange(len(z_mm), dtype=np.int32)),
                "z_mm": pa.array(z_mm, pa.float64(), mask=np.isnan(z_mm)),
                "byte_offset": pa.array(self._source.byte_offset.astype(np.int64)),
                "byte_size": pa.array(self._source.byte_size.astype(np.int64)),
            }
        )

    @property
    def z_mm(self) -> npt.NDArray[np.float64]:
        """Shape (layers,): heights in mm, NaN where the file does not say."""
        return self._source.z_mm

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What opening found wrong and went on after."""
        return self._source.damage

    @property
    def warnings(self) -> tuple[Damage, ...]:
        """Declared values that do not agree with the content."""
        return self._source.warnings

    def __len__(self) -> int:
        return len(self._source.z_mm)

    def __repr__(self) -> str:
        return f"<BuildFile {self.file!r}: {self.format}, {len(self)} layers>"

    def read_layer(self, layer: int) -> BuildBatch:
        """One layer, by its number from 0.

        Raises:
            IndexError: There is no such layer.
            BuildFileError: The layer is damaged, and damage is not skipped.
        """
        if not 0 <= layer < len(self):
            raise IndexError(f"{self.file} has layers 0 to {len(self) - 1}, not {layer}")
        return self.read_layers(layer, layer + 1)

    def read_layers(self, start: int, stop: int) -> BuildBatch:
        """Layers ``[start, stop)`` as one batch.

        Raises:
            IndexError: Not all of them exist.
            BuildFileError: A layer is damaged, and damage is not skipped.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"{self.file} has {len(self)} layers, not {start} to {stop - 1}")
        return self._source.read(start, stop, skip_damaged=self._skip_damaged)

    def scan(
        self,
        batch_layers: int | None = None,
        *,
        start: int = 0,
        stop: int | None = None,
        threads: int = 1,
    ) -> Iterator[BuildBatch]:
        """Layers ``[start, stop)`` in order, in batches; memory is that of the batches in hand.

        Args:
            batch_layers: Layers of a batch; None: as many as make about 16 MiB of the file.
            start: First layer.
            stop: Layer behind the last; None: to the end.
            threads: Threads that read ahead, each one batch; 1 reads in the caller's.

        Raises:
            BuildFileError: A layer is damaged, and damage is not skipped.
        """
        ranges = self.batches(batch_layers, start=start, stop=stop)
        if threads <= 1:
            for first, behind in ranges:
                yield self.read_layers(first, behind)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="build-scan") as pool:
            ahead: deque[Future[BuildBatch]] = deque()
            try:
                for first, behind in ranges:
                    ahead.append(pool.submit(self.read_layers, first, behind))
                    if len(ahead) >= threads:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def batches(
        self, batch_layers: int | None = None, *, start: int = 0, stop: int | None = None
    ) -> list[tuple[int, int]]:
        """The ranges of layers that ``scan`` reads, as (first, behind the last)."""
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"{self.file} has {len(self)} layers, not {start} to {stop - 1}")
        if batch_layers is not None:
            if batch_layers < 1:
                raise ValueError(f"batch_layers is {batch_layers}, and must be 1 or more")
            return [
                (first, min(first + batch_layers, stop))
                for first in range(start, stop, batch_layers)
            ]
        ranges: list[tuple[int, int]] = []
        first, size = start, 0
        for layer, layer_size in enumerate(self._source.byte_size[start:stop].tolist(), start):
            if layer > first and size + layer_size > _BATCH_BYTES:
                ranges.append((first, layer))
                first, size = layer, 0
            size += layer_size
        if first < stop:
            ranges.append((first, stop))
        return ranges

    def to_arrow(self, *, threads: int = 1) -> BuildTables:
        """The whole file; columns are in chunks, one per batch.

        Raises:
            BuildFileError: A layer is damaged, and damage is not skipped.
        """
        batches = list(self.scan(threads=threads)) or [self.read_layers(0, 0)]
        layers, geometries = [], []
        geometry, point = 0, 0
        for batch in batches:
            layers.append(_shifted(batch.layers, first_geometry=geometry, first_point=point))
            geometries.append(_shifted(batch.geometries, offset=point))
            geometry += batch.geometries.num_rows
            point += batch.coordinates.num_rows
        return BuildTables(
            layers=pa.concat_tables(layers),
            geometries=pa.concat_tables(geometries),
            coordinates=pa.concat_tables([batch.coordinates for batch in batches]),
            build_styles=self.build_styles,
            models=self.models,
            metadata=self.metadata_table,
            damage=tuple(damage for batch in batches for damage in batch.damage),
            warnings=tuple(warning for batch in batches for warning in batch.warnings),
        )


def _row(values: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    row = {name: values[name] for name in schema.names}
    row["raw_tags"] = [
        {"path": path, "byte_offset": offset, "bytes": raw} for path, offset, raw in row["raw_tags"]
    ]
    return row


def _shifted(table: pa.Table, **by: int) -> pa.Table:
    for name, rows in by.items():
        if rows:
            place = table.schema.get_field_index(name)
            field = table.schema.field(place)
            table = table.set_column(place, field, pc.add(table[name], pa.scalar(rows, field.type)))
    return table
