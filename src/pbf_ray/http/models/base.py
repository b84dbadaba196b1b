"""What all answers share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "Answer",
    "Counts",
    "Disposition",
    "Problem",
    "Seconds",
    "Severity",
    "Text",
    "WorstSeverity",
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
