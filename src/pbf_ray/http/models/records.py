"""Records one by one, and over time."""

from __future__ import annotations

from typing import Any

from pbf_ray.http.models.base import Answer, Seconds, Severity

__all__ = [
    "AnomalyItem",
    "AnomalyPage",
    "DeadLetterItem",
    "DeadLetterPage",
    "LateItem",
    "LatePage",
    "RecordItem",
    "SensorRecord",
    "SeriesItem",
    "SeriesList",
]


class SeriesItem(Answer):
    """A field over time."""

    field: str
    unit: str
    rows: int
    downsampled: bool
    timestamp: list[float]
    value: list[float]
    layer: list[int | None]
    limits: list[dict[str, Any]]


class SeriesList(Answer):
    """Fields over time."""

    rows: int
    series: list[SeriesItem]


class RecordItem(Answer):
    """Where a record is."""

    record_key: str
    topic: str
    partition: int
    offset: int
    epoch: int
    processing_timestamp: str


class SensorRecord(RecordItem):
    """What a sensor measured."""

    build_id: str | None
    layer: int | None
    sensor_id: str | None
    machine_id: str | None
    timestamp: Seconds | None
    temperature: float | None
    pressure: float | None
    laser_power: float | None
    scan_speed: float | None


class AnomalyItem(SensorRecord):
    """An anomaly."""

    anomaly_type: str
    severity: Severity
    late: bool


class AnomalyPage(Answer):
    """A page of anomalies."""

    items: list[AnomalyItem]
    next_cursor: str | None
    total: int


class LateItem(SensorRecord):
    """A record behind the watermark."""

    watermark: float


class LatePage(Answer):
    """A page of late records."""

    items: list[LateItem]
    next_cursor: str | None
    total: int


class DeadLetterItem(RecordItem):
    """A record that cannot be used."""

    reason: str
    detail: str
    kafka_timestamp: str | None
    value_text: str | None
    value_bytes: int | None


class DeadLetterPage(Answer):
    """A page of dead letters."""

    items: list[DeadLetterItem]
    next_cursor: str | None
    total: int
    reasons: dict[str, int]
