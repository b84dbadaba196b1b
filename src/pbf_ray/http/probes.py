"""Probes for what runs the server, and metrics for Prometheus."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from pbf_ray.errors import PbfRayError
from pbf_ray.http.answers import json_bytes
from pbf_ray.http.state import state_of
from pbf_ray.jobs.status import prometheus_text

__all__ = ["healthz", "metrics", "readyz", "router"]

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

router: Final = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return Response(json_bytes({"status": "ok"}), media_type="application/json")


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """The stores can be read."""
    state = state_of(request)
    if state.closing.is_set():
        return _not_ready("the server is about to end")
    try:
        state.queries.snapshot()
    except PbfRayError as error:
        return _not_ready(type(error).__name__)
    return Response(json_bytes({"status": "ready"}), media_type="application/json")


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """The metrics of the job; empty before it has run."""
    job = state_of(request).queries.job()
    return Response("" if job is None else prometheus_text(job), media_type=_TEXT)


def _not_ready(why: str) -> Response:
    return Response(
        json_bytes({"status": "not ready", "why": why}),
        status_code=503,
        media_type="application/json",
        headers={"Retry-After": "2"},
    )
