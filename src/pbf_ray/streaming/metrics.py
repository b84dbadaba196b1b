"""The status of a job as Prometheus metrics: as text, as a textfile, over HTTP on loopback."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pbf_ray.streaming.status import ENDED, Status

__all__ = ["METRICS", "MetricSpec", "MetricsServer", "metrics_text", "write_metrics"]

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


@dataclass(frozen=True)
class MetricSpec:
    """One metric.

    Attributes:
        name: Without the suffix ``_total`` of counters.
        kind: ``counter`` or ``gauge``.
        what: For people.
        labels: Names of its labels, beside ``job``.
        samples: Takes it from a status.
    """

    name: str
    kind: Literal["counter", "gauge"]
    what: str
    labels: tuple[str, ...]
    samples: Callable[[Status], Iterable[Sample]]


def _one(value: Callable[[Status], float]) -> Callable[[Status], Iterable[Sample]]:
    return lambda status: [((), value(status))]


def _records(status: Status) -> Iterator[Sample]:
    progress = status.progress
    for name in ("accepted", "dead_letters", "late", "dropped", "duplicates"):
        yield (name,), getattr(progress, name)


def _delays(status: Status) -> Iterator[Sample]:
    if status.watermark_delay_s is not None:
        yield (), status.watermark_delay_s


METRICS: Final = (
    MetricSpec(
        "pbf_ray_up",
        "gauge",
        "1 while the job runs (and is not over), 0 when it has ended",
        (),
        _one(lambda status: float(status.progress.state not in ENDED)),
    ),
    MetricSpec(
        "pbf_ray_state",
        "gauge",
        "1 for the state that the job is in",
        ("state",),
        lambda status: [((status.progress.state,), 1.0)],
    ),
    MetricSpec(
        "pbf_ray_heartbeat_timestamp_seconds",
        "gauge",
        "when the job said so; alert when it grows old",
        (),
        _one(lambda status: status.heartbeat_us / 1e6),
    ),
    MetricSpec(
        "pbf_ray_loop_timestamp_seconds",
        "gauge",
        "when the coordinator's loop came round last; old while the heartbeat is young: it hangs",
        (),
        _one(lambda status: status.turned_us / 1e6),
    ),
    MetricSpec(
        "pbf_ray_run",
        "gauge",
        "number of the run; it rises with every start",
        (),
        _one(lambda status: status.progress.run),
    ),
    MetricSpec(
        "pbf_ray_epoch",
        "gauge",
        "last committed epoch",
        (),
        _one(lambda status: status.progress.epoch),
    ),
    MetricSpec(
        "pbf_ray_epochs_in_flight",
        "gauge",
        "epochs under way",
        (),
        _one(lambda status: status.in_flight),
    ),
    MetricSpec(
        "pbf_ray_records_consumed",
        "counter",
        "records read and committed, over the life of the job",
        (),
        _one(lambda status: status.progress.consumed),
    ),
    MetricSpec(
        "pbf_ray_records",
        "counter",
        "what became of them: accepted, dead_letters, late, dropped, duplicates",
        ("outcome",),
        _records,
    ),
    MetricSpec(
        "pbf_ray_records_replayed",
        "counter",
        "consumed records that were replays of dead letters or late records",
        (),
        _one(lambda status: status.replayed),
    ),
    MetricSpec(
        "pbf_ray_records_per_second",
        "gauge",
        "records committed per second, over the last ten seconds",
        (),
        _one(lambda status: status.progress.records_per_s),
    ),
    MetricSpec(
        "pbf_ray_pending_records",
        "gauge",
        "accepted records that wait for the watermark",
        (),
        _one(lambda status: status.progress.pending),
    ),
    MetricSpec(
        "pbf_ray_anomalies",
        "counter",
        "anomalies found, late ones included",
        (),
        _one(lambda status: status.progress.anomalies),
    ),
    MetricSpec(
        "pbf_ray_layers",
        "counter",
        "layers that have closed at least once",
        (),
        _one(lambda status: status.progress.layers),
    ),
    MetricSpec(
        "pbf_ray_partition_lag",
        "gauge",
        "offsets on the broker that are not committed yet",
        ("topic", "partition"),
        lambda status: [((p.topic, str(p.partition)), p.lag) for p in status.partitions],
    ),
    MetricSpec(
        "pbf_ray_partition_position",
        "gauge",
        "next offset to be committed",
        ("topic", "partition"),
        lambda status: [((p.topic, str(p.partition)), p.position) for p in status.partitions],
    ),
    MetricSpec(
        "pbf_ray_watermark_delay_seconds",
        "gauge",
        "how far the watermark is behind the clock, of the most delayed build that brings rows",
        (),
        _delays,
    ),
    MetricSpec(
        "pbf_ray_builds",
        "gauge",
        "builds that are not retired",
        (),
        _one(lambda status: status.builds_open),
    ),
    MetricSpec(
        "pbf_ray_state_bytes",
        "gauge",
        "size of the window state",
        (),
        _one(lambda status: status.progress.state_bytes),
    ),
    MetricSpec(
        "pbf_ray_epochs",
        "counter",
        "epochs committed by this run",
        (),
        _one(lambda status: status.epochs),
    ),
    MetricSpec(
        "pbf_ray_stage_seconds",
        "counter",
        "time that went to a stage in this run; by pbf_ray_epochs_total it is the mean per epoch",
        ("stage",),
        lambda status: [((name,), spent["total_s"]) for name, spent in status.stages.items()],
    ),
    MetricSpec(
        "pbf_ray_worker_restarts",
        "counter",
        "failures of workers that this run has survived",
        (),
        _one(lambda status: status.progress.restarts),
    ),
    MetricSpec(
        "pbf_ray_waits",
        "counter",
        "times that this run waited for the broker or a store",
        ("of",),
        lambda status: [((name,), wait["count"]) for name, wait in status.waits.items()],
    ),
    MetricSpec(
        "pbf_ray_wait_seconds",
        "counter",
        "how long it waited, the present wait included",
        ("of",),
        lambda status: [((name,), wait["total_s"]) for name, wait in status.waits.items()],
    ),
    MetricSpec(
        "pbf_ray_copies_waiting",
        "gauge",
        "dead letters and late records whose copies are not on their topic, as far as known",
        ("table",),
        lambda status: [((copy.table,), copy.waiting) for copy in status.copies],
    ),
    MetricSpec(
        "pbf_ray_copies_hindered",
        "gauge",
        "1 while the copies of a table cannot be published",
        ("table",),
        lambda status: [((copy.table,), float(bool(copy.problem))) for copy in status.copies],
    ),
    MetricSpec(
        "pbf_ray_offsets_passed_over",
        "counter",
        "offsets that were accepted as lost or skipped by a reset",
        (),
        _one(lambda status: status.passed_over),
    ),
)
"""All metrics, in the order of the documentation."""


class _StatusCollector(Collector):
    """Gives a registry the metrics of whatever the status is when it is asked."""

    def __init__(self, status: Callable[[], Status | None]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        if status is None:
            return
        job = status.progress.job_id
        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        for spec in METRICS:
            family = families[spec.kind](spec.name, spec.what, labels=["job", *spec.labels])
            for labels, value in spec.samples(status):
                family.add_metric([job, *labels], float(value))
            yield family


def _registry(status: Callable[[], Status | None]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_StatusCollector(status))
    return registry


def metrics_text(status: Status) -> str:
    """The metrics of a status in Prometheus' text format."""
    return generate_latest(_registry(lambda: status)).decode()


def write_metrics(path: Path, status: Status) -> None:
    """Replace a file for the textfile collector of node_exporter.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(metrics_text(status), encoding="utf-8")
    draft.replace(path)


class MetricsServer:
    """Serves the metrics of the last status on 127.0.0.1, at ``/metrics``.

    Args:
        port: The port; 0 takes a free one.

    Raises:
        OSError: If the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._server, self._thread = start_http_server(
            port, addr="127.0.0.1", registry=_registry(self._last)
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_port)

    def update(self, status: Status) -> None:
        """This is the status now."""
        with self._lock:
            self._status = status

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)

    def _last(self) -> Status | None:
        with self._lock:
            return self._status
