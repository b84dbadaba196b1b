"""How long the rows of a job's tables are kept: three tiers, and removing what is older."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import MissingDependencyError, SettingError
from pbf_ray.jobs.stores import job_stores, route_makers
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.blobs import BlobStore

__all__ = [
    "TIERS",
    "PrunedTable",
    "RetainedTable",
    "SweptStore",
    "plan_retention",
    "prune",
    "sweep",
]

Tier = Literal["raw", "features", "reports"]

TIERS: Final[dict[str, Tier]] = {
    "ispm_monitoring": "raw",
    "dead_letters": "raw",
    "late_records": "raw",
    "quality_metrics": "features",
    "ispm_anomalies": "features",
    "layer_quality": "reports",
}
"""The tier of each output table: raw counts in days, features in months, reports in years."""


@dataclass(frozen=True)
class RetainedTable:
    """A table and what is kept of it.

    Attributes:
        table: Its name.
        tier: Its tier.
        before: Rows written before go; None: all stay.
    """

    table: str
    tier: Tier
    before: datetime | None


@dataclass(frozen=True)
class SweptStore:
    """What killed writers have left in a store of blobs.

    Attributes:
        store: Its name.
        leftovers: Unfinished uploads, files that no key leads to: removed, or would be.
    """

    store: str
    leftovers: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class PrunedTable:
    """What was removed of a table, or would be.

    Attributes:
        table: Its name.
        tier: Its tier.
        before: Rows written before this time, as ISO text; None: all stay.
        rows: How many rows.
        store: Name of the store.
    """

    table: str
    tier: Tier
    before: str | None
    rows: int
    store: str

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def plan_retention(settings: Settings, now: datetime) -> list[RetainedTable]:
    """What the settings say of each output table.

    Args:
        settings: All settings; ``retention.*`` counts.
        now: The time that the ages are counted from, with a zone.
    """
    given = settings.retention
    bounds: dict[Tier, datetime | None] = {
        "raw": None if given.raw_days is None else now - timedelta(days=given.raw_days),
        "features": _months_before(now, given.features_months),
        "reports": _months_before(
            now, None if given.reports_years is None else 12 * given.reports_years
        ),
    }
    return [RetainedTable(name, TIERS[name], bounds[TIERS[name]]) for name in OUTPUT_TABLES]


def prune(
    settings: Settings, plan: Sequence[RetainedTable], *, dry_run: bool
) -> Iterator[PrunedTable]:
    """Remove what the plan says, table by table, of all jobs that share the stores.

    Args:
        settings: All settings.
        plan: Made by :func:`plan_retention`.
        dry_run: Only count.

    Raises:
        StoreError: A store cannot remove rows, or cannot be reached; calling again goes on.
    """
    with job_stores(settings) as stores:
        pruned: dict[str, TableStore] = {}
        for kept in plan:
            store = stores.store(kept.table)
            rows = 0
            if kept.before is not None:
                contract = OUTPUT_TABLES[kept.table]
                store.prepare([contract])
                pruned[store.name] = store
                rows = store.prune(contract, kept.before, dry_run=dry_run)
            before = None if kept.before is None else kept.before.isoformat()
            yield PrunedTable(kept.table, kept.tier, before, rows, store.name)
        if not dry_run:
            for store in pruned.values():
                store.maintain()


def sweep(settings: Settings, *, dry_run: bool) -> Iterator[SweptStore]:
    """Remove what killed writers have left in the stores of blobs, after a day; each store once.

    Args:
        settings: All settings.
        dry_run: Only count.

    Raises:
        StoreError: A store cannot be reached; calling again goes on.
    """
    stores: dict[str, BlobStore] = {}
    for route, make in route_makers(settings):
        if route.endswith("_blob") or route == "ml_training":
            # What the settings here do not lead to, nobody can have written to by them.
            with suppress(SettingError, MissingDependencyError):
                stores.update({store.name: store for store in make()})
    for name, store in stores.items():
        with store:
            yield SweptStore(name, store.sweep(dry_run=dry_run))


def _months_before(now: datetime, months: int | None) -> datetime | None:
    if months is None:
        return None
    whole = now.year * 12 + now.month - 1 - months
    if whole < 12:
        return None
    year, month = divmod(whole, 12)
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    return now.replace(year=year, month=month + 1, day=day)
