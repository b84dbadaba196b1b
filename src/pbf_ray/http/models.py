"""What answers look like, for the OpenAPI; and what bodies of requests have to be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "About",
    "Acknowledgement",
    "AlertItem",
    "AlertPage",
    "AnomalyPage",
    "AuditPage",
    "BuildItem",
    "BuildPage",
    "ColumnarRows",
    "DeadLetterPage",
    "DecisionItem",
    "DecisionList",
    "LatePage",
    "LayerItem",
    "MachineList",
    "NewDecision",
    "Pipeline",
    "Problem",
    "ScoreRequest",
    "ScoreResult",
    "SeriesList",
    "VectorsItem",
]

Severity = Literal["critical", "warning", "info"]
WorstSeverity = Literal["critical", "warning", "info", "none"]
Disposition = Literal["accept", "hold", "scrap", "rework"]
Seconds = Annotated[float, Field(description="s since 1970-01-01 UTC")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class Answer(BaseModel):
    """An answer; later versions may add fields."""

    model_config = ConfigDict(extra="allow")


class Problem(Answer):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    advice: str | None = None


class Counts(Answer):
    """Counts by severity."""

    critical: int
    warning: int
    info: int


class FieldUnit(Answer):
    """A field that can be drawn over time."""

    name: str
    unit: str


class RuleItem(Answer):
    """A rule of the profile."""

    channel: str
    op: str
    threshold: float
    unit: str
    anomaly_type: str
    severity: Severity


class Profile(Answer):
    """The rules that judge."""

    name: str
    rules: list[RuleItem]


class CallerItem(Answer):
    """Who asks."""

    name: str
    scopes: list[Literal["read", "decide", "admin"]]
    token: bool


class About(Answer):
    """What this server is, and who one is to it."""

    version: str
    job_id: str
    fields: list[FieldUnit]
    profile: Profile
    build_files: bool
    caller: CallerItem
    limits: dict[str, int]


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


class DecisionItem(Answer):
    """A decision."""

    decision_id: int
    build_id: str
    part: str | None
    disposition: Disposition
    reason: str
    by: str
    at: str


class DecisionList(Answer):
    """Decisions on a build: all of them, and the last on each part."""

    items: list[DecisionItem]
    current: list[DecisionItem]


class NewDecision(BaseModel):
    """What becomes of a build, or of a part of it."""

    model_config = ConfigDict(extra="forbid")

    disposition: Disposition
    reason: Annotated[Text, Field(min_length=1, max_length=2000)]
    part: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


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


class Seen(Answer):
    """Who has seen an alert."""

    by: str
    at: str
    comment: str
    count: int


class AlertItem(Answer):
    """An alert."""

    alert_id: str
    build_id: str | None
    layer: int | None
    anomaly_type: str
    severity: Severity
    count: int
    first_timestamp: Seconds | None
    last_timestamp: Seconds | None
    sensors: list[str]
    machine_ids: list[str]
    text: str
    acknowledged: Seen | None


class AlertPage(Answer):
    """A page of alerts, and how many are open."""

    items: list[AlertItem]
    next_cursor: str | None
    total: int
    open: Counts


class Acknowledgement(BaseModel):
    """That one has seen an alert."""

    model_config = ConfigDict(extra="forbid")

    comment: Annotated[Text, Field(max_length=2000)] = ""


class AuditItem(Answer):
    """An entry of the ledger."""

    seq: int
    at: str
    by: str
    action: str
    subject: str
    detail: dict[str, Any]
    digest: str


class AuditPage(Answer):
    """A page of the ledger."""

    items: list[AuditItem]
    next_cursor: str | None


class Pipeline(Answer):
    """Lag and health."""

    job_id: str
    verdict: str
    state: str
    healthy: bool
    explanation: str
    heartbeat_at: str
    run: int
    epoch: int
    lag: int
    records_per_s: float
    books: dict[str, int]
    restarts: int
    state_bytes: int
    watermark_delay_s: float | None
    partitions: list[dict[str, Any]]
    builds: list[dict[str, Any]]
    stages: dict[str, Any]
    waits: dict[str, Any]
    error: dict[str, Any] | None
    sources: list[dict[str, Any]]


class ScoreRequest(BaseModel):
    """Records to judge, as they would stand in the topic."""

    model_config = ConfigDict(extra="forbid")

    records: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10_000)]


class ScoreItem(Answer):
    """What became of a record."""

    accepted: bool
    anomaly_type: str | None
    severity: Severity | None
    flagged: bool | None
    reason: str | None
    detail: str | None


class ScoreResult(Answer):
    """What became of records, in their order."""

    profile: str
    results: list[ScoreItem]
