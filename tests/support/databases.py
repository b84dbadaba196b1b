"""The database servers of the tests: one of each for the session, in CI a must."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.storage.mongodb.client import MongoAddress
from pbf_ray.storage.postgres import PostgresStore
from pbf_ray.storage.postgres_pool import PostgresAddress
from services.mongodb import MongoServer, mongodb_missing
from services.postgres import PostgresServer, postgres_missing

__all__ = [
    "database_for",
    "mongo_address",
    "mongodb",
    "own_mongodb",
    "own_postgres",
    "postgres",
    "postgres_address",
    "postgres_store",
    "schema_for",
]


def mongo_address(server: MongoServer, place: Path, **more: Any) -> MongoAddress:
    """How the stores reach the database that stands for a place."""
    return MongoAddress(**{**server.settings, "database": database_for(place), **more})


def database_for(place: Path) -> str:
    """A database of MongoDB in the stead of a folder."""
    return f"place-{hashlib.sha256(str(place).encode()).hexdigest()[:12]}"


def postgres_address(server: PostgresServer, **more: object) -> PostgresAddress:
    """How the store reaches the server."""
    return PostgresAddress(**{**server.settings, "pool_size": 8, **more})


def schema_for(place: Path) -> str:
    """A schema of PostgreSQL in the stead of a folder."""
    return f"place ' \" {hashlib.sha256(str(place).encode()).hexdigest()[:12]}"


def postgres_store(server: PostgresServer, place: Path) -> PostgresStore:
    """The store that lives at a place."""
    return PostgresStore(postgres_address(server), schema=schema_for(place))


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
