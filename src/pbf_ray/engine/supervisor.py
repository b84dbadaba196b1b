"""Keeps a coordinator alive from the driver's process: the only part that lives outside Ray."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError

from pbf_ray.engine.cluster import living_nodes
from pbf_ray.engine.coordinator import CoordinatorActor
from pbf_ray.engine.spec import StreamSpec
from pbf_ray.errors import PbfRayError, WorkersLostError
from pbf_ray.logs import get_logger
from pbf_ray.streaming.progress import Progress

__all__ = ["Supervisor"]

_log = get_logger(__name__)

_TRACE: Final = 0.001
"""Of the custom resource: a mark of where to be, which many jobs share."""


class Supervisor:
    """Runs a coordinator; when it dies, starts a new one, which goes on from the checkpoint.

    Args:
        spec: The job.
    """

    def __init__(self, spec: StreamSpec) -> None:
        self._spec = spec
        self._requests: list[str] = []
        self._lock = threading.Lock()
        self._progress = Progress(job_id=spec.job_id)
        self._aborted = False
        self._coordinator = self._born()

    def run(self) -> tuple[str, dict[str, Any]]:
        """Outcome and books of the job; blocks until it ends.

        Raises:
            PbfRayError: If the job cannot go on.
        """
        deaths, last_epoch = 0, -1
        while True:
            try:
                answer = self._coordinator.run.remote()
                while not ray.wait([answer], timeout=2.0)[0]:
                    self.progress()
                outcome: tuple[str, dict[str, Any]] = ray.get(answer)
            except RayTaskError as error:
                if isinstance(error.cause, PbfRayError):
                    raise error.cause from None
                raise
            except RayError as error:
                cause = (str(error).strip() or type(error).__name__).splitlines()[0]
                deaths = 1 if self._progress.epoch > last_epoch else deaths + 1
                last_epoch = self._progress.epoch
                if deaths > self._spec.pace.max_restarts:
                    raise WorkersLostError(
                        "the coordinator", restarts=deaths, cause=cause
                    ) from error
                time.sleep(min(0.1 * 2.0**deaths, 10.0))
                with self._lock:
                    if self._aborted:
                        raise
                    _log.warning("the coordinator died, a new one goes on", cause=cause)
                    self._coordinator = self._born()
            else:
                self.progress()  # the last one, for whoever asks after the end
                ray.kill(self._coordinator)
                return outcome

    def request(self, what: str) -> None:
        """``"stop"`` or ``"finish"``; a coordinator born later is told too."""
        with self._lock:
            self._requests.append(what)
            getattr(self._coordinator, what).remote()

    def progress(self) -> Progress:
        """Where the job stands; the last that is known while a coordinator is being born."""
        try:
            self._progress = ray.get(self._coordinator.progress.remote(), timeout=5.0)
        except RayError:
            _log.debug("no answer from the coordinator, the last progress stands")
        return self._progress

    def pids(self) -> dict[str, list[int]]:
        """Process ids of coordinator, readers and window actors."""
        pids: dict[str, list[int]] = ray.get(self._coordinator.pids.remote(), timeout=30.0)
        return pids

    def abort(self) -> None:
        """End everything now; a restart goes on from the last commit."""
        with self._lock:
            self._aborted = True
            ray.kill(self._coordinator)

    def _born(self) -> Any:
        resource = self._spec.coordinator_resource
        marked = any(resource in node.resources for node in living_nodes())
        coordinator = CoordinatorActor.options(
            name=f"{self._spec.job_id}/coordinator/{secrets.token_hex(4)}",
            resources={resource: _TRACE} if marked else {},
        ).remote(self._spec)
        for request in self._requests:
            getattr(coordinator, request).remote()
        return coordinator
