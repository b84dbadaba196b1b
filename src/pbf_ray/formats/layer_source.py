"""What a build file is read through, whatever stands behind it; and the native core as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pbf_ray.contracts import BUILD_COORDINATES, BUILD_GEOMETRIES, BUILD_LAYERS, GEOMETRY_KINDS
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.advice import advice_on

__all__ = ["BuildBatch", "Damage", "LayerSource", "NativeSource", "build_file_errors"]


@dataclass(frozen=True)
class Damage:
    """Something in a file that is wrong, and after which reading went on.

    Attributes:
        code: What kind of thing, as in ``BuildFileError.code``.
        byte_offset: Where in the file (in ``member``, where there is one).
        layer: The layer, where it is a matter of one.
        problem: What is wrong, one line.
        member: Member of an archive or file of a folder, else empty.
    """

    code: str
    byte_offset: int
    layer: int | None
    problem: str
    member: str = ""


@dataclass(frozen=True)
class BuildBatch:
    """Some layers of a build file.

    Attributes:
        layers: ``contracts.BUILD_LAYERS``; firsts are rows of the tables here.
        geometries: ``contracts.BUILD_GEOMETRIES``; offsets are rows of ``coordinates``.
        coordinates: ``contracts.BUILD_COORDINATES``.
        damage: Damaged layers that were left out (they stand in ``layers`` with no rows), and what
            in others contradicts itself and was read in the one way that makes sense.
        warnings: What of these layers has no place in the tables (pauses, for example).
    """

    layers: pa.Table
    geometries: pa.Table
    coordinates: pa.Table
    damage: tuple[Damage, ...] = ()
    warnings: tuple[Damage, ...] = ()


class LayerSource(Protocol):
    """Header and index of a build file, and its layers by number. Reading is thread-safe."""

    @property
    def header(self) -> dict[str, Any]:
        """As ``_core.Reader.header``: format, metadata, models, build_styles, unit_mm, ..."""

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What opening found wrong and went on after."""

    @property
    def warnings(self) -> tuple[Damage, ...]:
        """Declared values that do not agree with the content."""

    @property
    def z_mm(self) -> npt.NDArray[np.float64]:
        """Shape (layers,): heights in mm, NaN where the file does not say."""

    @property
    def byte_offset(self) -> npt.NDArray[np.uint64]:
        """Shape (layers,): where each layer begins."""

    @property
    def byte_size(self) -> npt.NDArray[np.uint64]:
        """Shape (layers,): bytes of each layer in the file."""

    def read(self, start: int, stop: int, *, skip_damaged: bool) -> BuildBatch:
        """Layers ``[start, stop)``, ``0 <= start <= stop <= number of layers``.

        Raises:
            BuildFileError: A layer is damaged, and ``skip_damaged`` is false.
        """


_KINDS: Final = pa.array(GEOMETRY_KINDS, pa.string())


@contextmanager
def build_file_errors(file: str) -> Iterator[None]:
    """Turns errors of the C++ core into ``BuildFileError`` with the name of the file."""
    try:
        yield
    except _core.NativeFormatError as error:
        code, offset, problem = error.args
        raise BuildFileError(
            file, problem, code=code, byte_offset=offset, advice=advice_on(code)
        ) from error


class NativeSource:
    """A file as the C++ core reads it.

    Args:
        file: Name of the file, for errors.
        reader: The opened reader.
    """

    def __init__(self, file: str, reader: _core.Reader) -> None:
        self._file = file
        self._reader = reader
        self.header: dict[str, Any] = reader.header
        self.damage = tuple(Damage(*parts) for parts in reader.damage)
        self.warnings = tuple(Damage(*parts) for parts in reader.warnings)
        self.z_mm, self.byte_offset, self.byte_size = reader.index()

    def read(self, start: int, stop: int, *, skip_damaged: bool) -> BuildBatch:
        """Layers ``[start, stop)``; see ``LayerSource.read``."""
        with build_file_errors(self._file):
            layers, geometries, coordinates, damage, warnings = self._reader.read_layers(
                start, stop, skip_damaged
            )
        z_mm = self.z_mm[start:stop]
        heights = pa.array(z_mm, pa.float64(), mask=np.isnan(z_mm))
        return BuildBatch(
            layers=pa.table(
                [
                    _array(layers[field.name], field.type) if field.name in layers else heights
                    for field in BUILD_LAYERS
                ],
                schema=BUILD_LAYERS,
            ),
            geometries=pa.table(
                [
                    _kinds(geometries["kind"])
                    if field.name == "kind"
                    else _array(geometries[field.name], field.type)
                    for field in BUILD_GEOMETRIES
                ],
                schema=BUILD_GEOMETRIES,
            ),
            coordinates=pa.table(
                [_array(coordinates[field.name], field.type) for field in BUILD_COORDINATES],
                schema=BUILD_COORDINATES,
            ),
            damage=tuple(Damage(*parts) for parts in damage),
            warnings=tuple(Damage(*parts) for parts in warnings),
        )


def _array(parts: _core.ColumnParts, kind: pa.DataType) -> pa.Array:
    length, nulls, validity, values = parts
    return pa.Array.from_buffers(
        kind,
        length,
        [None if validity is None else pa.py_buffer(validity), pa.py_buffer(values)],
        null_count=nulls,
    )


def _kinds(parts: _core.ColumnParts) -> pa.Array:
    return pa.DictionaryArray.from_arrays(_array(parts, pa.int8()), _KINDS)
