"""Records one by one, and over time."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from pbf_ray.http.answers import json_bytes
from pbf_ray.http.models.records import AnomalyPage, DeadLetterPage, LatePage, SeriesList
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.record_pages import RecordFilter
from pbf_ray.http.routes.parameters import (
    Cursor,
    Limit,
    Moment,
    Name,
    OptionalLayer,
    SeverityName,
    answers,
)
from pbf_ray.http.series import SeriesRequest
from pbf_ray.http.state import state_of

__all__ = ["anomalies", "dead_letters", "late_records", "router", "series"]

_INT32: Final = 2**31 - 1

router: Final = APIRouter(tags=["records"])


@router.get("/series", responses=answers(SeriesList))
def series(
    request: Request,
    fields: Annotated[
        str, Query(max_length=400, description="with commas between: temperature,laser_power")
    ],
    build: Name = None,
    first_layer: OptionalLayer = None,
    last_layer: OptionalLayer = None,
    machine: Name = None,
    sensor: Name = None,
    since: Moment = None,
    until: Moment = None,
    points: Annotated[int, Query(ge=2, le=1_000_000, description="at most so many a field")] = 1000,
) -> Response:
    """Fields over time, as few points that show the same picture: lowest and highest of slices."""
    state = state_of(request)
    if build is None and machine is None and sensor is None:
        raise ProblemError(
            422, "too-wide", "a series needs a build, a machine or a sensor", advice="name one"
        )
    layers = None
    if first_layer is not None or last_layer is not None:
        layers = (
            -_INT32 - 1 if first_layer is None else first_layer,
            _INT32 if last_layer is None else last_layer,
        )
    wanted = SeriesRequest(
        fields=list(dict.fromkeys(name.strip() for name in fields.split(","))),
        builds=[build] if build is not None else [],
        layers=layers,
        since=since,
        until=until,
        points=min(points, state.settings.max_points),
    )
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes(state.queries.series(wanted, machine=machine, sensor=sensor)),
    )


@router.get("/anomalies", responses=answers(AnomalyPage))
def anomalies(
    request: Request,
    build: Name = None,
    first_layer: OptionalLayer = None,
    last_layer: OptionalLayer = None,
    type: Name = None,  # noqa: A002 - the name in the query
    severity: SeverityName = None,
    machine: Name = None,
    sensor: Name = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Anomalies, newest first."""
    state = state_of(request)
    wanted = RecordFilter(
        build=build,
        first_layer=first_layer,
        last_layer=last_layer,
        machine=machine,
        sensor=sensor,
        since=since,
        until=until,
        anomaly_type=type,
        severity=severity,
    )
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes(state.queries.anomalies(wanted, limit, cursor)),
    )


@router.get("/late-records", responses=answers(LatePage))
def late_records(
    request: Request,
    build: Name = None,
    first_layer: OptionalLayer = None,
    last_layer: OptionalLayer = None,
    machine: Name = None,
    sensor: Name = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Records behind the watermark of their build, newest first."""
    state = state_of(request)
    wanted = RecordFilter(
        build=build,
        first_layer=first_layer,
        last_layer=last_layer,
        machine=machine,
        sensor=sensor,
        since=since,
        until=until,
    )
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes(state.queries.late_records(wanted, limit, cursor)),
    )


@router.get("/dead-letters", responses=answers(DeadLetterPage))
def dead_letters(
    request: Request,
    reason: Name = None,
    topic: Name = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Records that cannot be used, newest first, by when they were processed."""
    state = state_of(request)
    wanted = RecordFilter(reason=reason, topic=topic, since=since, until=until)
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes(state.queries.dead_letters(wanted, limit, cursor)),
    )
