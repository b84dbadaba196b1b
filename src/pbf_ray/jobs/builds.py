"""The build-file job: build files in, Parquet tables out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbf_ray.config import Settings
from pbf_ray.jobs.batch_engines import task_engine
from pbf_ray.jobs.shared_folders import batch_folders

if TYPE_CHECKING:
    from pbf_ray.batch.builds import BuildsProgress

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
        folders = list(batch_folders(paths, output))
        with task_engine(
            self._settings, builds.engine, purpose="builds", folders=folders
        ) as engine:
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
