"""The router over SQLite, Delta Lake and stores in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pbf_ray.contracts import ISPM_ANOMALIES
from pbf_ray.errors import SettingError, StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.copies import CopiedBlobs
from pbf_ray.storage.delta import DeltaStore
from pbf_ray.storage.retry import RetryPolicy
from pbf_ray.storage.routing import Routes, StorageRouter
from pbf_ray.storage.selection import RowSelection
from pbf_ray.storage.sqlite import SqliteStore
from support.memory_stores import MemoryBlobs, MemoryCache, MemoryDocuments
from support.store_suite import numbered


class World:
    def __init__(self, root: Path) -> None:
        self.documents = MemoryDocuments()
        self.cache = MemoryCache()
        self.blobs = MemoryBlobs()
        self.copies = (MemoryBlobs("first"), MemoryBlobs("second"))
        self.sqlite = SqliteStore(root / "operational.sqlite")
        training = CopiedBlobs(self.copies)
        self.slept: list[float] = []
        self.router = StorageRouter(
            Routes(
                {
                    ("operational", "structured"): self.sqlite,
                    ("operational", "document"): self.documents,
                    ("operational", "cache"): self.cache,
                    ("operational", "blob"): self.blobs,
                    ("research", "structured"): DeltaStore(root / "lake"),
                    ("research", "document"): self.blobs,
                    ("ml_training", "structured"): training,
                    ("ml_training", "document"): training,
                }
            ),
            retry=RetryPolicy(limit_s=5, sleep=self.slept.append, clock=lambda: 0.0),
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    with found.router:
        yield found


ROWS = {"part": ["a", "b", "c"], "density": [99.1, float("nan"), None], "pores": [3, 2**60, 0]}


FORMS: dict[str, Callable[[], Any]] = {
    "table": lambda: pa.table(ROWS),
    "batch": lambda: pa.table(ROWS).to_batches()[0],
    "reader": lambda: pa.table(ROWS).to_reader(),
    "polars": lambda: pl.DataFrame(ROWS, strict=False),
    "dicts": lambda: pa.table(ROWS).to_pylist(),
    "stream": lambda: iter([pa.table(ROWS).slice(0, 2), pl.DataFrame(ROWS, strict=False).slice(2)]),
}


@pytest.mark.parametrize("purpose", ["operational", "research", "ml_training"])
@pytest.mark.parametrize("form", FORMS)
def test_rows_of_every_form_come_back(world: World, form: str, purpose: Any) -> None:
    stored = world.router.store(FORMS[form](), purpose=purpose, name="parts", key="part")
    assert stored.items == 3
    table = world.router.read(purpose=purpose, name="parts").sort_by("part")
    assert table["part"].to_pylist() == ["a", "b", "c"]
    assert table["pores"].to_pylist() == ROWS["pores"]
    assert repr(table["density"].to_pylist()) == "[99.1, nan, None]"
    scanned = pa.Table.from_batches(world.router.scan(purpose=purpose, name="parts"))
    assert scanned.num_rows == 3


def test_pandas_says_null_with_nan(world: World) -> None:
    frame = pd.DataFrame(
        {
            "part": ["a", None],
            "kind": pd.Categorical(["x", "y"]),
            "seen": pd.to_datetime(["2026-01-01T12:00:00.123456789", None]).tz_localize(
                "Europe/Berlin"
            ),
            "density": [1.5, float("nan")],
        }
    )
    world.router.store(frame, purpose="operational", name="frames")
    table = world.router.read(purpose="operational", name="frames").sort_by("kind")
    assert table.drop_columns(["_key", "seen"]).to_pydict() == {
        "part": ["a", None],
        "kind": ["x", "y"],
        "density": [1.5, None],
    }
    assert table["seen"].type == pa.timestamp("ns", tz="UTC")
    assert table["seen"].cast(pa.int64()).to_pylist() == [1767265200123456789, None]


def test_twice_is_once_and_a_key_replaces(world: World) -> None:
    rows = [{"x": 1}, {"x": 1}, {"x": 2}]
    for _ in range(2):
        world.router.store(rows, purpose="operational", name="loose")
    assert world.router.read(purpose="operational", name="loose")["x"].to_pylist() == [1, 1, 2]
    for batch in ("one", "two", "one"):
        world.router.store(iter([rows, rows]), purpose="operational", name="runs", batch=batch)
    assert world.router.read(purpose="operational", name="runs").num_rows == 12
    for density in (1.0, 2.0):
        world.router.store(
            {"part": "a", "density": density}, purpose="research", name="parts", key="part"
        )
    assert world.router.read(purpose="research", name="parts").to_pylist() == [
        {"part": "a", "density": 2.0}
    ]


def test_a_table_widens_and_refuses_before_it_writes(world: World) -> None:
    def put(*rows: dict[str, Any]) -> None:
        world.router.store(list(rows), purpose="operational", name="parts", key="part")

    put({"part": "a", "pores": 1.5})
    put({"part": "b", "layer": 7})
    put({"part": "c", "pores": 2, "note": None})
    put({"part": "a", "pores": 3.5, "layer": 2**40})
    table = world.router.read(purpose="operational", name="parts").sort_by("part")
    assert table.to_pylist() == [
        {"part": "a", "pores": 3.5, "layer": 2**40},
        {"part": "b", "pores": None, "layer": 7},
        {"part": "c", "pores": 2.0, "layer": None},
    ]
    with pytest.raises(StoreContentError, match="layer is int64 there, and string here"):
        put({"part": "d", "layer": "seven", "new": 1})
    with pytest.raises(StoreContentError, match="pores"):
        put({"part": "d", "pores": 2**60 + 1})
    with pytest.raises(StoreContentError, match="key is part, not layer"):
        world.router.store([{"layer": 1}], purpose="operational", name="parts", key="layer")
    with pytest.raises(StoreContentError, match="part, which must not be null"):
        put({"part": None, "layer": 1}, {"part": "e", "layer": 2})
    after = world.router.read(purpose="operational", name="parts").sort_by("part")
    assert after.equals(table), "what was refused left nothing behind"


def test_tables_of_jobs_are_read_but_not_written(world: World) -> None:
    world.sqlite.prepare([ISPM_ANOMALIES])
    rows = numbered(ISPM_ANOMALIES, 5)
    world.sqlite.put(ISPM_ANOMALIES, rows)
    chosen = RowSelection(limit=2, after_key=rows["record_key"][0].as_py())
    page = world.router.read(
        purpose="operational", name="ispm_anomalies", selection=chosen, columns=["record_key"]
    )
    assert page["record_key"].to_pylist() == rows["record_key"].to_pylist()[1:3]
    with pytest.raises(StoreContentError, match="written by jobs"):
        world.router.store(rows, purpose="operational", name="ispm_anomalies", key="record_key")


def test_documents_values_and_blobs(world: World) -> None:
    router = world.router
    router.store(
        [{"id": 7, "pores": [1, 2]}, {"id": "b"}],
        purpose="operational", kind="document", name="ct", key="id", source="ct-lab", version="2",
    )  # fmt: skip
    first, second = router.read(purpose="operational", kind="document", name="ct")
    assert (first.id, first.body["pores"], first.source, first.version) == (
        "7", [1, 2], "ct-lab", "2",
    )  # fmt: skip
    assert second.id == "b"
    assert router.read(purpose="operational", kind="document", name="ct", keys=["b"]) == [second]
    router.store({"state": "up"}, purpose="operational", kind="cache", key="m1", ttl_s=5)
    assert world.cache.held["m1"] == (b'{"state": "up"}', 5)
    assert router.read(purpose="operational", kind="cache", key="m1") == b'{"state": "up"}'
    assert router.read(purpose="operational", kind="cache", key="m2") is None
    router.store(iter([b"\x89P", b"NG"]), purpose="operational", kind="blob", key="a/b.png",
                 content_type="image/png")  # fmt: skip
    assert router.read(purpose="operational", kind="blob", key="a/b.png") == b"\x89PNG"
    info = world.blobs.info("a/b.png")
    assert info is not None
    assert info.content_type == "image/png"
    stored = router.store({"a": 1}, purpose="research", kind="document", name="notes")
    assert world.blobs.get(stored.name) == b'{"a": 1}'
    with pytest.raises(StoreContentError, match="not JSON"):
        router.store({"a": float("nan")}, purpose="research", kind="document", name="notes")


def test_training_sets_are_in_both_or_in_none(world: World) -> None:
    table = pa.table({"x": range(10)})
    world.copies[1].down = 99
    world.copies[1].terminal = True
    with pytest.raises(StoreError, match=r"second: its copy of training\.parquet is missing"):
        world.router.store(table, purpose="ml_training", name="training")
    world.copies[1].down = 0
    with pytest.raises(StoreContentError, match="not all of its copies"):
        world.router.read(purpose="ml_training", name="training")
    world.router.store(table, purpose="ml_training", name="training")
    assert world.router.read(purpose="ml_training", name="training") == table
    assert world.copies[0].held["training.parquet"][0] == world.copies[1].get("training.parquet")


def test_what_does_not_answer_is_tried_again(world: World) -> None:
    world.documents.down = 3
    world.router.store({"a": 1}, purpose="operational", kind="document", name="n")
    assert len(world.slept) == 3
    world.cache.terminal, world.cache.down = True, 1
    with pytest.raises(StoreError) as caught:
        world.router.store(b"1", purpose="operational", kind="cache", key="k")
    assert not isinstance(caught.value, StoreUnavailableError)
    assert len(world.slept) == 3


def test_what_nothing_takes_is_said_with_the_routes(world: World) -> None:
    with pytest.raises(SettingError, match="nothing takes cache data for research") as caught:
        world.router.store(b"", purpose="research", kind="cache", key="k")
    assert "operational.cache" in caught.value.advice
    with pytest.raises(StoreError, match="no name was given"):
        world.router.store([{"a": 1}], purpose="operational")
    with pytest.raises(StoreContentError, match="int is not rows"):
        world.router.store(5, purpose="operational", name="n")
    with pytest.raises(StoreContentError, match="do not make columns"):
        world.router.store([{"a": 1}, {"a": "x"}], purpose="operational", name="n")
    with pytest.raises(StoreContentError, match="there is no table nowhere"):
        world.router.read(purpose="operational", name="nowhere")
    with pytest.raises(SettingError, match="cannot hold it"):
        Routes({("operational", "structured"): world.cache})
    with pytest.raises(SettingError, match=r"no route fun\.structured"):
        Routes({("fun", "structured"): world.sqlite})


def test_many_rows_pass_in_batches(world: World) -> None:
    seen: list[int] = []

    def stream() -> Iterator[pa.Table]:
        for number in range(20):
            held = world.sqlite.count(_bulk(world)) if number else 0
            seen.append(held)
            start = number * 1000
            yield pa.table({"n": range(start, start + 1000), "at": [datetime.now(UTC)] * 1000})

    stored = world.router.store(stream(), purpose="operational", name="bulk", key="n")
    assert stored.items == 20_000
    assert seen == [1000 * number for number in range(20)], "each batch is written before the next"


def _bulk(world: World) -> Any:
    from pbf_ray.storage.routing.catalog import catalogued

    contract = catalogued(world.sqlite, "bulk")
    assert contract is not None
    return contract
