"""Pipelines over files: the work once, three engines (the process itself, Ray Data, Spark)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import ray.data

    from pbf_ray.batch.builds.parsing import What
    from pbf_ray.batch.builds.tasks import ReadingOptions

__all__ = ["read_builds"]


def read_builds(
    paths: Iterable[str | os.PathLike[str]],
    what: What = "vectors",
    *,
    options: ReadingOptions | None = None,
    split_bytes: int = 128 << 20,
) -> ray.data.Dataset:
    """Build files as a Ray Data dataset.

    Large files are read in shares of their layers by several workers; blocks are batches of
    layers, so memory follows the layers in hand.

    Args:
        paths: Files, folders, globs, or URLs of them, that all workers see.
        what: ``"vectors"`` (a row per geometry), ``"layers"`` (a row per layer, with lengths, times
            and energies), ``"layer_models"``, ``"layer_lasers"``, ``"layer_exposures"``,
            ``"build_styles"``, ``"models"``, ``"metadata"`` or ``"errors"``; the columns are those
            of ``contracts.BUILD_OUTPUTS``, behind ``build`` and ``file``.
        options: How files are read; the default stops at a bad file.
        split_bytes: Bytes of a file that one task reads, about.

    Raises:
        InputFileError: A path names nothing.
        PbfRayError: No file is left to be read.
    """
    from pbf_ray.batch.ray import read_builds as read

    return read(paths, what, options=options, split_bytes=split_bytes)
