"""Ten million rows through the router, as a stream of tables, and back as batches: flat memory.

``make soak`` runs it; ``PBF_RAY_SOAK_ROWS`` chooses another number. The process that streams is one
of its own, and what it takes at most is compared with what a fifth of the rows takes.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pbf_ray.config import Settings
from pbf_ray.jobs.stores import storage_router
from services.postgres import PostgresServer

ROWS = int(os.environ.get("PBF_RAY_SOAK_ROWS", "10000000"))
AT_ONCE = 100_000
MOST_MIB = 256
"""By how much the whole may take more than a fifth of it."""


def tables(rows: int) -> Iterator[pa.Table]:
    for first in range(0, rows, AT_ONCE):
        number = np.arange(first, min(first + AT_ONCE, rows))
        yield pa.table(
            {
                "number": number,
                "sensor_id": pa.array([f"M01-S{n % 7}" for n in range(len(number))]),
                "temperature": 1600.0 + np.sin(number * 1e-3),
            }
        )


def stream(settings: Settings, rows: int, told: Any) -> None:
    """Store and read back; tell rows, the sum of their numbers, seconds, and MiB at most."""
    began_s = time.monotonic()
    with storage_router(settings) as router:
        stored = router.store(tables(rows), purpose="analytics", name="soak", batch="soak")
        stored_s = time.monotonic()
        found = total = 0
        for batch in router.scan(purpose="analytics", name="soak", columns=["number"]):
            found += batch.num_rows
            total += int(np.asarray(batch.column("number")).sum())
    with Path("/proc/self/status").open() as lines:
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
    told.put((stored.items, found, total, stored_s - began_s, time.monotonic() - stored_s, peak))


def peak_mib(settings: Settings, rows: int) -> int:
    context = multiprocessing.get_context("spawn")
    told = context.SimpleQueue()
    process = context.Process(target=stream, args=(settings, rows, told))
    process.start()
    process.join()
    assert process.exitcode == 0
    stored, found, total, storing_s, reading_s, peak = told.get()
    assert (stored, found, total) == (rows, rows, rows * (rows - 1) // 2)
    print(
        f"\n{rows:,} rows: stored at {rows / storing_s:,.0f}/s, read at {rows / reading_s:,.0f}/s, "
        f"{peak} MiB at most"
    )
    return int(peak)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
@pytest.mark.timeout(7200)
def test_memory_does_not_follow_the_rows(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def settings(name: str) -> Settings:
        more: dict[str, Any] = {}
        if store == "postgres":
            server: PostgresServer = request.getfixturevalue("postgres")
            more = {"postgres": {**server.settings, "schema_name": f"soak_{name}"}}
        return Settings(
            job={"name": name, "data_dir": tmp_path / name},
            stores={"analytics_structured": store},
            **more,
        )

    fifth = peak_mib(settings("fifth"), ROWS // 5)
    whole = peak_mib(settings("whole"), ROWS)
    assert whole <= fifth + MOST_MIB
