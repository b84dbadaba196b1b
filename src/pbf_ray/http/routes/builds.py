"""Machines, builds, and their layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
from fastapi import APIRouter, Request, Response

from pbf_ray.batch.builds.vectors import vectors_of
from pbf_ray.http.answers import ARROW_STREAM, accepts, arrow_bytes, json_bytes
from pbf_ray.http.models.builds import (
    BuildItem,
    BuildPage,
    ColumnarRows,
    LayerItem,
    MachineList,
    VectorsItem,
)
from pbf_ray.http.routes.parameters import (
    BuildId,
    Cursor,
    LayerNumber,
    Limit,
    Name,
    OptionalLayer,
    answers,
)
from pbf_ray.http.state import state_of
from pbf_ray.http.values import plain_columns
from pbf_ray.http.vector_bytes import vectors_binary, vectors_plain

__all__ = ["build", "builds", "layer_of_build", "layers", "machines", "plan", "router", "vectors"]

VECTORS: Final = "application/vnd.pbf-ray.vectors"

router: Final = APIRouter(tags=["builds"])


@router.get("/machines", responses=answers(MachineList))
def machines(request: Request) -> Response:
    """Every machine with the build that it works on, or worked on last."""
    state = state_of(request)
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes({"machines": state.queries.machines()}),
    )


@router.get("/builds", responses=answers(BuildPage, 410))
def builds(
    request: Request, machine: Name = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """The builds, newest first."""
    state = state_of(request)

    def make() -> bytes:
        items, following = state.queries.builds(machine, limit, cursor)
        return json_bytes({"items": items, "next_cursor": following})

    return state.cache.answer(request, state.queries.version(), make)


@router.get("/builds/{build_id:path}/layers", responses=answers(ColumnarRows, 404, arrow=True))
def layers(
    request: Request, build_id: BuildId, first: OptionalLayer = None, last: OptionalLayer = None
) -> Response:
    """The layers of a build as columns, in their order; Arrow by ``Accept``."""
    queries = state_of(request).queries
    return _columnar(request, build_id, lambda: queries.layers(build_id, first, last))


@router.get("/builds/{build_id:path}/layers/{layer}", responses=answers(LayerItem, 404))
def layer_of_build(request: Request, build_id: BuildId, layer: LayerNumber) -> Response:
    """A layer: its figures, what was found in it, and its plan."""
    state = state_of(request)
    return state.cache.answer(
        request,
        state.queries.version(),
        lambda: json_bytes(state.queries.layer(build_id, layer)),
    )


@router.get(
    "/builds/{build_id:path}/layers/{layer}/vectors",
    responses=answers(VectorsItem, 404, arrow=True, media_types=(VECTORS,)),
)
def vectors(request: Request, build_id: BuildId, layer: LayerNumber) -> Response:
    """The scan vectors of a layer: compact binary, Arrow, or JSON, by ``Accept``."""
    state = state_of(request)
    files = state.queries.files
    path = files.path(build_id)
    found = path.stat() if path is not None else None
    version = "none" if found is None else f"{found.st_mtime_ns}.{found.st_size}"

    if accepts(request, VECTORS):
        return state.cache.answer(
            request,
            version,
            lambda: vectors_binary(build_id, files.vectors(build_id, layer)),
            media_type=VECTORS,
        )
    if accepts(request, ARROW_STREAM):
        return state.cache.answer(
            request,
            version,
            lambda: arrow_bytes(vectors_of(files.vectors(build_id, layer).batch)),
            media_type=ARROW_STREAM,
        )
    return state.cache.answer(
        request,
        version,
        lambda: json_bytes(vectors_plain(build_id, files.vectors(build_id, layer))),
    )


@router.get("/builds/{build_id:path}/plan", responses=answers(ColumnarRows, 404, arrow=True))
def plan(
    request: Request, build_id: BuildId, first: OptionalLayer = None, last: OptionalLayer = None
) -> Response:
    """What the build file means, a row per layer, as columns; Arrow by ``Accept``."""
    queries = state_of(request).queries
    return _columnar(request, build_id, lambda: queries.plan(build_id, first, last))


@router.get("/builds/{build_id:path}", responses=answers(BuildItem, 404))
def build(request: Request, build_id: BuildId) -> Response:
    """A build in short."""
    state = state_of(request)
    return state.cache.answer(
        request, state.queries.version(), lambda: json_bytes(state.queries.build(build_id))
    )


def _columnar(request: Request, build_id: str, read: Callable[[], pa.Table]) -> Response:
    """Rows as columns in JSON, or as an Arrow stream by ``Accept``."""
    state = state_of(request)
    version = state.queries.version()
    if accepts(request, ARROW_STREAM):
        return state.cache.answer(
            request, version, lambda: arrow_bytes(read()), media_type=ARROW_STREAM
        )

    def make() -> bytes:
        rows = read()
        return json_bytes(
            {"build_id": build_id, "rows": rows.num_rows, "columns": plain_columns(rows)}
        )

    return state.cache.answer(request, version, make)
