"""The stores of a job and of the router, as the settings route them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import SettingError
from pbf_ray.jobs.store_addresses import postgres_address
from pbf_ray.jobs.store_makers import StoreMakers
from pbf_ray.storage.base import Sink, TableStore
from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.blobs.copies import CopiedBlobs
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.layout import JobStores
from pbf_ray.storage.registry import store_class
from pbf_ray.storage.replay_journal import ReplayJournal, SqliteReplayJournal
from pbf_ray.storage.retry import RetryPolicy
from pbf_ray.storage.routing import Routes, StorageRouter
from pbf_ray.storage.routing.routes import AnyStore

__all__ = ["job_stores", "replay_journal", "route_makers", "storage_router"]

_OPERATIONAL = "operational"
"""The file of the embedded result tables, own tables included."""


def job_stores(settings: Settings, *, sinks: Sequence[Sink] = ()) -> JobStores:
    """The stores that hold the output tables, and further outputs; nothing is opened yet.

    Args:
        settings: All settings.
        sinks: Further outputs, beside the cache of the latest state.

    Raises:
        SettingError: Something that a store needs is not set.
        MissingDependencyError: A store needs a package that is not installed.
    """
    makers = StoreMakers(settings)
    homes: dict[str, TableStore] = {}
    for name in OUTPUT_TABLES:
        home = _home(settings, name)
        if home not in homes:
            homes[home] = _home_store(settings, makers, home)
    routes = {name: homes[_home(settings, name)] for name in OUTPUT_TABLES}
    return JobStores(tuple(OUTPUT_TABLES.values()), routes, [*_latest(settings, makers), *sinks])


def storage_router(settings: Settings) -> StorageRouter:
    """The router over the stores that the settings name; nothing is opened yet.

    Args:
        settings: All settings.

    Raises:
        SettingError: Something that a store needs is not set.
        MissingDependencyError: A store needs a package that is not installed.
    """
    makers = StoreMakers(settings)
    stores: dict[tuple[str, str], AnyStore] = {
        ("operational", "structured"): _structured(settings, makers, "operational"),
        ("operational", "document"): _documents(settings, makers, "operational"),
        ("operational", "blob"): _blobs(settings, makers, "operational"),
        ("analytics", "structured"): _structured(settings, makers, "analytics"),
        ("analytics", "document"): _documents(settings, makers, "analytics"),
        ("analytics", "blob"): _blobs(settings, makers, "analytics"),
        ("research", "structured"): _structured(settings, makers, "research"),
    }
    if settings.stores.chosen("operational_cache") != "none":
        stores["operational", "cache"] = _cache(settings, makers)
    training = _training(settings, makers)
    research = _blobs(settings, makers, "research")
    for kind in ("structured", "document", "cache", "blob"):
        stores["ml_training", kind] = training
        stores.setdefault(("research", kind), research)
    return StorageRouter(Routes(stores), retry=RetryPolicy(limit_s=settings.stores.retry_s))


def route_makers(settings: Settings) -> Iterator[tuple[str, Callable[[], list[Any]]]]:
    """Each route by the name of its setting, and what makes its stores.

    Args:
        settings: All settings.
    """
    makers = StoreMakers(settings)
    yield "tables", lambda: list(job_stores(settings).stores)
    for purpose in ("operational", "analytics", "research"):
        yield f"{purpose}_structured", partial(_alone, _structured, settings, makers, purpose)
    for purpose in ("operational", "analytics"):
        yield f"{purpose}_document", partial(_alone, _documents, settings, makers, purpose)
    if settings.stores.chosen("operational_cache") != "none":
        yield "operational_cache", lambda: [_cache(settings, makers)]
    for purpose in ("operational", "analytics", "research"):
        yield f"{purpose}_blob", partial(_alone, _blobs, settings, makers, purpose)
    yield "ml_training", lambda: _parts(_training(settings, makers))


def replay_journal(settings: Settings) -> ReplayJournal:
    """Where the replays of the job's dead letters are noted: with its small tables."""
    kind = settings.stores.chosen("operational_structured")
    if kind == "sqlite":
        return SqliteReplayJournal(
            settings.stores_root / f"{_OPERATIONAL}.sqlite", settings.job.name
        )
    store_class("postgres", source="setting stores.operational_structured")
    from pbf_ray.storage.postgres_replay_journal import PostgresReplayJournal

    address = postgres_address(settings)
    return PostgresReplayJournal(
        address,
        settings.job.name,
        schema=settings.postgres.schema_name,
        name=f"postgres://{address.host}:{address.port}/{address.database}",
    )


def _home(settings: Settings, table: str) -> str:
    home: str | None = getattr(settings.tables, table)
    embedded = settings.stores.chosen("operational_document") == "sqlite"
    if home is None:
        home = "structured" if embedded else "document"
    # In one file, a document is a row that any SQL tool reads.
    return "structured" if home == "document" and embedded else home


def _home_store(settings: Settings, makers: StoreMakers, home: str) -> TableStore:
    if home == "lake":
        return makers.tables("delta", "lake", setting="tables")
    if home == "structured":
        return _structured(settings, makers, "operational")
    kind = settings.stores.chosen("operational_document")
    return makers.tables(kind, "", setting="stores.operational_document")


def _structured(settings: Settings, makers: StoreMakers, purpose: str) -> TableStore:
    route = f"{purpose}_structured"
    kind = settings.stores.chosen(route)
    place = _OPERATIONAL if purpose == "operational" else f"{purpose}/tables"
    return makers.tables(kind, place, setting=f"stores.{route}")


def _documents(settings: Settings, makers: StoreMakers, purpose: str) -> Any:
    route = f"{purpose}_document"
    kind = settings.stores.chosen(route)
    return makers.documents(kind, f"{purpose}/documents", setting=f"stores.{route}")


def _blobs(settings: Settings, makers: StoreMakers, purpose: str) -> BlobStore:
    route = f"{purpose}_blob"
    kind = settings.stores.chosen(route)
    return makers.blobs(kind, purpose, setting=f"stores.{route}")


def _training(settings: Settings, makers: StoreMakers) -> BlobStore:
    kinds: Sequence[str] = settings.stores.chosen("ml_training")
    places = [f"ml_training/copy-{number}" for number in range(1, len(kinds) + 1)]
    stores = [
        makers.blobs(kind, place if kind == "folder" else "ml_training", setting=_TRAINING)
        for kind, place in zip(kinds, places, strict=True)
    ]
    if len({store.name for store in stores}) < len(stores):
        raise SettingError(
            _TRAINING, "the settings", "two copies would go to one place", advice="name each once"
        )
    return stores[0] if len(stores) == 1 else CopiedBlobs(stores)


_TRAINING = "stores.ml_training"


def _parts(store: BlobStore) -> list[BlobStore]:
    return list(store.stores) if isinstance(store, CopiedBlobs) else [store]


def _cache(settings: Settings, makers: StoreMakers) -> CacheStore:
    kind = settings.stores.chosen("operational_cache")
    return makers.cache(kind, "cache", setting="stores.operational_cache")


def _latest(settings: Settings, makers: StoreMakers) -> list[Sink]:
    if settings.stores.chosen("operational_cache") == "none":
        return []
    from pbf_ray.storage.caches.latest import LatestState

    return [LatestState(_cache(settings, makers))]


def _alone(make: Callable[..., Any], *arguments: Any) -> list[Any]:
    return [make(*arguments)]
