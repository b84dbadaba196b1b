"""Alerts, decisions, and the audit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pbf_ray.http.models.base import Answer, Counts, Disposition, Seconds, Severity, Text

__all__ = [
    "Acknowledgement",
    "AlertItem",
    "AlertPage",
    "AuditItem",
    "AuditPage",
    "DecisionItem",
    "DecisionList",
    "NewDecision",
    "Seen",
]


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
