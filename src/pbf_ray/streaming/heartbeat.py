"""A thread that says every second where the run is: to the status file, the log, Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pbf_ray.errors import FencedError, PbfRayError
from pbf_ray.logs import get_logger
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.copies import CopyStanding
from pbf_ray.streaming.status import RunFacts, Status, take_status, write_status
from pbf_ray.streaming.vitals import Vitals

__all__ = ["BEAT_S", "Heartbeat", "MetricsOutputs"]

_log = get_logger(__name__)

BEAT_S: Final = 1.0
"""Seconds between two heartbeats."""
_RETRY_S: Final = 10.0


class MetricsOutputs:
    """The metrics' file and port, as far as they are wanted. What fails is said, and tried again.

    Args:
        file: For the textfile collector of node_exporter.
        port: On 127.0.0.1.
    """

    def __init__(self, file: Path | None = None, port: int | None = None) -> None:
        self._file = file
        self._port = port
        self._server: object = None
        self._again_s = 0.0
        self._said: set[str] = set()

    def update(self, status: Status) -> None:
        """Write the file, and show the same on the port."""
        if self._file is None and self._port is None:
            return
        from pbf_ray.streaming.metrics import MetricsServer, write_metrics

        if self._file is not None:
            try:
                write_metrics(self._file, status)
            except OSError as error:
                self._hindered("stream.metrics_file", error)
        if self._port is not None and self._server is None and time.monotonic() >= self._again_s:
            try:
                self._server = MetricsServer(self._port)
            except OSError as error:
                self._again_s = time.monotonic() + _RETRY_S
                self._hindered("stream.metrics_port", error)
        if isinstance(self._server, MetricsServer):
            self._server.update(status)

    def close(self) -> None:
        """Stop serving; the file stays."""
        if self._server is not None:
            from pbf_ray.streaming.metrics import MetricsServer

            assert isinstance(self._server, MetricsServer)  # noqa: S101 - for the type checker
            self._server.close()
            self._server = None

    def _hindered(self, setting: str, error: OSError) -> None:
        if setting not in self._said:
            self._said.add(setting)
            _log.warning("metrics cannot be shown", setting=setting, problem=str(error))


class Heartbeat:
    """Beats until it is ended; a run that a newer one has fenced falls silent by itself.

    Args:
        log: The checkpoint, as the run sees it.
        vitals: The run's notes.
        facts: Which run it is.
        copies: Asks how far the copies are.
        metrics: Where metrics go.
        report_every_s: Seconds between two lines in the log.
    """

    def __init__(
        self,
        log: CheckpointLog,
        vitals: Vitals,
        facts: RunFacts,
        *,
        copies: Callable[[], Sequence[CopyStanding]] = tuple,
        metrics: MetricsOutputs | None = None,
        report_every_s: float = 30.0,
    ) -> None:
        self._log = log
        self._vitals = vitals
        self._facts = facts
        self._copies = copies
        self._metrics = metrics or MetricsOutputs()
        self._report_every_s = report_every_s
        self._reported_s = time.monotonic()
        self._error: dict[str, str] | None = None
        self._ended = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Say that the run has begun, and go on saying so."""
        self._beat()
        self._thread.start()

    def end(self, error: BaseException | None = None) -> None:
        """Say how the run ended, and be silent.

        Args:
            error: What ended it, if it failed.
        """
        self._ended.set()
        self._thread.join(30.0)
        if error is not None:
            self._error = _plain(error)
        self._beat()
        self._metrics.close()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        status = take_status(self._vitals, self._facts, self._copies(), error=self._error)
        if self._error is not None:
            status = replace(status, progress=replace(status.progress, state="failed"))
        try:
            self._log.check_fence()
            write_status(self._log.folder.path, status)
        except FencedError:
            self._ended.set()  # the file belongs to the newer run now
            return
        except PbfRayError as error:
            if error.what != self._said:
                self._said = error.what
                _log.warning("the heartbeat is not written", problem=error.what)
        self._metrics.update(status)
        if time.monotonic() - self._reported_s >= self._report_every_s or self._ended.is_set():
            self._reported_s = time.monotonic()
            _log.info("where the job stands", **_line(status))


def _line(status: Status) -> dict[str, object]:
    """What is worth a line in the log."""
    progress = status.progress
    worst = max(status.partitions, key=lambda place: place.lag, default=None)
    delay_s = status.watermark_delay_s
    return {
        "state": progress.state,
        "run": progress.run,
        "epoch": progress.epoch,
        "in_flight": status.in_flight,
        "consumed": progress.consumed,
        "records_per_s": round(progress.records_per_s, 1),
        "lag": progress.lag,
        "worst_partition": None if worst is None else f"{worst.topic}/{worst.partition}",
        "worst_lag": None if worst is None else worst.lag,
        "watermark_delay_s": None if delay_s is None else round(delay_s, 1),
        "dead_letters": progress.dead_letters,
        "late": progress.late,
        "pending": progress.pending,
        "state_bytes": progress.state_bytes,
        "restarts": progress.restarts,
        "epoch_ms": {
            name: round(1000 * spent["recent_s"], 1) for name, spent in status.stages.items()
        },
        "copies_hindered": [copy.table for copy in status.copies if copy.problem],
    }


def _plain(error: BaseException) -> dict[str, str]:
    if isinstance(error, PbfRayError):
        return {"type": type(error).__name__, "what": error.what, "advice": error.advice}
    return {"type": type(error).__name__, "what": str(error), "advice": ""}
