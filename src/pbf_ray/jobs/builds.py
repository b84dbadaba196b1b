"""The build-file job: build files in, Parquet tables out."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbf_ray.config import Settings

if TYPE_CHECKING:
    from pbf_ray.batch.builds import BuildsProgress, Engine

__all__ = ["BuildsJob", "BuildsResult"]


@dataclass(frozen=True)
class BuildsResult:
    """What came of a run.

    Attributes:
        output: Where the tables are.
        engine: Who did the work.
        files: Files by status: read, partial, failed, skipped.
        rows: Rows by table.
        layers: Layers in the output.
        tasks: Tasks that the files made.
        errors: Rows of the table ``errors``.
        seconds: Wall time, the start of the engine included.
    """

    output: str
    engine: str
    files: dict[str, int]
    rows: dict[str, int]
    layers: int
    tasks: int
    errors: list[dict[str, Any]]
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every build file was read whole."""
        return not (self.files["failed"] or self.files["partial"])

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


class BuildsJob:
    """Reads build files and writes their tables.

        result = BuildsJob(Settings(builds={"engine": "local"})).run(["part.cli"], "parsed")

    Args:
        settings: All settings; those of ``builds``, ``ray`` and ``spark`` count.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(
        self,
        paths: Sequence[str | Path],
        output: str | Path,
        on_progress: Callable[[BuildsProgress], None] | None = None,
    ) -> BuildsResult:
        """Read, write, tell.

        Args:
            paths: Files, folders, globs, or URLs of them.
            output: A folder or URL; what an earlier run left there is replaced.
            on_progress: Told whenever a task is done.

        Raises:
            PbfRayError: The inputs, the output or the engine cannot be used. Bad files are no
                error; they are in the result.
        """
        from pbf_ray.batch.builds import ReadingOptions, parse_builds
        from pbf_ray.buildplan import MachineTimes

        began_s = time.monotonic()
        builds = self._settings.builds
        with self._engine() as engine:
            parsed = parse_builds(
                paths,
                output,
                engine=engine,
                options=ReadingOptions(
                    on_damage=builds.on_damage,
                    machine=MachineTimes(
                        recoat_time_s=builds.recoat_time_s,
                        point_delay_us=builds.point_delay_us,
                        jump_speed_mm_s=builds.jump_speed_mm_s,
                        jump_delay_us=builds.jump_delay_us,
                    ),
                    memory_bytes=builds.memory_bytes,
                    spool_bytes=builds.spool_bytes,
                ),
                split_bytes=builds.split_bytes,
                on_progress=on_progress,
            )
        return BuildsResult(
            output=parsed.output,
            engine=builds.engine,
            files=parsed.by_status,
            rows=parsed.rows,
            layers=parsed.rows.get("layers", 0),
            tasks=parsed.tasks,
            errors=parsed.errors.to_pylist(),
            seconds=time.monotonic() - began_s,
        )

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        if self._settings.builds.engine == "local":
            from pbf_ray.batch.local import LocalEngine

            yield LocalEngine()
        elif self._settings.builds.engine == "spark":
            from pbf_ray.batch.spark import SparkEngine, spark_session

            with spark_session(self._settings.spark.master, app_name="pbf-ray builds") as session:
                yield SparkEngine(session)
        else:
            with self._ray():
                from pbf_ray.batch.ray import RayEngine

                yield RayEngine()

    @contextmanager
    def _ray(self) -> Iterator[None]:
        from pbf_ray.engine.cluster import connect, disconnect

        settings = self._settings
        own = _token_folder() if settings.ray.address is None else settings.stores_root
        connected = connect(
            address=settings.ray.address,
            token_path=settings.ray.token_path or own / "ray-token",
            cpus_needed=1,
            object_store_mb=settings.ray.object_store_mb,
            forward_logs=False,
        )
        try:
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
