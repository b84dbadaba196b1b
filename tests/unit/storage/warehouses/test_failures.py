"""What the drivers raise, as our errors: without secrets, transient only where it may pass."""

from __future__ import annotations

import google.auth.exceptions
import pytest
import requests
from google.api_core import exceptions as api
from snowflake.connector import errors as sf

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.warehouses import bigquery_failures, snowflake_failures
from pbf_ray.storage.warehouses.bigquery import BigQueryAddress
from pbf_ray.storage.warehouses.snowflake import SnowflakeAddress, SnowflakeTables

SNOWFLAKE = [
    (sf.DatabaseError("250001 (08001): Failed: Incorrect username or password was specified.",
                      errno=250001), StoreError, "snowflake.password"),
    (sf.DatabaseError("Failed to connect to DB: 390144", errno=250001), StoreError, "key"),
    (sf.OperationalError("no route to host", errno=250003), StoreError, "snowflake.account"),
    (sf.OperationalError("no route to host"), StoreUnavailableError, "answers"),
    (sf.ServiceUnavailableError(), StoreUnavailableError, "answers"),
    (sf.ProgrammingError("cancelled", errno=604), StoreUnavailableError, "again"),
    (sf.ProgrammingError("expired", errno=390114), StoreUnavailableError, "again"),
    (sf.ProgrammingError("no table", errno=2003, sqlstate="02000"), StoreContentError, "prepared"),
    (sf.ProgrammingError("rights", errno=3001), StoreError, "GRANT"),
    (sf.ProgrammingError("no warehouse", errno=606), StoreError, "snowflake.warehouse"),
    (sf.ProgrammingError("number", errno=1, sqlstate="22018"), StoreContentError, "fit"),
]  # fmt: skip
BIGQUERY = [
    (api.ServiceUnavailable("x"), StoreUnavailableError, "again"),
    (api.Forbidden("x", errors=[{"reason": "rateLimitExceeded"}]), StoreUnavailableError, "again"),
    (api.Forbidden("x", errors=[{"reason": "accessDenied"}]), StoreError, "Data Editor"),
    (api.BadRequest("Could not serialize access to table t"), StoreUnavailableError, "again"),
    (api.BadRequest("Syntax error"), StoreContentError, ""),
    (api.NotFound("no table"), StoreContentError, "prepared"),
    (api.Unauthorized("x"), StoreError, "credentials_path"),
    (api.RetryError("long", cause=api.BadGateway("x")), StoreUnavailableError, "again"),
    (requests.exceptions.ConnectionError("refused"), StoreUnavailableError, "again"),
    (google.auth.exceptions.RefreshError("x"), StoreError, "credentials_path"),
    (google.auth.exceptions.DefaultCredentialsError("x"), StoreError, "credentials_path"),
    (FileNotFoundError(2, "No such file", "key.json"), StoreError, "credentials_path"),
]


@pytest.mark.parametrize(("error", "kind", "advice"), SNOWFLAKE)
def test_errors_of_snowflake(error: sf.Error, kind: type[StoreError], advice: str) -> None:
    found = snowflake_failures.translated(error, store="s", account="acme-x1")
    assert type(found) is kind, found
    assert advice in found.advice


@pytest.mark.parametrize(("error", "kind", "advice"), BIGQUERY)
def test_errors_of_bigquery(error: Exception, kind: type[StoreError], advice: str) -> None:
    found = bigquery_failures.translated(error, store="s", dataset="p.d")
    assert type(found) is kind, found
    assert advice in found.advice


def test_addresses_show_no_secrets() -> None:
    first, second = "hunter2", "hunter3"
    address = SnowflakeAddress(
        "acme-x1", "me", password=first, private_key_file="key.p8",
        private_key_passphrase=second,
    )  # fmt: skip
    store = SnowflakeTables(address)
    assert store.name == "snowflake://acme-x1/PBF_LBM/PUBLIC"
    assert "hunter" not in f"{address!r} {store.name} {store.__dict__!r}"
    told = address.parameters()
    assert told["authenticator"] == "SNOWFLAKE_JWT"
    assert (told["private_key_file"], told["private_key_file_pwd"]) == ("key.p8", second)
    assert told["protocol"] == "https"
    plain = SnowflakeAddress("acme-x1", "me", password=first).parameters()
    assert "authenticator" not in plain
    assert BigQueryAddress("p").place == "p/pbf_lbm"
