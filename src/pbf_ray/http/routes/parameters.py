"""Parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import StringConstraints

from pbf_ray.http.answers import ARROW_STREAM
from pbf_ray.http.models.base import Problem
from pbf_ray.http.problems import PROBLEM_JSON

__all__ = [
    "BuildId",
    "Cursor",
    "LayerNumber",
    "Limit",
    "Moment",
    "Name",
    "OptionalLayer",
    "SeverityName",
    "answers",
]

_INT32: Final = 2**31 - 1
_YEAR_1_S: Final = -62_135_596_800
_YEAR_9999_S: Final = 253_402_300_799
_NAME: Final = StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")

BuildId = Annotated[str, _NAME, Path(description="a build; encode it as a part of a URL")]
LayerNumber = Annotated[int, Path(ge=-(2**31), le=_INT32)]
OptionalLayer = Annotated[int | None, Query(ge=-(2**31), le=_INT32)]
Name = Annotated[Annotated[str, _NAME] | None, Query()]
Moment = Annotated[
    float | None,
    Query(ge=_YEAR_1_S, le=_YEAR_9999_S, description="s since 1970-01-01 UTC", allow_inf_nan=False),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=4096, description="next_cursor of the page before")]
SeverityName = Annotated[Literal["critical", "warning", "info"] | None, Query()]


def answers(
    model: Any, *problems: int, arrow: bool = False, status: int = 200, **more: Any
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route for the OpenAPI: what it gives, and the problems that it may have.

    Args:
        model: Of the JSON body.
        problems: Statuses, beside those that every route may have.
        arrow: Whether it speaks Arrow too.
        status: Of success.
        more: Further media types of success.
    """
    found: dict[int | str, dict[str, Any]] = {status: {"model": model, "description": "Done"}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = dict.fromkeys(more.get("media_types", ()), binary)
    if arrow:
        content[ARROW_STREAM] = binary
    if content:
        found[status]["content"] = content
    if status == 200 and not more.get("changes"):
        found[304] = {"description": "Not modified"}
    for code in (400, 401, 403, 413, 421, 422, 429, 500, 503, *problems):
        found[code] = {
            "description": "A problem",
            "content": {
                PROBLEM_JSON: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
            },
        }
    return found
