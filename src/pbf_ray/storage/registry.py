"""Kinds of stores by name; the module of a store is imported when it is first used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final

from pbf_ray.errors import SettingError
from pbf_ray.optional import require
from pbf_ray.storage.base import TableStore

__all__ = ["STORES", "StoreEntry", "store_class"]


@dataclass(frozen=True)
class StoreEntry:
    """Where a kind of store is, and what it needs.

    Attributes:
        module: Dotted name.
        name: Of the class in it.
        packages: Modules that must be importable.
        extra: The pip extra that installs them.
    """

    module: str
    name: str
    packages: tuple[str, ...] = ()
    extra: str = ""


STORES: Final[dict[str, StoreEntry]] = {
    "bigquery": StoreEntry(
        "pbf_ray.storage.warehouses.bigquery",
        "BigQueryTables",
        ("google.cloud.bigquery",),
        "bigquery",
    ),
    "snowflake": StoreEntry(
        "pbf_ray.storage.warehouses.snowflake",
        "SnowflakeTables",
        ("snowflake.connector",),
        "snowflake",
    ),
    "sqlite": StoreEntry("pbf_ray.storage.sqlite", "SqliteStore"),
    "delta": StoreEntry("pbf_ray.storage.delta", "DeltaStore", ("deltalake",), "delta"),
    "mongodb": StoreEntry(
        "pbf_ray.storage.mongodb.tables", "MongoTables", ("pymongo", "bson"), "mongodb"
    ),
    "postgres": StoreEntry(
        "pbf_ray.storage.postgres", "PostgresStore", ("psycopg", "psycopg_pool"), "postgres"
    ),
}
"""The kinds that settings may name."""


def store_class(kind: str, *, source: str = "the program") -> type[TableStore]:
    """The class of a kind of store.

    Args:
        kind: A name of :data:`STORES`.
        source: Where the name came from, for the message.

    Raises:
        SettingError: There is no such kind.
        MissingDependencyError: It needs a package that is not installed.
    """
    entry = STORES.get(kind)
    if entry is None:
        raise SettingError(
            "storage.kind",
            source,
            f"there is no store {kind!r}",
            advice=f"one of {', '.join(sorted(STORES))}",
        )
    for package in entry.packages:
        require(package, extra=entry.extra, purpose=f"the store {kind!r}")
    found: type[TableStore] = getattr(importlib.import_module(entry.module), entry.name)
    return found
