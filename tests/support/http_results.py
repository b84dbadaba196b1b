"""Results of a small job, written into embedded stores as the stream writes them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pbf_ray.config import Settings
from pbf_ray.contracts import CHANNELS, OUTPUT_TABLES, layer_key, record_key
from pbf_ray.jobs.stores import job_stores
from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.progress import Progress
from pbf_ray.streaming.status import BuildStanding, RunFacts, Status, write_status

JOB = "hall"
_STATISTICS = {"n": 10, "avg": 5.5, "std": 0.5, "min": 1.0, "max": 9.0}
START_S = 1_764_000_000.0
LAYER_S = 100.0
_MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class WrittenJob:
    """A job whose epochs a test writes one by one.

    Args:
        folder: Data folder.
        http: Settings of the server.
    """

    def __init__(self, folder: Path, **http: Any) -> None:
        self.settings = Settings(
            job={"name": JOB, "data_dir": folder}, http={"refresh_s": 1e-6, **http}
        )
        self.stores = job_stores(self.settings)
        self.stores.prepare()
        self.stores.claim(JOB, 1)
        self.epoch = 0
        self._offset = 0

    def write(self, **tables: Iterable[dict[str, Any]]) -> int:
        """Write the rows of an epoch: every column of a table that is not given gets a value."""
        self.epoch += 1
        staged = []
        for name, rows in tables.items():
            contract = OUTPUT_TABLES[name]
            filled = [self._filled(name, row) for row in rows]
            table = pa.Table.from_pylist(filled, contract.schema)
            staged += self.stores.stage(contract, table, job_id=JOB, epoch=self.epoch, part="0")
        self.stores.commit(EpochCommit(JOB, 1, self.epoch, tuple(staged)))
        return self.epoch

    def say(self, state: str = "running", builds: Iterable[BuildStanding] = ()) -> None:
        """Write the status of the job."""
        self.settings.checkpoint_path.mkdir(parents=True, exist_ok=True)
        now_us = time.time_ns() // 1000
        builds = tuple(builds)
        status = Status(
            facts=RunFacts(),
            progress=replace(Progress(JOB), state=state, run=1, epoch=self.epoch),
            heartbeat_us=now_us,
            turned_us=now_us,
            builds=builds,
            builds_open=len(builds),
        )
        write_status(self.settings.checkpoint_path, status)

    def _filled(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        self._offset += 1
        common = {
            "job_id": JOB,
            "processing_timestamp": _MOMENT,
            "epoch": self.epoch,
        }
        if name == "layer_quality":
            statistics = {
                f"{channel}_{part}": value
                for channel in CHANNELS
                for part, value in (
                    ("n", 10),
                    ("avg", 5.5),
                    ("std", 0.5),
                    ("min", 1.0),
                    ("max", 9.0),
                )
            }
            key = layer_key(JOB, row["build_id"], row["layer"])
            usual = {
                "layer_key": key, "n": 10, "quality_score": 1.0, "anomalies": 0,
                "anomalies_by_type": "{}", "revision": 1,
                "first_timestamp": START_S + (row["layer"] or 0) * LAYER_S,
                "last_timestamp": START_S + (row["layer"] or 0) * LAYER_S + 9,
            }  # fmt: skip
            return {**statistics, **usual, **common, **row}
        usual = {
            "record_key": record_key(JOB, "source", 0, self._offset),
            "source_id": "source",
            "topic": "ispm-monitoring",
            "partition": 0,
            "offset": self._offset,
            "flagged": False,
            "late": False,
            "watermark": START_S,
            "quality_score": 1.0,
            "temperature": 1600.0,
            "pressure": 1.0,
            "laser_power": 200.0,
            "scan_speed": 1.2,
            "_metadata": None,
        }
        return {**usual, **common, **row}


def record(
    build: str, layer: int, second: float, sensor: str = "M01-S1", **more: Any
) -> dict[str, Any]:
    """A record of a sensor, so many seconds into its layer."""
    timestamp = START_S + layer * LAYER_S + second
    return {
        "build_id": build, "layer": layer, "sensor_id": sensor, "timestamp": timestamp, **more,
    }  # fmt: skip


def small_job(folder: Path, **http: Any) -> WrittenJob:
    """Two builds: M01-B001 with layers 0 to 2 closed and 3 open, M02-B001 with layer 0 closed."""
    job = WrittenJob(folder, **http)
    monitoring, quality, layers = [], [], []
    for build, sensors, closed, last in (
        ("M01-B001", ("M01-S1", "M01-S2"), 3, 3),
        ("M02-B001", ("M02-S1",), 1, 0),
    ):
        for layer in range(last + 1):
            rows = [
                record(build, layer, second, sensor, temperature=1600.0 + second)
                for second in range(10)
                for sensor in sensors
            ]
            monitoring += rows
            quality += [{**row, "temperature_avg": 1600.0, "quality_score": 0.9} for row in rows]
        layers += [{"build_id": build, "layer": layer} for layer in range(closed)]
    hot = [
        record("M01-B001", 1, second, temperature=1800.0 + second, anomaly_type="high_temperature",
               severity="critical")
        for second in range(3)
    ]  # fmt: skip
    weak = [
        record("M02-B001", 0, 5, "M02-S1", laser_power=90.0, anomaly_type="low_laser_power",
               severity="info", late=True)
    ]  # fmt: skip
    dead = [
        {"key": None, "value": b"\xff{", "reason": "syntax", "detail": "at 1"},
        {"key": b"k", "value": None, "reason": "null_value", "detail": "no value"},
    ]
    job.write(
        ispm_monitoring=monitoring,
        quality_metrics=quality,
        layer_quality=layers,
        ispm_anomalies=[*hot, *weak],
        dead_letters=dead,
        late_records=[record("M02-B001", 0, 5, "M02-S1")],
    )
    job.say(builds=[BuildStanding("M01-B001", START_S + 300, 1.0, "active")])
    return job
