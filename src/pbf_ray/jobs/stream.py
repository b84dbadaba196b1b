"""The main job: Kafka to anomalies, rolling quality and layer results, exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pbf_ray.config import Settings
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.shared_folders import require_shared_by_nodes, stream_folders
from pbf_ray.jobs.stores import job_stores
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, RuleProfile
from pbf_ray.storage.base import Sink
from pbf_ray.storage.layout import JobStores
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.semantics import StreamSemantics

if TYPE_CHECKING:
    from pbf_ray.engine.spec import StreamSpec
    from pbf_ray.engine.supervisor import Supervisor
    from pbf_ray.streaming.kafka_copies import CopyTopics

__all__ = ["JobResult", "StreamJob", "copy_topics", "load_profile", "stream_semantics"]


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        job_id: Name of the job.
        outcome: ``"finished"``: the bounded input is done; ``"stopped"``: told to stop.
        books: consumed, accepted, dead_letters, late, dropped, duplicates, pending.
        anomalies_by_type: Count per anomaly type, late ones included.
        dead_letters_by_reason: Count per reason code.
        layers: Layers that have closed at least once.
        seconds: Wall time of this run.
        outputs: Where everything lies, by name.
    """

    job_id: str
    outcome: str
    books: dict[str, int]
    anomalies_by_type: dict[str, int]
    dead_letters_by_reason: dict[str, int]
    layers: int
    seconds: float
    outputs: dict[str, str]

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def load_profile(name: str) -> RuleProfile:
    """The rule profile that ``rules.profile`` names: ``default``, or the path of a TOML file.

    Raises:
        SettingError: If it cannot be read or used.
    """
    from pbf_ray.errors import SettingError

    if name == "default":
        return DEFAULT_PROFILE
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            "rules.profile",
            name,
            f"cannot be read: {error}",
            advice='use "default" or the path of a TOML file (docs/rules.md)',
        ) from error
    return RuleProfile.from_toml(text, source=name)


class StreamJob:
    """Runs the stream on Ray; usable as a context manager.

        job = StreamJob(Settings(stream={"until_end": True}))
        result = job.run()
        layers = job.results.polars("layer_quality")

    Args:
        settings: All settings; see ``pbf_ray.config``.
        profile: Rule profile in place of the one that the settings name.
        sinks: Further outputs (``pbf_ray.storage.Sink``), beside the stores of the settings.
        forward_logs: Show the workers' log lines in this process.
        log_level: Lowest level that workers log.
        log_json: Whether they write JSON lines.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        profile: RuleProfile | None = None,
        sinks: Sequence[Sink] = (),
        forward_logs: bool = True,
        log_level: str = "WARNING",
        log_json: bool = False,
    ) -> None:
        self.settings = settings
        self._profile = profile if profile is not None else load_profile(settings.rules.profile)
        self._sinks = tuple(sinks)
        self._forward_logs = forward_logs
        self._log_level = log_level
        self._log_json = log_json
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._began_s = 0.0
        self._connected = False
        self._result: JobResult | None = None
        self._error: BaseException | None = None

    # -- life ------------------------------------------------------------------------------

    def start(self) -> Self:
        """Prepare the stores, connect to Ray, start the coordinator; returns at once.

        Raises:
            StoreError: If a store cannot be used.
            SettingError: If a setting does not fit, or names a folder of one machine on a cluster
                of several.
            PbfRayError: If the cluster cannot be joined.
        """
        if self._thread is not None:
            raise RuntimeError("the job is started already; make a new StreamJob to run it again")
        from pbf_ray.engine.cluster import connect
        from pbf_ray.engine.supervisor import Supervisor

        self._began_s = time.monotonic()
        settings = self.settings
        stores = self._stores()
        stores.prepare()
        workers = settings.workers
        self._connected = connect(
            address=settings.ray.address,
            token_path=settings.ray.token_path or settings.stores_root / "ray-token",
            cpus_needed=workers.readers * workers.reader_cpus
            + workers.windows * workers.window_cpus,
            object_store_mb=settings.ray.object_store_mb,
            forward_logs=self._forward_logs,
        )
        try:
            require_shared_by_nodes(stream_folders(settings), settings)
            self._supervisor = Supervisor(self._spec(stores))
        except BaseException:
            self.close()
            raise
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def wait(self, timeout_s: float | None = None) -> JobResult | None:
        """Wait for the end.

        Returns:
            The result, or None if the job still runs after ``timeout_s``.

        Raises:
            PbfRayError: What ended the job, if it failed.
        """
        if self._thread is None:
            raise RuntimeError("the job is not started")
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        return self._result

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> JobResult:
        """Start, wait for the end, close.

        Args:
            on_progress: Called about twice a second.
        """
        try:
            self.start()
            while True:
                result = self.wait(0.5)
                if result is not None:
                    return result
                if on_progress is not None:
                    on_progress(self.progress())
        finally:
            self.close()

    def stop(self) -> None:
        """Finish the epoch, commit, end. A later start goes on from there."""
        self._running().request("stop")

    def finish(self) -> None:
        """Read to the end that the topics have now, release and close everything, end."""
        self._running().request("finish")

    def abort(self) -> None:
        """End now. Nothing is lost: a later start goes on from the last commit."""
        self._running().abort()

    def close(self) -> None:
        """Leave Ray, if this job connected to it; a job that still runs is aborted."""
        if self._thread is not None and self._thread.is_alive():
            self.abort()
            self._thread.join()
        if self._connected:
            from pbf_ray.engine.cluster import disconnect

            disconnect()
            self._connected = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- asking ----------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Where the job stands."""
        return self._running().progress()

    def pids(self) -> dict[str, list[int]]:
        """Process ids of the coordinator, the readers and the window actors."""
        return self._running().pids()

    @property
    def results(self) -> Results:
        """The tables that the job writes; readable while it runs."""
        return Results(self.settings)

    # -- inside ----------------------------------------------------------------------------

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise RuntimeError("the job is not started")
        return self._supervisor

    def _supervise(self) -> None:
        try:
            outcome, books = self._running().run()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error
            return
        counts = {name: count for name, count in books.items() if isinstance(count, int)}
        self._result = JobResult(
            job_id=self.settings.job.name,
            outcome=outcome,
            books=counts,
            anomalies_by_type=books["anomalies_by_type"],
            dead_letters_by_reason=books["dead_letters_by_reason"],
            layers=books["layers"],
            seconds=time.monotonic() - self._began_s,
            outputs=self.results.places(),
        )

    def _stores(self) -> JobStores:
        return job_stores(self.settings, sinks=self._sinks)

    def _spec(self, stores: JobStores) -> StreamSpec:
        from pbf_ray.engine.spec import StreamSpec
        from pbf_ray.streaming.pace import Pace
        from pbf_ray.streaming.planner import PlanLimits

        settings = self.settings
        stream, workers = settings.stream, settings.workers
        return StreamSpec(
            job_id=settings.job.name,
            bootstrap_servers=settings.kafka.bootstrap_servers,
            client=settings.kafka.client_config(),
            topics=settings.kafka.topics,
            group_id=settings.group_id,
            checkpoint=settings.checkpoint_path.absolute(),
            keep=settings.checkpoint.keep,
            read_ahead_bytes=settings.kafka.read_ahead_mib << 20,
            stores=stores,
            semantics=stream_semantics(settings, self._profile),
            limits=PlanLimits(
                epoch_max_rows=stream.epoch_max_rows,
                pending_rows_limit=stream.pending_rows_limit,
                max_state_bytes=stream.max_state_bytes,
                start_from=stream.start_from,
                accept_loss=stream.accept_loss,
            ),
            pace=Pace(
                epoch_interval_s=stream.epoch_interval_ms / 1000,
                epoch_max_rows=stream.epoch_max_rows,
                max_in_flight=stream.max_epochs_in_flight,
                broker_patience_s=settings.kafka.connect_timeout_s,
                start_patience_s=settings.ray.start_timeout_s,
                max_restarts=workers.max_restarts,
                store_patience_s=settings.stores.retry_s,
            ),
            readers=workers.readers,
            windows=workers.windows,
            buckets=workers.buckets,
            reader_cpus=workers.reader_cpus,
            window_cpus=workers.window_cpus,
            coordinator_resource=settings.ray.coordinator_resource,
            copies=copy_topics(settings),
            report_every_s=stream.report_every_s,
            metrics_file=stream.metrics_file,
            metrics_port=stream.metrics_port,
            log_level=self._log_level,
            log_json=self._log_json,
        )


def copy_topics(settings: Settings) -> CopyTopics:
    """Which copies of dead letters and late records go where, by the settings."""
    from pbf_ray.streaming.kafka_copies import CopyTopics

    kafka = settings.kafka
    if kafka.copies == "off":
        return CopyTopics()
    named = {"dead_letters": kafka.dead_letters_topic, "late_records": kafka.late_records_topic}
    return CopyTopics(
        {table: topic for table, topic in named.items() if topic is not None},
        required=kafka.copies == "required",
    )


def stream_semantics(settings: Settings, profile: RuleProfile) -> StreamSemantics:
    """What new epochs decide by, from the settings and a rule profile."""
    stream = settings.stream
    return StreamSemantics(
        mode=stream.mode,
        bounded=stream.until_end,
        allowed_lateness_s=stream.allowed_lateness_s,
        layer_gap_s=stream.layer_gap_s,
        idle_timeout_s=stream.idle_timeout_s,
        build_retire_after_s=stream.build_retire_after_s,
        max_future_s=stream.max_future_s,
        malformed=stream.malformed,
        dedup_key=stream.dedup_key,
        quality_metrics=stream.quality_metrics,
        profile_toml=profile.to_toml(),
    )
