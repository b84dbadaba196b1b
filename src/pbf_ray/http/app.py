"""The application: routes, problems, limits and security around plain queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from pbf_ray.config.http import HttpSettings
from pbf_ray.http import probes
from pbf_ray.http.answers import AnswerCache
from pbf_ray.http.limits import Admission, BodyLimit, RateLimit
from pbf_ray.http.models.base import Problem
from pbf_ray.http.page import PAGE_FOLDER, page_router
from pbf_ray.http.problem_responses import add_problem_handlers
from pbf_ray.http.queries import Queries
from pbf_ray.http.routes import builds, decisions, pipeline, records, uploads
from pbf_ray.http.scoring import MicroBatches, score_records
from pbf_ray.http.security import Authentication, SecurityHeaders, on_this_machine
from pbf_ray.http.state import ServerState

__all__ = ["API", "create_app"]

API: Final = "/api/v1"


def create_app(
    queries: Queries,
    settings: HttpSettings | None = None,
    *,
    page: Path = PAGE_FOLDER,
    on_close: Callable[[], None] | None = None,
) -> FastAPI:
    """The application over some queries, ready for any ASGI server.

    Args:
        queries: What can be asked.
        settings: How it is served; those of the queries if not given.
        page: Folder of the web page.
        on_close: Called when the server ends.
    """
    settings = settings or queries.settings.http
    state = ServerState(
        queries=queries,
        settings=settings,
        cache=AnswerCache(settings.cache_bytes),
        scoring=MicroBatches(partial(score_records, profile=queries.results.profile)),
        uploads=asyncio.Semaphore(settings.max_uploads),
        closing=asyncio.Event(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.closing.set()
        if on_close is not None:
            on_close()

    app = FastAPI(
        title="pbf_ray",
        summary="Results of laser powder bed fusion process monitoring",
        version=version("pbf_ray"),
        openapi_url=f"{API}/openapi.json",
        # Their pages load from other hosts.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.server = state
    add_problem_handlers(app)
    api = APIRouter(prefix=API)
    # What is more special comes first: a build may be called anything.
    for routes in (uploads, decisions, records, pipeline, builds):
        api.include_router(routes.router)
    app.include_router(probes.router)
    app.include_router(api)
    app.include_router(page_router(page))
    _describe(app)
    _protect(app, queries, settings)
    return app


def _protect(app: FastAPI, queries: Queries, settings: HttpSettings) -> None:
    local = on_this_machine(settings.host)
    # The last one added is the first that a request meets.
    app.add_middleware(
        Admission,
        running=settings.max_running,
        waiting=settings.max_waiting,
        timeout_s=settings.request_timeout_s,
    )
    app.add_middleware(
        BodyLimit, most=settings.max_body_bytes, most_upload=settings.max_upload_bytes
    )
    app.add_middleware(RateLimit, per_s=settings.requests_per_s)
    app.add_middleware(
        Authentication, tokens=queries.tokens, required=settings.tokens_required or not local
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
        )
    hosts = settings.allowed_hosts
    app.add_middleware(SecurityHeaders, hosts=(*hosts, settings.host) if local or hosts else ())


def _describe(app: FastAPI) -> None:
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas.setdefault(
                Problem.__name__,
                Problem.model_json_schema(ref_template="#/components/schemas/{model}"),
            )
            schema["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer"}
            }
            schema["security"] = [{}, {"token": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
