"""Machines, builds and layers."""

from __future__ import annotations

from typing import Any, Literal

from pbf_ray.http.models.base import Answer, Counts, Seconds, Severity, WorstSeverity
from pbf_ray.http.models.decisions import DecisionItem

__all__ = [
    "BuildItem",
    "BuildPage",
    "ColumnarRows",
    "Finding",
    "LayerItem",
    "MachineItem",
    "MachineList",
    "VectorsItem",
]


class MachineItem(Answer):
    """A machine with its latest build."""

    machine_id: str
    sensors: list[str]
    build_id: str
    phase: str | None
    layer: int | None
    planned_layers: int | None
    layers_closed: int
    last_timestamp: Seconds | None
    quality_score: float | None
    severity: WorstSeverity
    anomalies: int
    open_alerts: Counts


class MachineList(Answer):
    """All machines."""

    machines: list[MachineItem]


class BuildItem(Answer):
    """A build in short."""

    build_id: str
    machine_ids: list[str]
    first_layer: int | None
    last_layer: int | None
    layers_closed: int
    layers_open: int
    planned_layers: int | None
    records: int
    first_timestamp: Seconds | None
    last_timestamp: Seconds | None
    quality_score_mean: float | None
    quality_score_min: float | None
    anomalies: int
    anomalies_by_severity: Counts
    phase: str | None
    build_file: bool
    open_alerts: Counts
    disposition: DecisionItem | None
    sensors: list[str] | None = None


class BuildPage(Answer):
    """A page of builds."""

    items: list[BuildItem]
    next_cursor: str | None


class ColumnarRows(Answer):
    """Rows as columns."""

    build_id: str
    rows: int
    columns: dict[str, list[Any]]


class Finding(Answer):
    """What was found in a layer."""

    alert_id: str
    anomaly_type: str
    severity: Severity
    count: int
    channel: str | None
    op: str | None
    threshold: float | None
    unit: str | None
    extreme: float | None
    first_timestamp: Seconds | None
    last_timestamp: Seconds | None
    sensors: list[str]
    text: str


class LayerItem(Answer):
    """A layer, with what was found in it; further fields as in the columns of layers."""

    build_id: str
    layer: int
    state: Literal["closed", "open"]
    n: int | None
    quality_score: float | None
    severity: WorstSeverity
    anomalies: int
    anomalies_by_type: dict[str, int]
    findings: list[Finding]
    plan: dict[str, Any] | None


class VectorsItem(Answer):
    """Scan vectors of a layer."""

    build_id: str
    layer: int
    z_mm: float | None
    bounds_mm: list[float] | None
    kinds: list[str]
    geometries: int
    points: int
    styles: list[dict[str, Any]]
    columns: dict[str, list[Any]]
