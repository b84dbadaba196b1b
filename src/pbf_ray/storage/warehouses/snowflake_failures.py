"""Our errors for those of Snowflake's driver: transient, of content, or terminal."""

from __future__ import annotations

import re
from typing import Any, Final

from snowflake.connector import errors as sf

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["translated"]

_AGAIN: Final = "it is tried again; see Snowflake's status page if that goes on"
_TRANSIENT: Final = {
    604,  # cancelled
    625,  # too many wait for a lock
    630,  # took longer than a statement may
    200001,  # gave up waiting for a lock
    390104, 390108, 390109, 390111, 390112, 390114, 390195,  # the session has ended
}  # fmt: skip
_ADVICE: Final[dict[int, tuple[type[StoreError], str]]] = {
    606: (StoreError, "set snowflake.warehouse to one that this role may use"),
    904: (StoreContentError, "somebody has changed the table; see its columns"),
    2002: (StoreContentError, "a table or stage of that name is there already"),
    2003: (StoreContentError, "was the store prepared? may snowflake.role use the schema?"),
    2043: (StoreContentError, "was the store prepared? may snowflake.role use the schema?"),
    3001: (StoreError, "GRANT snowflake.role CREATE TABLE on the schema, and its use"),
    100038: (StoreContentError, "a value does not fit its column"),
    250003: (StoreError, "check snowflake.account"),
    250004: (StoreUnavailableError, _AGAIN),
    390100: (StoreError, "check snowflake.user and snowflake.password"),
    390101: (StoreError, "check snowflake.user and snowflake.password"),
    390144: (StoreError, "check snowflake.private_key_file, and the user's public key"),
    390189: (StoreError, "check snowflake.role"),
    390190: (StoreError, "check snowflake.account, or how this user may sign in"),
    390197: (StoreError, "this user has to sign in by more: set snowflake.private_key_file"),
    390201: (StoreError, "check snowflake.warehouse, snowflake.database and snowflake.role"),
}
_UNAVAILABLE: Final = (
    sf.InternalServerError,
    sf.ServiceUnavailableError,
    sf.GatewayTimeoutError,
    sf.BadGatewayError,
    sf.RequestTimeoutError,
    sf.TooManyRequests,
    sf.OtherHTTPRetryableError,
    sf.OperationalError,
    sf.InterfaceError,
)
_FIRST: Final = re.compile(r"^\d{6,} ?\([0-9A-Z]{5}\): (?:[0-9a-f-]{36}: )?")


def translated(error: sf.Error, *, store: str, account: str) -> StoreError:
    """Our error for one of the driver's.

    Args:
        error: What the driver raised.
        store: Name of the store.
        account: Identifier of the account, for the advice.
    """
    problem = _FIRST.sub("", str(error.msg or error)).strip() or type(error).__name__
    code = int(error.errno or 0)
    facts: dict[str, Any] = {"code": code} if code > 0 else {}
    if code in _TRANSIENT:
        return StoreUnavailableError(store, problem, advice=_AGAIN, **facts)
    if code in _ADVICE:
        kind, advice = _ADVICE[code]
        return kind(store, problem, advice=advice, **facts)
    # A login that failed tells why only by its words.
    for wanted, (kind, advice) in _ADVICE.items():
        if wanted > 390_000 and re.search(rf"\b{wanted}\b", problem):
            return kind(store, problem, advice=advice, code=wanted)
    if "Incorrect username or password" in problem:
        return StoreError(store, problem, advice=_ADVICE[390100][1], **facts)
    state = str(error.sqlstate or "")
    if state[:2] in {"22", "23"}:
        return StoreContentError(store, problem, advice="a value does not fit", **facts)
    if isinstance(error, _UNAVAILABLE) or code == 250001:
        advice = f"see that Snowflake answers for the account {account} (snowflake.account)"
        return StoreUnavailableError(store, problem, advice=advice, **facts)
    return StoreError(store, problem, **facts)
