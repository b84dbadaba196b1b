"""How much of a build file is read at most."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pbf_ray.formats import _core

__all__ = ["ReadLimits"]


@dataclass(frozen=True)
class ReadLimits:
    """Most of each thing that is read; whatever they say, memory follows the bytes that are there.

    Attributes:
        max_layers: Layers of a file.
        max_geometries_per_layer: Geometries of a layer.
        max_points_per_layer: Coordinate rows of a layer.
        max_models: Models (parts, labels).
        max_build_styles: Build styles.
        max_header_bytes: Bytes of a header or of an index.
        max_nesting: Sections within sections.
        max_member_bytes: Unpacked bytes of one member of an archive (ILT).
        max_expansion: Unpacked bytes of an archive, as a multiple of its own size; and what a layer
            may take in memory, as a multiple of its bytes, where a file says things once and means
            them often (OVF: repeats, arcs; scan XML: several lasers on one path).
    """

    max_layers: int = 1_000_000
    max_geometries_per_layer: int = 50_000_000
    max_points_per_layer: int = 500_000_000
    max_models: int = 100_000
    max_build_styles: int = 100_000
    max_header_bytes: int = 64 << 20
    max_nesting: int = 32
    max_member_bytes: int = 4 << 30
    max_expansion: int = 100

    def native(self) -> _core.Limits:
        """The limits that the C++ core takes."""
        limits = _core.Limits()
        for field in fields(self):
            if hasattr(limits, field.name):
                setattr(limits, field.name, getattr(self, field.name))
        return limits
