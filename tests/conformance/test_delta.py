from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbf_ray.storage.delta import DeltaStore
from support.store_suite import StoreSuite


class TestDeltaStore(StoreSuite):
    def open_store(self, place: Path) -> DeltaStore:
        return DeltaStore(place / "lake")

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        for file in (place / "lake" / "second").glob("epoch-1-*.parquet"):
            file.unlink()
        yield
