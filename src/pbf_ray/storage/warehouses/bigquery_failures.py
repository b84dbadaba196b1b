"""Our errors for those of Google's client: transient, of content, or terminal."""

from __future__ import annotations

from typing import Any, Final

import google.auth.exceptions
import requests
from google.api_core import exceptions as api

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["is_transient", "translated"]

_AGAIN: Final = "it is tried again; see Google's status page if that goes on"
_REASONS: Final = {
    "backendError", "internalError", "jobBackendError", "jobInternalError", "jobRateLimitExceeded",
    "rateLimitExceeded", "tableUnavailable", "timeout",
}  # fmt: skip
_UNAVAILABLE: Final = (
    api.ServerError,
    api.TooManyRequests,
    api.RetryError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    google.auth.exceptions.TransportError,
    ConnectionError,
    TimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may work later."""
    if isinstance(error, _UNAVAILABLE):
        return True
    if not isinstance(error, api.GoogleAPICallError):
        return False
    # Two that change one table at once: one of them has to come again.
    return _reason(error) in _REASONS or "Could not serialize access" in str(error.message)


def translated(error: Exception, *, store: str, dataset: str) -> StoreError:
    """Our error for one of the client's.

    Args:
        error: What the client raised.
        store: Name of the store.
        dataset: Full name of the data set, for the advice.
    """
    problem = _problem(error)
    if is_transient(error):
        return StoreUnavailableError(store, problem, advice=_AGAIN)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return StoreError(
            store, problem, advice="set bigquery.credentials_path, or sign in: gcloud auth"
        )
    if not isinstance(error, api.GoogleAPICallError):
        return StoreError(
            store, problem, advice="check bigquery.credentials_path and bigquery.endpoint"
        )
    facts: dict[str, Any] = {"code": int(error.code or 0), "reason": _reason(error)}
    if isinstance(error, api.Unauthorized):
        return StoreError(store, problem, advice="check bigquery.credentials_path", **facts)
    if isinstance(error, api.Forbidden):
        advice = (
            "give this account the roles BigQuery Job User and, on the data set, Data Editor; "
            "or see the quotas of the project"
        )
        return StoreError(store, problem, advice=advice, **facts)
    if isinstance(error, api.NotFound):
        advice = f"was the store prepared? is the data set {dataset} in bigquery.location?"
        return StoreContentError(store, problem, advice=advice, **facts)
    return StoreContentError(store, problem, **facts)


def _reason(error: api.GoogleAPICallError) -> str:
    listed = [one for one in error.errors or () if isinstance(one, dict)]
    return str(listed[0].get("reason", "")) if listed else ""


def _problem(error: Exception) -> str:
    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        return _problem(error.cause)
    listed = list(error.errors or ()) if isinstance(error, api.GoogleAPICallError) else []
    if listed and isinstance(listed[0], dict) and listed[0].get("message"):
        return str(listed[0]["message"])
    if isinstance(error, requests.exceptions.ConnectionError):
        return "it does not answer"
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
