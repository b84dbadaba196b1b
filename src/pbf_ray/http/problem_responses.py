"""How problems leave the server: exception handlers, and answers of the middleware."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from pbf_ray.errors import PbfRayError
from pbf_ray.http.answers import json_bytes
from pbf_ray.http.problems import PROBLEM_JSON, ProblemError, problem_of
from pbf_ray.logs import get_logger

__all__ = ["add_problem_handlers", "problem_response", "send_problem"]

_log = get_logger(__name__)
_KINDS = {404: "not-found", 405: "method-not-allowed", 406: "not-acceptable", 415: "media-type"}


def problem_response(problem: ProblemError) -> Response:
    """The answer that says it."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(
        json_bytes(problem.body()),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


async def send_problem(scope: Scope, receive: Receive, send: Send, problem: ProblemError) -> None:
    """Answer from a middleware."""
    await problem_response(problem)(scope, receive, send)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of the app leave as a problem."""

    @app.exception_handler(ProblemError)
    async def _problem(_: Request, error: ProblemError) -> Response:
        return problem_response(error)

    @app.exception_handler(PbfRayError)
    async def _ours(request: Request, error: PbfRayError) -> Response:
        problem = problem_of(error)
        if problem.status >= 500:
            _log.warning(
                "a request failed",
                path=request.url.path,
                problem=error.what,
                advice=error.advice,
                kind=type(error).__name__,
            )
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        found = [_plain(item) for item in error.errors()]
        what = "; ".join(f"{item['where']}: {item['problem']}" for item in found[:3])
        return problem_response(
            ProblemError(422, "bad-request", what, advice="see the OpenAPI", errors=found[:50])
        )

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        kind = _KINDS.get(error.status_code, "http-error")
        return problem_response(
            ProblemError(
                error.status_code, kind, str(error.detail), headers=dict(error.headers or {})
            )
        )

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        _log.error("a request failed", path=request.url.path, exc_info=error)
        return problem_response(
            ProblemError(
                500,
                "server-error",
                "the server cannot answer this",
                advice="see the log of the server; please report it",
            )
        )


def _plain(item: Any) -> dict[str, str]:
    # What was sent is not repeated: it may be long, and may be secret.
    return {"where": ".".join(map(str, item["loc"])), "problem": str(item["msg"])}
