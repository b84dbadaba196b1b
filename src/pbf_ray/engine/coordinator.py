"""The coordinator as a Ray actor: holds the ledger, drives the pipeline, owns the crew."""

from __future__ import annotations

import os
from typing import Any, Final

import ray

from pbf_ray.engine.ray_crew import RayCrew
from pbf_ray.engine.spec import StreamSpec
from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.logs import configure_logs
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.copies import Copies
from pbf_ray.streaming.heartbeat import Heartbeat, MetricsOutputs
from pbf_ray.streaming.job_topics import JobTopics, source_ids
from pbf_ray.streaming.kafka_copies import kafka_copies
from pbf_ray.streaming.ledger import Ledger
from pbf_ray.streaming.manifest import JobIdentity
from pbf_ray.streaming.pipeline import Pipeline
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.status import RunFacts
from pbf_ray.streaming.vitals import Vitals

__all__ = ["Coordinator", "CoordinatorActor"]

_ANSWER_S: Final = 6.0
"""How long the cluster may take to answer before the job says that it waits for it."""


class Coordinator:
    """One run of a job."""

    def __init__(self, spec: StreamSpec) -> None:
        configure_logs(spec.log_json, spec.log_level, job=spec.job_id, worker="coordinator")
        self._spec = spec
        self._pipeline: Pipeline | None = None
        self._crew: RayCrew | None = None
        self._asked: list[str] = []

    def run(self) -> tuple[str, dict[str, Any]]:
        """Run to the end or until told to stop.

        Returns:
            Outcome (``"finished"`` or ``"stopped"``) and the books.

        Raises:
            PbfRayError: If the job cannot go on; the checkpoint is whole.
        """
        spec = self._spec
        wait_for_broker(
            client_config(spec.bootstrap_servers, spec.client), spec.pace.broker_patience_s
        )
        patience_s = spec.pace.broker_patience_s
        # The pipeline has patience of its own: a short answer lets it say that it waits.
        view = ClusterView(
            spec.bootstrap_servers,
            spec.topics,
            spec.client,
            timeout_s=min(_ANSWER_S, patience_s),
        )
        sources = source_ids(view, patience_s=patience_s)
        folder = CheckpointFolder(spec.checkpoint)
        identity = JobIdentity(spec.job_id, spec.buckets, spec.semantics.mode, sources)
        log = CheckpointLog(folder, keep=spec.keep)
        ledger = Ledger(log, identity, spec.limits)
        vitals = Vitals(spec.job_id, ledger.run)
        copies: list[Copies] = []
        heartbeat = Heartbeat(
            log,
            vitals,
            RunFacts(driver_pid=spec.driver[0], driver_host=spec.driver[1], group_id=spec.group_id),
            copies=lambda: [each for some in copies for each in some.standing()],
            metrics=MetricsOutputs(spec.metrics_file, spec.metrics_port),
            report_every_s=spec.report_every_s,
        )
        heartbeat.start()
        try:
            spec.stores.claim(spec.job_id, ledger.run)
            # From now on the stores stand still, so what the log says last is exact.
            ledger.reload()
            ledger.check_stores(spec.stores.applied_epochs(spec.job_id))
            copies.append(self._copies(log))
            outcome = self._drive(
                ledger, JobTopics(view, identity.sources, spec.group_id), vitals, copies[0]
            )
        except BaseException as error:
            heartbeat.end(error)
            raise
        heartbeat.end()
        return outcome, ledger.books.to_plain()

    def _drive(self, ledger: Ledger, topics: JobTopics, vitals: Vitals, copies: Copies) -> str:
        spec = self._spec
        self._crew = RayCrew(spec, ledger.run)
        self._pipeline = Pipeline(
            ledger,
            self._crew,
            topics,
            spec.stores,
            semantics=spec.semantics,
            pace=spec.pace,
            vitals=vitals,
            copies=copies,
            max_state_bytes=spec.limits.max_state_bytes,
        )
        for request in self._asked:
            getattr(self._pipeline, request)()
        try:
            return self._pipeline.run()
        finally:
            self._crew.close()

    def _copies(self, log: CheckpointLog) -> Copies:
        spec = self._spec
        return kafka_copies(
            log, spec.job_id, spec.copies, spec.stores, spec.bootstrap_servers, spec.client
        )

    def stop(self) -> None:
        """Finish the epochs under way, commit, end."""
        self._ask("stop")

    def finish(self) -> None:
        """Read to the present end of the topics, release and close everything, end."""
        self._ask("finish")

    def progress(self) -> Progress:
        """Where the job stands."""
        if self._pipeline is None:
            return Progress(job_id=self._spec.job_id)
        return self._pipeline.progress()

    def pids(self) -> dict[str, list[int]]:
        """Process ids of the workers by kind, and of this coordinator."""
        crew = self._crew.pids() if self._crew is not None else {}
        return {**crew, "coordinator": [os.getpid()]}

    def _ask(self, request: str) -> None:
        self._asked.append(request)
        if self._pipeline is not None:
            getattr(self._pipeline, request)()


# run() has a thread of its own; progress, stop and pids are answered beside it.
_OPTIONS: dict[str, Any] = {
    "max_restarts": 0,
    "max_task_retries": 0,
    "max_concurrency": 4,
    "num_cpus": 0,
}
CoordinatorActor: Any = ray.remote(**_OPTIONS)(Coordinator)
