"""The driver's errors as ours: transient, of content, or terminal."""

from __future__ import annotations

import re
from typing import Any, Final

from bson.errors import BSONError, InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError

__all__ = ["DUPLICATE_KEY", "is_duplicate_id", "translated"]

DUPLICATE_KEY: Final = 11000

_TRANSIENT: Final = {
    6,  # host unreachable
    7,  # host not found
    24,  # lock timeout
    43,  # cursor not found: it timed out, or the server was restarted
    46,  # lock busy
    50,  # over the time limit
    64,  # write concern failed: a majority did not confirm in time
    89,  # network timeout
    91,  # shutdown in progress
    112,  # write conflict
    134,  # read concern majority not available yet
    189,  # primary stepped down
    262,  # exceeded time limit
    9001,  # socket
    10058,  # legacy: not primary
    10107,  # not writable primary
    11600,  # interrupted at shutdown
    11601,  # interrupted
    11602,  # interrupted by a change of roles
    13435,  # not primary, no secondary reads
    13436,  # not primary or secondary
    14031,  # out of disk space
}
_ADVICE: Final[dict[int, tuple[type[StoreError], str]]] = {
    13: (StoreError, "grant this user the role readWrite on the database"),
    18: (StoreError, "check mongodb.user and mongodb.password"),
    8000: (StoreError, "check user and password of the connection string, and Atlas' access list"),
    2: (StoreContentError, "a value does not fit"),
    9: (StoreContentError, "a value does not fit"),
    26: (StoreContentError, "was the store prepared? run the job once"),
    52: (StoreContentError, "a field name begins with $"),
    57: (StoreContentError, "a field name contains a dot"),
    66: (StoreContentError, "a document would change its _id"),
    73: (StoreContentError, "choose another name for database or collection"),
    121: (StoreContentError, "the collection has a validator that refuses the document"),
    10334: (StoreContentError, "a document is over 16 MB"),
    DUPLICATE_KEY: (StoreContentError, "the collection has a unique index that refuses the row"),
    85: (StoreContentError, "an index of this name is there with other options; drop it"),
    86: (StoreContentError, "an index of this name is there on other fields; drop it"),
}
# TLS problems arrive as connections that do not come about.
_TLS_WORDS: Final = ("certificate verify failed", "SSL handshake failed", "WRONG_VERSION_NUMBER")


def translated(error: Exception, *, store: str, place: str) -> StoreError:
    """Our error for one of the driver's.

    Args:
        error: From pymongo or bson.
        store: Name of the store.
        place: Host and database, for the advice.
    """
    if isinstance(error, BulkWriteError):
        return _of_bulk(error, store)
    if isinstance(error, OperationFailure):
        return _of_server(error.code, _words(error), error, store)
    if isinstance(error, WaitQueueTimeoutError):
        advice = "raise mongodb.pool_max, or see why the server does not answer"
        return StoreUnavailableError(store, "no connection came free", advice=advice)
    if isinstance(error, AutoReconnect | ConnectionFailure):
        problem = _words(error)
        if any(words in problem for words in _TLS_WORDS):
            return StoreError(store, problem, advice="check mongodb.tls and mongodb.tls_ca_file")
        return StoreUnavailableError(
            store, problem, advice=f"see that MongoDB runs at {place} (mongodb.host, mongodb.port)"
        )
    if isinstance(error, DocumentTooLarge):
        return StoreContentError(store, _words(error), advice="a document is over 16 MB")
    if isinstance(error, InvalidURI | ConfigurationError):
        # What is wrong with an address may quote it, with its password.
        problem = "" if isinstance(error, InvalidURI) else f": {_words(error)}"
        return StoreError(
            store,
            f"its address cannot be used ({type(error).__name__}){problem}",
            advice="see the section mongodb of the settings, or the connection string: special "
            "characters of user and password are written as %XX in it",
        )
    if isinstance(error, InvalidDocument | BSONError | OverflowError):
        return StoreContentError(store, _words(error))
    if isinstance(error, PyMongoError) and error.timeout:
        return StoreUnavailableError(store, _words(error))
    return StoreError(store, f"{type(error).__name__}: {_words(error)}")


def is_duplicate_id(failure: dict[str, Any]) -> bool:
    """Whether a failed write of a bulk says that there is a document with this ``_id``."""
    if failure.get("code") != DUPLICATE_KEY:
        return False
    pattern = failure.get("keyPattern")
    if pattern is not None:
        return list(pattern) == ["_id"]
    named = re.search(r"index: (\S+)", str(failure.get("errmsg", "")))
    return named is not None and named[1].rpartition("$")[2] == "_id_"


def _of_bulk(error: BulkWriteError, store: str) -> StoreError:
    details: dict[str, Any] = dict(error.details)
    failures = details.get("writeErrors") or details.get("writeConcernErrors") or [{}]
    first = failures[0]
    problem = str(first.get("errmsg", "a bulk write failed"))
    return _of_server(first.get("code"), problem, error, store)


def _of_server(code: int | None, problem: str, error: PyMongoError, store: str) -> StoreError:
    facts = {"code": code}
    labels = ("RetryableWriteError", "TransientTransactionError")
    if code in _TRANSIENT or any(error.has_error_label(label) for label in labels):
        advice = "it is tried again; see the server's log if that goes on"
        return StoreUnavailableError(store, problem, advice=advice, **facts)
    kind, advice = _ADVICE.get(code or 0, (StoreError, ""))
    return kind(store, problem, advice=advice, **facts)


def _words(error: Exception) -> str:
    """The first part of a message; the driver appends its whole view of the servers."""
    text = str(error)
    for rest in (", full error:", ", Timeout: ", " (configured timeouts"):
        text = text.partition(rest)[0]
    return text or type(error).__name__
