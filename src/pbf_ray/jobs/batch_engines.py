"""The engines of the batch jobs, by the settings: this process, Ray, or Spark."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbf_ray.config import Settings
from pbf_ray.jobs.shared_folders import FolderUse, require_shared_by_nodes

if TYPE_CHECKING:
    from pbf_ray.batch.builds import Engine
    from pbf_ray.batch.quality import QualityEngine

__all__ = ["quality_engine", "task_engine"]


@contextmanager
def task_engine(
    settings: Settings, name: str, *, purpose: str, folders: Iterable[FolderUse] = ()
) -> Iterator[Engine]:
    """An engine that does tasks; what was started for it is ended with it.

    Args:
        settings: Those of ``ray`` and ``spark`` count.
        name: ``"ray"``, ``"local"`` or ``"spark"``.
        purpose: What Spark calls it, behind its name for the application.
        folders: What the work will read and write.

    Raises:
        SettingError: A folder is of one machine, and Ray has several.
        PbfRayError: The cluster cannot be joined.
    """
    if name == "local":
        from pbf_ray.batch.local import LocalEngine

        yield LocalEngine()
    elif name == "spark":
        from pbf_ray.batch.spark import SparkEngine

        with _spark(settings, purpose) as session:
            yield SparkEngine(session)
    else:
        with _ray(settings, folders):
            from pbf_ray.batch.ray import RayEngine

            yield RayEngine()


@contextmanager
def quality_engine(
    settings: Settings, name: str, *, folders: Iterable[FolderUse] = ()
) -> Iterator[QualityEngine]:
    """An engine for the batch form of the main job; as ``task_engine``.

    Args:
        settings: Those of ``ray`` and ``spark`` count.
        name: ``"ray"``, ``"local"`` or ``"spark"``.
        folders: What the work will read and write.
    """
    if name == "spark":
        from pbf_ray.batch.spark import SparkQuality

        with _spark(settings, "quality") as session:
            yield SparkQuality(session)
        return
    from pbf_ray.batch.quality import TaskQuality

    with task_engine(settings, name, purpose="quality", folders=folders) as engine:
        yield TaskQuality(engine)


@contextmanager
def _spark(settings: Settings, purpose: str) -> Iterator[Any]:
    from pbf_ray.batch.spark import spark_conf, spark_session

    spark = settings.spark
    with spark_session(
        spark.master, app_name=f"{spark.app_name} {purpose}", conf=spark_conf(spark)
    ) as session:
        yield session


@contextmanager
def _ray(settings: Settings, folders: Iterable[FolderUse]) -> Iterator[None]:
    from pbf_ray.engine.cluster import connect, disconnect

    own = _token_folder() if settings.ray.address is None else settings.stores_root
    connected = connect(
        address=settings.ray.address,
        token_path=settings.ray.token_path or own / "ray-token",
        cpus_needed=1,
        object_store_mb=settings.ray.object_store_mb,
        forward_logs=False,
    )
    try:
        require_shared_by_nodes(folders, settings)
        yield
    finally:
        if connected:
            disconnect()


@cache
def _token_folder() -> Path:
    """For the token of a Ray of our own: as long as this process, for Ray asks once."""
    folder = Path(tempfile.mkdtemp(prefix="pbf-ray-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
