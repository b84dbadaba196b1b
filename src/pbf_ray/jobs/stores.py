"""The stores of a job, as its settings route its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pbf_ray.config import Settings
from pbf_ray.storage.base import Sink, TableStore
from pbf_ray.storage.layout import JobStores, embedded_stores
from pbf_ray.storage.registry import store_class
from pbf_ray.storage.replay_journal import ReplayJournal, SqliteReplayJournal

if TYPE_CHECKING:
    from pbf_ray.storage.postgres_pool import PostgresAddress

__all__ = ["job_stores", "replay_journal"]

_ROUTE = "setting stores.operational_structured"


def job_stores(settings: Settings, *, sinks: Sequence[Sink] = ()) -> JobStores:
    """The stores that hold the output tables, and further outputs; nothing is opened yet.

    Args:
        settings: All settings.
        sinks: Further outputs.

    Raises:
        MissingDependencyError: A store needs a package that is not installed.
    """
    return embedded_stores(
        settings.stores_root,
        sinks=sinks,
        compact_files=settings.stores.compact_files,
        results=_results(settings),
    )


def replay_journal(settings: Settings) -> ReplayJournal:
    """Where the replays of the job's dead letters are noted: beside the dead letters."""
    if settings.stores.operational_structured == "sqlite":
        return SqliteReplayJournal(settings.stores_root / "operational.sqlite", settings.job.name)
    store_class("postgres", source=_ROUTE)
    from pbf_ray.storage.postgres_replay_journal import PostgresReplayJournal

    address = _postgres_address(settings)
    return PostgresReplayJournal(
        address,
        settings.job.name,
        schema=settings.postgres.schema_name,
        name=f"postgres://{address.host}:{address.port}/{address.database}",
    )


def _results(settings: Settings) -> TableStore | None:
    if settings.stores.operational_structured == "sqlite":
        return None
    store_class("postgres", source=_ROUTE)
    from pbf_ray.storage.postgres import PostgresStore

    return PostgresStore(_postgres_address(settings), schema=settings.postgres.schema_name)


def _postgres_address(settings: Settings) -> PostgresAddress:
    from pbf_ray.storage.postgres_pool import PostgresAddress

    given = settings.postgres
    return PostgresAddress(
        host=given.host,
        port=given.port,
        database=given.database,
        user=given.user,
        password=None if given.password is None else given.password.get_secret_value(),
        sslmode=given.sslmode,
        sslrootcert=None if given.sslrootcert is None else str(given.sslrootcert),
        pool_size=given.pool_size + given.pool_overflow,
        pool_timeout_s=given.pool_timeout_s,
        pool_recycle_s=given.pool_recycle_s,
    )
