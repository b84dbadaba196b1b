"""Errors as problem+json (RFC 9457): what happened, where, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pbf_ray.errors import (
    BuildFileError,
    InputFileError,
    PbfRayError,
    SettingError,
    StoreUnavailableError,
)

__all__ = ["PROBLEM_JSON", "ProblemError", "problem_body", "problem_of"]

PROBLEM_JSON: Final = "application/problem+json"
_URN: Final = "urn:pbf-ray:problem:"


class ProblemError(Exception):
    """A request that cannot be answered as asked.

    Args:
        status: HTTP status.
        kind: Short name of the kind of problem, for programs.
        what: What happened, one line.
        advice: What to do.
        headers: Further headers of the answer.
        more: Further fields of the body.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        what: str,
        *,
        advice: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(what)
        self.status = status
        self.kind = kind
        self.what = what
        self.advice = advice
        self.headers = dict(headers or {})
        self.more = more

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return problem_body(self.status, self.kind, self.what, advice=self.advice, **self.more)


def problem_body(
    status: int, kind: str, detail: str, *, advice: str = "", **more: Any
) -> dict[str, Any]:
    """The body of a problem."""
    body: dict[str, Any] = {
        "type": f"{_URN}{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if advice:
        body["advice"] = advice
    return {**body, **more}


def problem_of(error: PbfRayError) -> ProblemError:
    """The problem that an error of pbf_ray is to a client.

    Messages of stores and settings name places of the server, which are not for every client:
    they go to the log, and the client is told the kind.
    """
    if isinstance(error, StoreUnavailableError):
        return ProblemError(
            503,
            "store-unavailable",
            "a store cannot be reached at the moment",
            advice="ask again; if it stays so, see the log of the server",
            headers={"Retry-After": "2"},
        )
    if isinstance(error, BuildFileError):
        facts = {name: error.facts.get(name) for name in ("code", "byte_offset")}
        return ProblemError(422, "bad-build-file", error.what, advice=error.advice, **facts)
    if isinstance(error, InputFileError):
        return ProblemError(422, "bad-file", error.what, advice=error.advice)
    kind = "server-settings" if isinstance(error, SettingError) else "server-error"
    return ProblemError(
        500, kind, "the server cannot answer this", advice="see the log of the server"
    )
