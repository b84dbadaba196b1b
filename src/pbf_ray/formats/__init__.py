"""Build files: readers and writers over a C++ core; columns out, never an object per vector.

    from pbf_ray.formats import open_build

    with_layers = open_build("part.cli")
    for batch in with_layers.scan():
        ...

The core is in ``native/``; the formats, and what of each was verified, are in docs/formats.md.
"""

from pbf_ray.formats.build_file import BuildFile, BuildTables
from pbf_ray.formats.layer_source import BuildBatch, Damage
from pbf_ray.formats.limits import ReadLimits
from pbf_ray.formats.opening import open_build
from pbf_ray.formats.writing import WriteReport, write_build

__all__ = [
    "BuildBatch",
    "BuildFile",
    "BuildTables",
    "Damage",
    "ReadLimits",
    "WriteReport",
    "open_build",
    "write_build",
]
