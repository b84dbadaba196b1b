from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbf_ray.config import Settings
from pbf_ray.contracts import LAYER_QUALITY, OUTPUT_TABLES, QUALITY_METRICS
from pbf_ray.jobs.retention import TIERS, SweptStore, plan_retention, prune, sweep
from pbf_ray.jobs.stores import job_stores
from pbf_ray.storage.base import EpochCommit
from support.store_suite import fill, numbered

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def test_every_output_table_has_a_tier() -> None:
    assert TIERS.keys() == OUTPUT_TABLES.keys()


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ({}, {None}),
        ({"raw_days": 31}, {None, datetime(2026, 2, 28, 12, tzinfo=UTC)}),
        ({"features_months": 1}, {None, datetime(2026, 2, 28, 12, tzinfo=UTC)}),
        ({"features_months": 13}, {None, datetime(2025, 2, 28, 12, tzinfo=UTC)}),
        ({"reports_years": 10}, {None, datetime(2016, 3, 31, 12, tzinfo=UTC)}),
        ({"reports_years": 5000}, {None}),
    ],
)
def test_tiers_count_in_days_months_and_years(
    given: dict[str, int], bounds: set[datetime | None]
) -> None:
    plan = plan_retention(Settings(retention=given), NOW)
    assert {table.before for table in plan} == bounds
    assert [table.table for table in plan] == list(OUTPUT_TABLES)


def test_what_is_old_goes_and_the_rest_stays(tmp_path: Path) -> None:
    settings = Settings(
        job={"data_dir": tmp_path}, retention={"features_months": 1, "reports_years": 1}
    )
    times = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]
    with job_stores(settings) as stores:
        stores.prepare()
        stores.claim("pbf-stream", 1)
        staged = [
            part
            for contract in (QUALITY_METRICS, LAYER_QUALITY)
            for part in stores.stage(
                contract,
                fill(
                    contract,
                    numbered(contract, 2, job_id="pbf-stream"),
                    processing_timestamp=times,
                ),
                job_id="pbf-stream",
                epoch=0,
                part="p",
            )
        ]
        stores.commit(EpochCommit("pbf-stream", 1, 0, tuple(staged)))
        plan = plan_retention(settings, NOW)
        would = {one.table: one.rows for one in prune(settings, plan, dry_run=True)}
        assert {name: rows for name, rows in would.items() if rows} == {"quality_metrics": 1}
        assert stores.count("quality_metrics") == 2
        done = {one.table: one.rows for one in prune(settings, plan, dry_run=False)}
        assert done == would
        assert stores.count("quality_metrics") == 1
        assert stores.count("layer_quality") == 2
        assert not any(one.rows for one in prune(settings, plan, dry_run=False))


def test_stores_that_are_not_set_are_not_swept(tmp_path: Path) -> None:
    settings = Settings(job={"data_dir": tmp_path}, stores={"research_blob": "aws_s3"})
    names = [one.store for one in sweep(settings, dry_run=True)]
    assert len(names) == 4
    assert SweptStore(names[0], 0).to_plain() == {"store": names[0], "leftovers": 0}
