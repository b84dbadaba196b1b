"""The database servers of the tests: one of each for the session, in CI a must."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pbf_ray.storage.blobs.s3 import S3Blobs
from pbf_ray.storage.blobs.s3_client import S3Address
from pbf_ray.storage.caches.redis import RedisAddress, RedisCache
from pbf_ray.storage.mongodb.client import MongoAddress
from pbf_ray.storage.postgres import PostgresStore
from pbf_ray.storage.postgres_pool import PostgresAddress
from services.bigquery import BigQueryServer, bigquery_missing
from services.mongodb import MongoServer, mongodb_missing
from services.postgres import PostgresServer, postgres_missing
from services.redis import RedisServer, redis_missing
from services.seaweedfs import S3Server, s3_server_missing
from services.snowflake import SnowflakeServer, snowflake_missing

if TYPE_CHECKING:
    from pbf_ray.storage.warehouses.bigquery import BigQueryTables
    from pbf_ray.storage.warehouses.snowflake import SnowflakeTables

__all__ = [
    "await_postgres_calm",
    "await_redis_calm",
    "bigquery_server",
    "bigquery_tables",
    "database_for",
    "mongo_address",
    "mongodb",
    "own_mongodb",
    "own_postgres",
    "own_redis_server",
    "own_s3_server",
    "own_snowflake_server",
    "postgres",
    "postgres_address",
    "postgres_store",
    "redis_address",
    "redis_cache",
    "redis_server",
    "s3_address",
    "s3_blobs",
    "s3_server",
    "schema_for",
    "snowflake_server",
    "snowflake_tables",
]


def mongo_address(server: MongoServer, place: Path, **more: Any) -> MongoAddress:
    """How the stores reach the database that stands for a place."""
    return MongoAddress(**{**server.settings, "database": database_for(place), **more})


def database_for(place: Path) -> str:
    """A database of MongoDB in the stead of a folder."""
    return f"place-{_mark(place)}"


def postgres_address(server: PostgresServer, **more: object) -> PostgresAddress:
    """How the store reaches the server."""
    return PostgresAddress(**{**server.settings, "pool_size": 8, **more})


def schema_for(place: Path) -> str:
    """A schema of PostgreSQL in the stead of a folder."""
    return f"place ' \" {_mark(place)}"


def postgres_store(server: PostgresServer, place: Path) -> PostgresStore:
    """The store that lives at a place."""
    return PostgresStore(postgres_address(server), schema=schema_for(place))


def await_postgres_calm(server: PostgresServer, deadline_s: float = 60.0) -> None:
    """Wait until the server has ended the sessions of clients that are gone.

    It does so when it next hears of them: a COMMIT that has arrived is still carried out.
    """
    deadline = time.monotonic() + deadline_s
    with server.connect() as other:
        while other.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state <> 'idle'"
        ).fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def s3_address(server: S3Server, **more: object) -> S3Address:
    """How the store reaches the server."""
    return S3Address(**{**server.settings, **more})


def s3_blobs(server: S3Server, place: Path) -> S3Blobs:
    """The blobs that live at a place: a prefix of the server's bucket."""
    return S3Blobs(s3_address(server, prefix=f"place é/{_mark(place)}"))


def redis_address(server: RedisServer, **more: object) -> RedisAddress:
    """How the cache reaches the server."""
    return RedisAddress(**{**server.settings, **more})


def redis_cache(server: RedisServer, place: Path) -> RedisCache:
    """The cache that lives at a place: keys with a beginning of their own."""
    return RedisCache(redis_address(server, prefix=f"place é:{_mark(place)}:"))


def await_redis_calm(server: RedisServer, deadline_s: float = 60.0) -> None:
    """Return when Redis has hung up on all clients of ours but those of this process.

    What a client had sent before it was killed is still carried out.
    """
    end = time.monotonic() + deadline_s
    with server.connect() as other:
        while True:
            mine = {str(one.laddr.port) for one in psutil.Process().net_connections()}
            names = {
                client["addr"].rpartition(":")[2]
                for client in other.client_list()
                if client["name"] == "pbf_ray"
            }
            if names <= mine:
                return
            assert time.monotonic() < end, names - mine
            time.sleep(0.005)


def _mark(place: Path) -> str:
    return hashlib.sha256(str(place).encode()).hexdigest()[:12]


def _need(server: str, missing: str) -> None:
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {server} for these tests: {missing}")
    if missing:
        pytest.skip(f"needs {server}: {missing}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL: it is never stopped; tests take a schema each."""
    _need("PostgreSQL", postgres_missing())
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own: it may be stopped, killed, started again."""
    _need("PostgreSQL", postgres_missing())
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The session's S3 server: it is never stopped; tests take a prefix each."""
    _need("an S3 server", s3_server_missing())
    with S3Server() as server:
        yield server


@pytest.fixture
def own_s3_server() -> Iterator[S3Server]:
    """An S3 server of the test's own: it may be stopped, killed, started again."""
    _need("an S3 server", s3_server_missing())
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis: it is never stopped; tests take a prefix each."""
    _need("Redis", redis_missing())
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own: it may be stopped, killed, started again."""
    _need("Redis", redis_missing())
    with RedisServer() as server:
        yield server


def snowflake_tables(server: SnowflakeServer, place: Path, **more: Any) -> SnowflakeTables:
    """The store that lives at a place: a schema of the server's database."""
    from pbf_ray.storage.warehouses.snowflake import SnowflakeAddress, SnowflakeTables

    schema = f"PLACE_{_mark(place)}".upper()
    address = SnowflakeAddress(**{**server.settings, "schema": schema, **more})
    return SnowflakeTables(address)


def bigquery_tables(server: BigQueryServer, place: Path, **more: Any) -> BigQueryTables:
    """The store that lives at a place: a data set of the server's project."""
    from pbf_ray.storage.warehouses.bigquery import BigQueryAddress, BigQueryTables

    given = {**server.settings, "dataset": f"place_{_mark(place)}", **more}
    return BigQueryTables(BigQueryAddress(project=given.pop("project_id"), **given))


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[SnowflakeServer]:
    """The session's server with Snowflake's protocol: never stopped; tests take a schema each."""
    _need("fakesnow", snowflake_missing())
    with SnowflakeServer() as server:
        yield server


@pytest.fixture
def own_snowflake_server() -> Iterator[SnowflakeServer]:
    """A server of the test's own: it may be stopped, killed, started again."""
    _need("fakesnow", snowflake_missing())
    with SnowflakeServer() as server:
        yield server


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[BigQueryServer]:
    """The session's server with BigQuery's protocol: tests take a data set each."""
    _need("local-bigquery", bigquery_missing())
    with BigQueryServer() as server:
        yield server


@pytest.fixture(scope="session")
def mongodb() -> Iterator[MongoServer]:
    """The session's server with MongoDB's protocol: never stopped; tests take a database each."""
    _need("the MongoDB server", mongodb_missing())
    with MongoServer() as server:
        yield server


@pytest.fixture
def own_mongodb() -> Iterator[MongoServer]:
    """A server of the test's own: it may be stopped, killed, started again."""
    _need("the MongoDB server", mongodb_missing())
    with MongoServer() as server:
        yield server
