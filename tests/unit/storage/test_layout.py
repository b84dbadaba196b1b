from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from pbf_ray.contracts import (
    DEAD_LETTERS,
    ISPM_MONITORING,
    LAYER_QUALITY,
    OUTPUT_TABLES,
    QUALITY_METRICS,
    TableContract,
)
from pbf_ray.errors import FencedError, SettingError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import EpochCommit, Sink, StagedRows
from pbf_ray.storage.layout import JobStores, embedded_stores
from pbf_ray.storage.sqlite import SqliteStore
from support.store_suite import assert_same_rows, numbered


class Remembering:
    """A user's sink: keeps rows in memory, applies each epoch once."""

    def __init__(self, name: str = "remembering", tables: Sequence[str] | None = None) -> None:
        self.name = name
        self.tables = tables
        self.prepared: list[str] = []
        self.incarnation = 0
        self.epoch: int | None = None
        self.rows: dict[str, list[pa.Table]] = {}
        self.down = False

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        self.prepared = [contract.name for contract in contracts]

    def claim(self, job_id: str, incarnation: int) -> None:
        if incarnation < self.incarnation:
            raise FencedError(job_id, mine=incarnation, newer=self.incarnation, where=self.name)
        self.incarnation = incarnation

    def commit(self, write: EpochCommit) -> bool:
        if self.down:
            raise StoreUnavailableError(self.name, "down")
        if self.epoch is not None and write.epoch <= self.epoch:
            return False
        for staged in write.rows:
            self.rows.setdefault(staged.table, []).append(staged.inline())
        self.epoch = write.epoch
        return True


@pytest.fixture
def sink() -> Remembering:
    return Remembering(tables=["layer_quality", "ispm_monitoring"])


@pytest.fixture
def stores(tmp_path: Path, sink: Remembering) -> Iterator[JobStores]:
    with embedded_stores(tmp_path / "out", sinks=[sink]) as stores:
        stores.check()
        stores.prepare()
        stores.claim("job", 1)
        yield stores


def _stage(stores: JobStores, epoch: int) -> tuple[StagedRows, ...]:
    staged: tuple[StagedRows, ...] = ()
    for contract in OUTPUT_TABLES.values():
        for part in ("a", "b"):
            table = numbered(contract, 3, epoch=epoch, mark=part)
            staged += stores.stage(contract, table, job_id="job", epoch=epoch, part=part)
    return staged


def _whole(contract: TableContract, epochs: int) -> pa.Table:
    return pa.concat_tables(
        [numbered(contract, 3, epoch=n, mark=part) for n in range(epochs) for part in ("a", "b")]
    )


def test_rows_go_where_the_layout_says(
    stores: JobStores, sink: Remembering, tmp_path: Path
) -> None:
    for epoch in range(2):
        assert stores.commit(EpochCommit("job", 1, epoch, _stage(stores, epoch)))
        assert not stores.commit(EpochCommit("job", 1, epoch, _stage(stores, epoch)))
    assert stores.committed_epoch("job") == 1
    for name, contract in OUTPUT_TABLES.items():
        assert_same_rows(stores.read(name), _whole(contract, 2), contract.key)
        assert stores.count(name, job_id="job") == 12
        assert stores.read(name, limit=2, columns=["job_id"]).shape == (2, 1)
    assert sorted(path.name for path in (tmp_path / "out" / "lake").iterdir()) == [
        "ispm_monitoring",
        "quality_metrics",
    ]
    with SqliteStore(tmp_path / "out" / "operational.sqlite") as file:
        assert file.count(DEAD_LETTERS) == 12
    assert sink.prepared == ["ispm_monitoring", "layer_quality"]
    assert set(sink.rows) == {"ispm_monitoring", "layer_quality"}
    assert_same_rows(
        pa.concat_tables(sink.rows["layer_quality"]), _whole(LAYER_QUALITY, 2), "layer_key"
    )
    stores.maintain()
    assert stores.count("ispm_monitoring") == 12


def test_failure_of_the_last_output_is_repaired_by_the_next_try(
    stores: JobStores, sink: Remembering
) -> None:
    sink.down = True
    with pytest.raises(StoreUnavailableError):
        stores.commit(EpochCommit("job", 1, 0, _stage(stores, 0)))
    assert stores.count("quality_metrics") == 6
    sink.down = False
    assert stores.commit(EpochCommit("job", 1, 0, _stage(stores, 0)))
    for name, contract in OUTPUT_TABLES.items():
        assert_same_rows(stores.read(name), _whole(contract, 1), contract.key)
    assert sum(table.num_rows for table in sink.rows["layer_quality"]) == 6


def test_lakes_commit_before_sql(stores: JobStores, tmp_path: Path) -> None:
    older = embedded_stores(tmp_path / "out")
    older.prepare()
    sql = stores.store("layer_quality")
    sql.claim("job", 2)
    with pytest.raises(FencedError):
        older.commit(EpochCommit("job", 1, 0, _stage(older, 0)))
    assert older.count("ispm_monitoring") == 6
    assert older.count("layer_quality") == 0
    assert older.committed_epoch("job") is None


def test_empty_epochs_and_tables(stores: JobStores, sink: Remembering) -> None:
    nothing = QUALITY_METRICS.schema.empty_table()
    assert stores.stage(QUALITY_METRICS, nothing, job_id="job", epoch=0, part="0") == ()
    assert stores.committed_epoch("job") is None
    assert stores.commit(EpochCommit("job", 1, 0))
    assert stores.committed_epoch("job") == 0
    assert sink.epoch == 0


def test_fence_of_all_outputs(stores: JobStores, sink: Remembering, tmp_path: Path) -> None:
    newer = embedded_stores(tmp_path / "out", sinks=[sink])
    newer.prepare()
    newer.claim("job", 2)
    with pytest.raises(FencedError):
        stores.commit(EpochCommit("job", 1, 0, _stage(stores, 0)))
    with pytest.raises(FencedError):
        stores.claim("job", 1)
    assert stores.count("ispm_monitoring") == 0
    newer.close()


def test_workers_stage_with_a_copy(tmp_path: Path) -> None:
    with embedded_stores(tmp_path) as stores:
        stores.prepare()
        stores.claim("job", 1)
        worker: JobStores = pickle.loads(pickle.dumps(stores))  # noqa: S301
        staged = pickle.loads(pickle.dumps(_stage(worker, 0)))  # noqa: S301
        assert stores.commit(EpochCommit("job", 1, 0, staged))
        assert stores.count("quality_metrics") == stores.count("late_records") == 6


def test_a_table_store_may_be_a_further_output(tmp_path: Path) -> None:
    copy = SqliteStore(tmp_path / "copy.sqlite")
    copy.tables = ["layer_quality"]
    assert isinstance(copy, Sink)
    with embedded_stores(tmp_path / "out", sinks=[copy]) as stores:
        stores.prepare()
        stores.claim("job", 1)
        stores.commit(EpochCommit("job", 1, 0, _stage(stores, 0)))
        assert_same_rows(copy.read(LAYER_QUALITY), stores.read("layer_quality"), "layer_key")


def test_layouts_that_cannot_be(tmp_path: Path) -> None:
    sqlite = SqliteStore(tmp_path / "x.sqlite")
    with pytest.raises(SettingError, match="no store for ispm_monitoring"):
        JobStores([ISPM_MONITORING], {})
    routes = {"layer_quality": sqlite}
    with pytest.raises(SettingError, match="not unique"):
        JobStores([LAYER_QUALITY], routes, [Remembering(), Remembering()])
    with pytest.raises(SettingError, match="there is no table nonsense"):
        JobStores([LAYER_QUALITY], routes, [Remembering(tables=["nonsense"])])
    stores = JobStores([LAYER_QUALITY], routes)
    with pytest.raises(StoreError, match="there is no table nonsense"):
        stores.read("nonsense")
    strange = StagedRows("layer_quality", 0, LAYER_QUALITY.schema.empty_table(), "elsewhere")
    with pytest.raises(StoreError, match="elsewhere"):
        stores.commit(EpochCommit("job", 1, 0, (strange,)))
