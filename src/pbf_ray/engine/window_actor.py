"""The window worker as a Ray actor."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import ray

from pbf_ray.engine.spec import StreamSpec
from pbf_ray.kernels.loading import STREAM_KERNELS, load_kernels
from pbf_ray.logs import configure_logs
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.crew import StandingPoint, WindowReport, WindowWork
from pbf_ray.streaming.window import WindowOperator
from pbf_ray.streaming.window_step import WindowStep

__all__ = ["Window", "WindowActor"]


class Window:
    """Owns hash buckets of (build_id, layer); takes its calls in order."""

    def __init__(self, spec: StreamSpec, worker: int) -> None:
        load_kernels(STREAM_KERNELS)
        configure_logs(spec.log_json, spec.log_level, job=spec.job_id, worker=f"window-{worker}")
        operator = WindowOperator(
            CheckpointFolder(spec.checkpoint),
            buckets=spec.buckets,
            workers=spec.windows,
            worker=worker,
        )
        self._work = WindowWork(
            operator, spec.stores, worker=worker, store_patience_s=spec.pace.store_patience_s
        )

    def restore(self, point: StandingPoint) -> None:
        """Go back to a commit."""
        self._work.restore(point)

    def apply(self, step: WindowStep, *routed: pa.Table) -> WindowReport:
        """Take in an epoch; ``routed`` comes from the object store without a copy."""
        return self._work.apply(step, routed)

    def pid(self) -> int:
        """Process id, for operators and for tests that kill."""
        return os.getpid()


WindowActor: Any = ray.remote(max_restarts=0, max_task_retries=0)(Window)
