"""The server and the job."""

from __future__ import annotations

from typing import Any, Literal

from pbf_ray.http.models.base import Answer, Severity

__all__ = ["About", "CallerItem", "FieldUnit", "Pipeline", "Profile", "RuleItem"]


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
