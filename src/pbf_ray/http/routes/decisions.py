"""Alerts, decisions on builds, and the audit of both."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from pbf_ray.http.answers import json_bytes
from pbf_ray.http.cursor import decode_cursor, encode_cursor
from pbf_ray.http.inbox import AlertState
from pbf_ray.http.models.decisions import (
    Acknowledgement,
    AlertItem,
    AlertPage,
    AuditPage,
    DecisionItem,
    DecisionList,
    NewDecision,
)
from pbf_ray.http.routes.parameters import BuildId, Cursor, Limit, Name, SeverityName, answers
from pbf_ray.http.security import needs
from pbf_ray.http.state import state_of
from pbf_ray.http.tokens import Caller

__all__ = ["acknowledge", "alerts", "audit", "decide", "decisions", "router"]

Decider = Annotated[Caller, Depends(needs("decide"))]
Admin = Annotated[Caller, Depends(needs("admin"))]

router: Final = APIRouter(tags=["decisions"])


@router.get("/alerts", responses=answers(AlertPage))
def alerts(
    request: Request,
    state: Annotated[AlertState, Query()] = "open",
    build: Name = None,
    machine: Name = None,
    severity: SeverityName = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Alerts, one per build, layer and type of anomaly: worst first, then newest."""
    server = state_of(request)
    return server.cache.answer(
        request,
        server.queries.version(),
        lambda: json_bytes(
            server.queries.inbox().page(
                state=state,
                build=build,
                machine=machine,
                severity=severity,
                limit=limit,
                cursor=cursor,
            )
        ),
    )


@router.post("/alerts/{alert_id}/acknowledge", responses=answers(AlertItem, 404, 415, changes=True))
def acknowledge(
    request: Request,
    alert_id: Annotated[str, Path(min_length=1, max_length=64)],
    body: Acknowledgement,
    caller: Decider,
) -> Response:
    """Note that one has seen an alert; the first one stays."""
    inbox = state_of(request).queries.inbox()
    seen = inbox.acknowledge(alert_id, by=caller.name, comment=body.comment)
    return Response(json_bytes(seen), media_type="application/json")


@router.get("/builds/{build_id:path}/decisions", responses=answers(DecisionList, 404))
def decisions(request: Request, build_id: BuildId) -> Response:
    """The decisions on a build and its parts, oldest first, and the last on each."""
    state = state_of(request)

    def make() -> bytes:
        state.queries.build(build_id)
        made = state.queries.decisions
        return json_bytes({"items": made.of_build(build_id), "current": made.current(build_id)})

    return state.cache.answer(request, state.queries.version(), make)


@router.post(
    "/builds/{build_id:path}/decisions",
    status_code=201,
    responses=answers(DecisionItem, 404, 415, status=201, changes=True),
)
def decide(request: Request, build_id: BuildId, body: NewDecision, caller: Decider) -> Response:
    """Record what becomes of a build, or of a part; earlier decisions stay in the list."""
    queries = state_of(request).queries
    queries.build(build_id)
    made = queries.decisions.decide(
        build_id,
        by=caller.name,
        disposition=body.disposition,
        reason=body.reason,
        part=body.part,
    )
    return Response(json_bytes(made), status_code=201, media_type="application/json")


@router.get("/audit", responses=answers(AuditPage))
def audit(request: Request, _caller: Admin, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Who did what: decisions, acknowledgements and tokens, newest first."""
    state = state_of(request)
    ledger = state.queries.ledger
    filters = {"list": "audit"}

    def make() -> bytes:
        before = decode_cursor(cursor, filters, (int,))[0] if cursor is not None else None
        entries = ledger.entries(before=before, limit=limit + 1, newest_first=True)
        page = entries[:limit]
        following = encode_cursor([page[-1].seq], filters) if len(entries) > limit else None
        items = [asdict(entry) for entry in page]
        for item in items:
            item["detail"] = {k: v for k, v in item["detail"].items() if k != "sha256"}
        return json_bytes({"items": items, "next_cursor": following})

    return state.cache.answer(request, str(ledger.last()), make)
