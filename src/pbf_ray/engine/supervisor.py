"""Keeps a coordinator alive from the driver's process: the only part that lives outside Ray."""

from __future__ import annotations

import re
import secrets
import threading
import time
from typing import Any, Final

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from pbf_ray.engine.cluster import living_nodes
from pbf_ray.engine.coordinator import CoordinatorActor
from pbf_ray.engine.spec import StreamSpec
from pbf_ray.errors import PbfRayError, StreamError, WorkersLostError
from pbf_ray.logs import get_logger
from pbf_ray.streaming.progress import Progress

__all__ = ["Supervisor"]

_log = get_logger(__name__)

_TRACE: Final = 0.001
"""Of the custom resource: a mark of where to be, which many jobs share."""
_NO_MODULE: Final = re.compile(r"No module named '([^']+)'")


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
                if isinstance(error, RayActorError) and error.actor_init_failed:
                    # It would fail again: nothing but reading the specification happens there.
                    raise _unborn(error) from None
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


def _unborn(error: RayActorError) -> StreamError:
    """Why a coordinator could not be made; mostly a class that Ray's workers cannot import."""
    text = str(error)
    lacking = _NO_MODULE.search(text)
    if lacking is None:
        last = text.strip().splitlines()[-1].strip()
        return StreamError(
            f"the coordinator cannot be made: {last}",
            advice="the specification of the job, sinks included, has to be readable by pickle",
        )
    return StreamError(
        f"Ray's workers cannot import {lacking[1]}, which the job needs",
        advice="a sink's class has to be importable on every node: install its package there, or "
        "set PYTHONPATH before Ray is started",
        module=lacking[1],
    )
