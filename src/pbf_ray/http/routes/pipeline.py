"""What the server is, how the job is, and what happens just now."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from pbf_ray.http.answers import json_bytes
from pbf_ray.http.events import event_stream
from pbf_ray.http.models.pipeline import About, Pipeline
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.routes.parameters import answers
from pbf_ray.http.security import caller_of
from pbf_ray.http.series import SERIES_FIELDS
from pbf_ray.http.state import state_of

__all__ = ["about", "events", "pipeline", "router"]

router: Final = APIRouter(tags=["pipeline"])


@router.get("/about", responses=answers(About))
def about(request: Request) -> Response:
    """What this server is, what can be asked, and who one is to it."""
    state = state_of(request)
    profile = state.queries.results.profile
    caller = caller_of(request)
    body = json_bytes(
        {
            "version": version("pbf_ray"),
            "job_id": state.queries.job_id,
            "fields": [{"name": name, "unit": unit} for name, unit in SERIES_FIELDS.items()],
            "profile": {
                "name": profile.name,
                "rules": [
                    {**vars(rule), "unit": profile.units[rule.channel]} for rule in profile.rules
                ],
            },
            "build_files": state.queries.files.there,
            "caller": {
                "name": caller.name,
                "scopes": list(caller.scopes),
                "token": caller.token,
            },
            "limits": {
                "max_points": state.settings.max_points,
                "max_body_bytes": state.settings.max_body_bytes,
                "max_upload_bytes": state.settings.max_upload_bytes,
            },
        }
    )
    return state.cache.answer(request, _digest(body), lambda: body)


@router.get("/pipeline", responses=answers(Pipeline, 404))
def pipeline(request: Request) -> Response:
    """Lag and health of the job."""
    state = state_of(request)
    body = json_bytes(state.queries.pipeline())
    return state.cache.answer(request, _digest(body), lambda: body)


_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    **answers(None, changes=True),
    200: {
        "description": "Events as they come; the id of the last one resumes by Last-Event-ID",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


@router.get("/events", responses=_EVENTS, response_class=StreamingResponse)
async def events(request: Request) -> StreamingResponse:
    """New epochs, decisions and changes of the status, as server-sent events."""
    state = state_of(request)
    if state.listeners >= state.settings.max_event_streams:
        raise ProblemError(
            503,
            "busy",
            "too many listeners to events",
            advice="ask again in a moment, or raise http.max_event_streams",
            headers={"Retry-After": "5"},
        )
    last = request.headers.get("last-event-id", "")
    return StreamingResponse(
        event_stream(state, last),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
