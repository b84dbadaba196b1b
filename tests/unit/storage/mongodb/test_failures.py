from __future__ import annotations

import pytest
from bson.errors import InvalidDocument
from pymongo import errors as driver

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.mongodb.failures import is_duplicate_id, translated

SERVER = driver.OperationFailure


def bulk(*failures: dict[str, object], **more: object) -> driver.BulkWriteError:
    return driver.BulkWriteError({"writeErrors": list(failures), "writeConcernErrors": [], **more})


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (driver.ServerSelectionTimeoutError("nobody, Timeout: 5s, ..."), StoreUnavailableError,
         "runs at h:1/d"),
        (driver.AutoReconnect("reset"), StoreUnavailableError, "runs at"),
        (driver.NotPrimaryError("stepped down"), StoreUnavailableError, "runs at"),
        (driver.WaitQueueTimeoutError("busy"), StoreUnavailableError, "pool_max"),
        (driver.ServerSelectionTimeoutError("SSL handshake failed: certificate verify failed"),
         StoreError, "tls_ca_file"),
        (SERVER("stepping down", 189), StoreUnavailableError, "tried again"),
        (SERVER("odd", 4711, {"errorLabels": ["RetryableWriteError"]}), StoreUnavailableError,
         "tried again"),
        (SERVER("full", 14031), StoreUnavailableError, "tried again"),
        (SERVER("not allowed", 13), StoreError, "readWrite"),
        (SERVER("Authentication failed.", 18), StoreError, "mongodb.password"),
        (SERVER("bad auth", 8000), StoreError, "Atlas"),
        (SERVER("validation", 121), StoreContentError, "validator"),
        (SERVER("odd", 4711), StoreError, ""),
        (driver.DocumentTooLarge("17 MB"), StoreContentError, "16 MB"),
        (InvalidDocument("cannot encode"), StoreContentError, ""),
        (OverflowError("8-byte ints"), StoreContentError, ""),
        (driver.InvalidURI("me:hunter2@x"), StoreError, "%XX"),
        (driver.ConfigurationError("no such option"), StoreError, "%XX"),
        (driver.PyMongoError("odd"), StoreError, ""),
        (bulk({"code": 11000, "errmsg": "E11000 dup, index: mine"}), StoreContentError, "unique"),
        (bulk({"code": 189, "errmsg": "stepping down"}), StoreUnavailableError, "tried again"),
        (driver.BulkWriteError({"writeErrors": [], "writeConcernErrors": [
            {"code": 64, "errmsg": "waiting for replication timed out"}]}),
         StoreUnavailableError, "tried again"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Exception) else "",
)  # fmt: skip
def test_what_may_work_later_and_what_not(
    error: Exception, kind: type[StoreError], advice: str
) -> None:
    found = translated(error, store="mongodb://h:1/d", place="h:1/d")
    assert type(found) is kind
    assert advice in found.advice
    assert "hunter2" not in str(found)
    assert "Timeout: 5s" not in str(found)


@pytest.mark.parametrize(
    ("failure", "duplicate"),
    [
        ({"code": 11000, "keyPattern": {"_id": 1}}, True),
        ({"code": 11000, "keyPattern": {"_id": 1, "a": 1}}, False),
        ({"code": 11000, "keyPattern": {"epoch": 1}, "errmsg": "index: _id_ "}, False),
        ({"code": 11000, "errmsg": "E11000 duplicate key, collection: d.c index: _id_ dup"}, True),
        ({"code": 11000, "errmsg": "E11000 ... index: d.c.$_id_ dup key"}, True),
        ({"code": 11000, "errmsg": "E11000 index: by_id_ dup: { : 'index: _id_ ' }"}, False),
        ({"code": 121}, False),
    ],
)  # fmt: skip
def test_only_the_id_makes_a_document_a_duplicate(failure: dict, duplicate: bool) -> None:
    assert is_duplicate_id(failure) is duplicate
