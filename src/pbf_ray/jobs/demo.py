"""The demo: a simulated build, an embedded broker, and the main job on it.

Every demo has a folder and a job name of its own, so two of them never mix.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from pbf_ray.config import Settings
from pbf_ray.jobs.produce import ProduceJob
from pbf_ray.jobs.record_targets import TopicTarget
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.stream import JobResult, StreamJob
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.embedded import EmbeddedBroker
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topic_specs import DEAD_LETTERS, ISPM_MONITORING, LATE_RECORDS
from pbf_ray.kafka.topics import create_topics
from pbf_ray.simulate.config import TwinConfig, build_name
from pbf_ray.simulate.faults import FAULT_KINDS, Fault
from pbf_ray.simulate.slices import write_build_files
from pbf_ray.simulate.truth import GroundTruth, write_ground_truth
from pbf_ray.simulate.twin import Twin
from pbf_ray.streaming.progress import Progress

__all__ = ["DemoJob", "DemoScale"]

TOPIC = ISPM_MONITORING.name


@dataclass(frozen=True)
class DemoScale:
    """How much is simulated.

    Attributes:
        machines: Machines that print at the same time.
        layers: Layers of each build, at least 4.
        seconds: How long the simulated machines send; event time runs faster.
        seed: Source of all chance.
    """

    machines: int = 2
    layers: int = 12
    seconds: float = 20.0
    seed: int = 2026


class DemoJob:
    """Broker, machine twin and stream together; has the calls of a ``StreamJob``.

    Args:
        settings: Settings to build on; name, folder, broker and topics are the demo's own.
        scale: How much is simulated.
    """

    def __init__(self, settings: Settings, scale: DemoScale | None = None) -> None:
        self.scale = scale or DemoScale()
        name = f"demo-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        self.folder = Path(settings.job.data_dir).absolute() / name
        self.truth_path = self.folder / "ground-truth.json"
        self.build_files = self.folder / "build-files"
        self._base = settings
        self._name = name
        self._broker = EmbeddedBroker(self.folder / "broker")
        self._job: StreamJob | None = None
        self._feeder: threading.Thread | None = None
        self._feed_error: Exception | None = None
        self._stop_feeding = threading.Event()
        self.settings = settings
        self.truth: GroundTruth | None = None

    def start(self) -> Self:
        """Start the broker, the job, and the machines; returns as soon as they run.

        Raises:
            MissingDependencyError: If the embedded broker is not installed.
            PbfRayError: If something cannot start.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._broker.start()
            create_topics(
                client_config(self._broker.bootstrap_servers),
                [ISPM_MONITORING, DEAD_LETTERS, LATE_RECORDS],
                clamp_replication=True,
            )
            self.settings = self._own_settings()
            self._job = StreamJob(self.settings, forward_logs=False).start()
            self._feeder = threading.Thread(target=self._feed, name="twin", daemon=True)
            self._feeder.start()
        except BaseException:
            self.close()
            raise
        return self

    def wait(self, timeout_s: float | None = None) -> JobResult | None:
        """The result, or None if the demo still runs after ``timeout_s``.

        Raises:
            PbfRayError: What ended it, if it failed.
        """
        if self._job is None:
            raise RuntimeError("the demo is not started")
        result = self._job.wait(timeout_s)
        if self._feed_error is not None:
            raise self._feed_error
        if result is None:
            return None
        return JobResult(
            **{
                **vars(result),
                "outputs": {**result.outputs, "ground truth": str(self.truth_path)},
            }
        )

    def progress(self) -> Progress:
        """Where the job stands."""
        return self._job.progress() if self._job is not None else Progress(job_id=self._name)

    def stop(self) -> None:
        """Stop the machines, finish the epoch, commit, end."""
        self._stop_feeding.set()
        if self._job is not None:
            self._job.stop()

    def close(self) -> None:
        """End everything that still runs; what was written stays."""
        self._stop_feeding.set()
        if self._feeder is not None:
            self._feeder.join()
        if self._job is not None:
            self._job.close()
        self._broker.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def results(self) -> Results:
        """What the job has written."""
        return Results(self.settings)

    # -- inside ----------------------------------------------------------------------------

    def _own_settings(self) -> Settings:
        plain = self._base.model_dump()
        plain["job"] |= {"name": self._name, "data_dir": self.folder.parent}
        plain["kafka"] |= {
            "bootstrap_servers": self._broker.bootstrap_servers,
            "topics": (TOPIC,),
            "dead_letters_topic": DEAD_LETTERS.name,
            "late_records_topic": LATE_RECORDS.name,
            "client": {},
            # The embedded broker answers empty fetches at once; reading ahead would be a busy loop.
            "read_ahead_mib": 0,
        }
        # Repeats are dropped, so that the books show all their lines.
        plain["stream"] |= {"dedup_key": "_metadata.message_id", "until_end": False}
        for section, key in (("checkpoint", "path"), ("stores", "root")):
            plain[section][key] = None
        return Settings(**plain)

    def _twin(self) -> Twin:
        scale = self.scale
        middle = scale.layers // 2
        faults = tuple(
            Fault(
                FAULT_KINDS[machine % 3],
                build_name(machine, 0),
                middle,
                min(middle + 1, scale.layers - 1),
            )
            for machine in range(scale.machines)
        )
        config = TwinConfig(
            machines=scale.machines,
            layers=scale.layers,
            sensors=3,
            collection_interval_s=0.05,
            seed=scale.seed,
            missing_rate=0.002,
            malformed_rate=0.002,
            repeat_rate=0.002,
            out_of_order_rate=0.02,
            max_disorder_s=7.0,  # some more than the allowed lateness: those are late
            faults=faults,
        )
        _, last_s = Twin(config).span_s()
        # The builds end now: event times lie in the past, as with real machines.
        start_s = config.start_time_s + time.time() - last_s
        return Twin(replace(config, start_time_s=round(start_s, 3)))

    def _feed(self) -> None:
        try:
            twin = self._twin()
            write_build_files(twin.config, self.build_files)
            first_s, last_s = twin.span_s()
            speed = max((last_s - first_s) / self.scale.seconds, 1.0)
            while self.progress().state == "starting" and not self._stop_feeding.wait(0.2):
                pass  # so that the whole build is seen live
            with RecordProducer(self._broker.bootstrap_servers) as producer:
                target = TopicTarget(producer, TOPIC)
                fed = ProduceJob(twin, target, speed=speed, stop=self._stop_feeding).run()
            if fed.error is not None:
                raise fed.error  # noqa: TRY301 - it is handled as whatever else ends the feeding
            self.truth = twin.ground_truth
            write_ground_truth(twin.ground_truth, self.truth_path)
            if not self._stop_feeding.is_set() and self._job is not None:
                self._job.finish()
        except Exception as error:  # noqa: BLE001 - raised by wait()
            self._feed_error = error
            if self._job is not None:
                self._job.stop()
