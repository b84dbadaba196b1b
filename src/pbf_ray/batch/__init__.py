"""Pipelines over files: the work once, three engines (the process itself, Ray Data, Spark)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any

    import ray.data

    from pbf_ray.batch.builds.parsing import What
    from pbf_ray.batch.builds.tasks import ReadingOptions
    from pbf_ray.batch.quality import BatchQuality, BrokerAccess, QualityOptions

__all__ = ["batch_quality", "read_builds"]


def batch_quality(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    engine: Any = "ray",
    options: QualityOptions | None = None,
    access: BrokerAccess | None = None,
) -> BatchQuality:
    """The batch form of the main job: bounded records in, the tables of the stream out.

    Args:
        inputs: Files, folders, patterns, URLs of them; or ``kafka://TOPIC?start=...&end=...``.
        output: A folder or URL for the tables; what an earlier run left there is replaced.
        engine: ``"local"``: threads of this process; ``"ray"``: Ray Data on the Ray that this
            process is connected to; ``"spark"``: the active Spark session, or one of
            ``local[*]``; or a Spark session.
        options: How records are read and judged.
        access: How topics are reached.

    Raises:
        PbfRayError: The input, the output or the engine cannot be used.
    """
    from pbf_ray.batch.quality import TaskQuality, run_quality

    if engine == "local":
        from pbf_ray.batch.local import LocalEngine

        chosen = TaskQuality(LocalEngine())
        return run_quality(inputs, output, engine=chosen, options=options, access=access)
    if engine == "ray":
        from pbf_ray.batch.ray import RayEngine

        chosen = TaskQuality(RayEngine())
        return run_quality(inputs, output, engine=chosen, options=options, access=access)
    from pbf_ray.batch.spark import SparkQuality, spark_session

    if engine != "spark":
        return run_quality(
            inputs, output, engine=SparkQuality(engine), options=options, access=access
        )
    with spark_session("local[*]") as session:
        return run_quality(
            inputs, output, engine=SparkQuality(session), options=options, access=access
        )


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
