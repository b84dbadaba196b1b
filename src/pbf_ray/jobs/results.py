"""Reading what a job has written, while it runs or after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import PbfRayError
from pbf_ray.jobs.stores import job_stores
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Results"]


class Results:
    """The output tables and the books of one job.

    Args:
        settings: The settings that the job ran with; its name, its stores and its checkpoint.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stores = job_stores(settings)

    def read(
        self, name: str, *, columns: Sequence[str] | None = None, limit: int | None = None
    ) -> pa.Table:
        """Rows of an output table, as Arrow with the exact schema of its contract.

        Args:
            name: ``ispm_monitoring``, ``ispm_anomalies``, ``quality_metrics``,
                ``layer_quality``, ``dead_letters`` or ``late_records``.
            columns: Only these.
            limit: At most so many rows.

        Raises:
            PbfRayError: If there is no such table, or the job has written nothing yet.
        """
        return self._stores.read(
            self._known(name), job_id=self._settings.job.name, columns=columns, limit=limit
        )

    def polars(
        self, name: str, *, columns: Sequence[str] | None = None, limit: int | None = None
    ) -> pl.DataFrame:
        """The same as a polars frame."""
        import polars as pl

        frame = pl.from_arrow(self.read(name, columns=columns, limit=limit))
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(f"{name} did not convert to a frame")
        return frame

    def count(self, name: str) -> int:
        """Number of rows of the job in an output table."""
        return self._stores.count(self._known(name), job_id=self._settings.job.name)

    def books(self) -> dict[str, object]:
        """The books of the last commit: counts, anomalies by type, dead letters by reason.

        Raises:
            PbfRayError: If the job has committed nothing yet.
        """
        folder = CheckpointFolder(self._settings.checkpoint_path)
        commit = CheckpointLog(folder).last_commit()
        if commit is None:
            raise PbfRayError(
                f"job {self._settings.job.name} has committed nothing at {folder.path}",
                advice="check --job and job.data_dir, or run pbf-ray stream first",
            )
        return {"job_id": self._settings.job.name, "epoch": commit.epoch, **commit.books.to_plain()}

    def places(self) -> dict[str, str]:
        """Where everything lies: a place per table, and the checkpoint."""
        return {
            **{name: self._stores.store(name).name for name in OUTPUT_TABLES},
            "checkpoint": str(self._settings.checkpoint_path.absolute()),
        }

    @staticmethod
    def _known(name: str) -> str:
        if name not in OUTPUT_TABLES:
            raise PbfRayError(
                f"there is no output table {name!r}",
                advice=f"the tables are {', '.join(OUTPUT_TABLES)}",
            )
        return name
