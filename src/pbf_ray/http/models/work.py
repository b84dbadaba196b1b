"""Records to judge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pbf_ray.http.models.base import Answer, Severity

__all__ = ["ScoreItem", "ScoreRequest", "ScoreResult"]


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
