"""How long the rows of a job's tables are kept: three tiers, and removing what is older."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.jobs.stores import job_stores

__all__ = ["TIERS", "PrunedTable", "RetainedTable", "plan_retention", "prune"]

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
        for kept in plan:
            store = stores.store(kept.table)
            rows = 0
            if kept.before is not None:
                contract = OUTPUT_TABLES[kept.table]
                store.prepare([contract])
                rows = store.prune(contract, kept.before, dry_run=dry_run)
            before = None if kept.before is None else kept.before.isoformat()
            yield PrunedTable(kept.table, kept.tier, before, rows, store.name)
        if not dry_run:
            stores.maintain()


def _months_before(now: datetime, months: int | None) -> datetime | None:
    if months is None:
        return None
    whole = now.year * 12 + now.month - 1 - months
    if whole < 12:
        return None
    year, month = divmod(whole, 12)
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    return now.replace(year=year, month=month + 1, day=day)
