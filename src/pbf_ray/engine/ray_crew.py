"""The crew as Ray actors: started, named, watched, replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pbf_ray.engine.cluster import living_nodes
from pbf_ray.engine.placement import Placement
from pbf_ray.engine.reader_actor import ReaderActor
from pbf_ray.engine.spec import StreamSpec
from pbf_ray.engine.window_actor import WindowActor
from pbf_ray.errors import PbfRayError
from pbf_ray.logs import get_logger
from pbf_ray.streaming.crew import ReadReport, StandingPoint, WindowReport, WorkerDiedError
from pbf_ray.streaming.plan import EpochPlan, OffsetRange, PartitionId
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.window_step import WindowStep

__all__ = ["RayCrew", "actor_name"]

T = TypeVar("T")

_log = get_logger(__name__)


def actor_name(job_id: str, kind: str, number: int, run: int) -> str:
    """Name of an actor of a job in the namespace ``pbf_ray``."""
    return f"{job_id}/{kind}-{number}/run-{run}"


class RayCrew:
    """Reader and window actors of one run.

    The actors belong to the process that makes this object: Ray ends them with it, so a
    coordinator that dies leaves nobody behind.

    Args:
        spec: The job.
        run: Number of the run, for names.
    """

    def __init__(self, spec: StreamSpec, run: int) -> None:
        self._spec = spec
        self._run = run
        self._births = 0
        self._placement = Placement()
        self.readers = spec.readers
        self.windows = spec.windows
        self._reader_actors = [self._reader(number) for number in range(spec.readers)]
        self._window_actors = [self._window(number) for number in range(spec.windows)]

    def read(
        self,
        reader: int,
        plan: EpochPlan,
        ranges: Mapping[PartitionId, OffsetRange],
        stamp: RowStamp,
    ) -> tuple[Future[ReadReport], Sequence[Any]]:
        """Read ranges of an epoch; the routed rows stay in the object store."""
        actor = self._reader_actors[reader]
        report, *routed = actor.read.options(num_returns=1 + self.windows).remote(
            plan, ranges, stamp
        )
        return _future(report), routed

    def apply(self, window: int, step: WindowStep, routed: Sequence[Any]) -> Future[WindowReport]:
        """Apply an epoch to a window actor."""
        return _future(self._window_actors[window].apply.remote(step, *routed))

    def restore(self, window: int, point: StandingPoint) -> Future[None]:
        """Set a window actor back to a commit."""
        return _future(self._window_actors[window].restore.remote(point))

    def ready(self) -> list[Future[Any]]:
        """A future per actor, done when its process runs."""
        return [
            _future(actor.pid.remote()) for actor in [*self._reader_actors, *self._window_actors]
        ]

    def needs(self) -> str:
        """The CPU shares that the actors reserve, and what the cluster has."""
        spec = self._spec
        cluster: Any = ray  # these calls of Ray have no types
        has, free = cluster.cluster_resources(), cluster.available_resources()
        wanted = spec.readers * spec.reader_cpus + spec.windows * spec.window_cpus
        return (
            f"{spec.readers} readers and {spec.windows} window actors reserve {wanted:g} CPUs; "
            f"the cluster has {has.get('CPU', 0.0):g}, {free.get('CPU', 0.0):g} of them free"
        )

    def repair(self) -> None:
        """Replace the actors that do not answer; the others keep their process."""
        for number, actor in enumerate(self._reader_actors):
            if not _alive(actor):
                _log.warning("reader died, a new one takes over", reader=number)
                self._reader_actors[number] = self._reader(number)
        for number, actor in enumerate(self._window_actors):
            if not _alive(actor):
                _log.warning("window actor died, a new one takes over", window=number)
                self._window_actors[number] = self._window(number)

    def pids(self) -> dict[str, list[int]]:
        """Process ids by kind."""
        return {
            "reader": ray.get([actor.pid.remote() for actor in self._reader_actors]),
            "window": ray.get([actor.pid.remote() for actor in self._window_actors]),
        }

    def close(self) -> None:
        """End all actors."""
        for actor in [*self._reader_actors, *self._window_actors]:
            ray.kill(actor)

    def _reader(self, number: int) -> Any:
        return ReaderActor.options(
            name=self._name("reader", number),
            num_cpus=self._spec.reader_cpus,
            scheduling_strategy=self._where("reader", number),
        ).remote(self._spec, number)

    def _window(self, number: int) -> Any:
        return WindowActor.options(
            name=self._name("window", number),
            num_cpus=self._spec.window_cpus,
            scheduling_strategy=self._where("window", number),
        ).remote(self._spec, number)

    def _where(self, kind: str, number: int) -> Any:
        node = self._placement.choose(kind, number, living_nodes())
        if node is None:
            return "SPREAD"
        # A wish: another job may have filled the node, or it dies before the worker is there.
        return NodeAffinitySchedulingStrategy(node, soft=True, _spill_on_unavailable=True)

    def _name(self, kind: str, number: int) -> str:
        # The name of a dead actor is free only after a while, so each birth has its own.
        self._births += 1
        # Ray's job id: two jobs of one name with folders of their own may share a cluster.
        ray_job = ray.get_runtime_context().get_job_id()
        name = actor_name(self._spec.job_id, kind, number, self._run)
        return f"{name}/{ray_job}-{self._births}"


def _future(ref: Any) -> Future[Any]:
    """Ray's answer as a future whose errors are ours."""
    answer: Future[Any] = Future()
    answer.set_running_or_notify_cancel()

    def done(future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            answer.set_result(future.result())
        else:
            answer.set_exception(_ours(error))

    ref.future().add_done_callback(done)
    return answer


def _ours(error: BaseException) -> BaseException:
    """What an answer of Ray means to the pipeline.

    Whatever Ray itself raises (an actor that died or was killed for memory, a lost node or
    object) means that the worker is gone; an error of our own code is what it is.
    """
    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, PbfRayError):
            return cause
        return WorkerDiedError(_text(cause)) if isinstance(cause, RayError) else error
    return WorkerDiedError(_text(error)) if isinstance(error, RayError) else error


def _text(error: BaseException) -> str:
    """First and last line of a message of Ray: what happened, and why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"


def _alive(actor: Any) -> bool:
    try:
        ray.get(actor.pid.remote(), timeout=30)
    except ray.exceptions.GetTimeoutError:
        ray.kill(actor)
        return False
    except RayError:
        return False
    return True
