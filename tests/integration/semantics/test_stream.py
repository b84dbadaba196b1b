"""The stream's tables are those of a batch by PySpark over the same records."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import MemoryStores, MemoryTopics, stream
from support.semantics.comparer import assert_same
from support.semantics.oddities import FLAGGED, ROW
from support.semantics.records import random_records
from support.semantics.rounds import rounds
from support.semantics.spark_decoding import spark_permissive
from support.semantics.spark_quality import (
    ANOMALY_SQL,
    spark_anomalies,
    spark_rolling_in_canonical_order,
)
from support.semantics.value_tables import TAME_FLAVOURS, value_table

COMPUTED = [
    *(f"{name}_{statistic}" for name in CHANNELS for statistic in ("avg", "std")),
    "quality_score",
]


def records(rng: Random) -> list[bytes | None]:
    """Records of layers with all that values can be, and records that are odd in any way."""
    table = value_table(rng, flavours=TAME_FLAVOURS, ties=True, large=400)
    rows = table.select(["build_id", "layer", "timestamp", *CHANNELS]).to_pylist()
    sent = [*(json.dumps(row).encode() for row in rows), *random_records(rng, 400)]
    rng.shuffle(sent)
    return sent


@rounds(1)
@given(seed=st.integers(0, 2**64 - 1))
@pytest.mark.semantics(44, 61)
def test_strict_stream_over_all_input_is_sparks_batch(
    seed: int, spark: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = Random(seed)
    topics, stores = MemoryTopics(3), MemoryStores()
    for value in records(rng):
        topics.send(rng.randrange(3), value, gap=rng.choice([0, 0, 0, 2]))
    pipeline = stream(
        topics,
        stores,
        tmp_path_factory.mktemp("checkpoint"),
        semantics=StreamSemantics(mode="strict", bounded=True),
        windows=rng.randrange(1, 4),
        epoch_max_rows=rng.choice([100, 500, 10_000]),
    )
    assert pipeline.run() == "finished"

    raw = topics.all
    decoded = spark_permissive(spark, [record.value for record in raw], RECORD_SCHEMA)
    void = {r["partition"] * 10**6 + r["offset"]: r["reason"] for r in rejects(stores)}
    position = pa.table(
        {
            "id": [record.partition * 10**6 + record.offset for record in raw],
            "topic": [record.topic for record in raw],
            "partition": pa.array([record.partition for record in raw], pa.int32()),
            "offset": [record.offset for record in raw],
        }
    )
    kept = []
    for index, (place, kind) in enumerate(
        zip(position["id"].to_pylist(), decoded.kinds, strict=True)
    ):
        if kind in (ROW, FLAGGED) and void.get(place) != "unstorable":
            assert place not in void
            kept.append(index)
        else:
            assert place in void
    table = pa.Table.from_arrays(
        [*position.columns, *decoded.table.columns],
        names=[*position.column_names, *decoded.table.column_names],
    ).take(pa.array(kept))
    assert decoded.kinds.count(FLAGGED) > 5
    assert len(void) > 20

    wanted = spark_rolling_in_canonical_order(spark, table)
    assert_same(of(stores, "quality_metrics", ["id", *COMPUTED]), wanted, what=f"seed {seed}")
    wanted = spark_anomalies(spark, table, ANOMALY_SQL)
    assert_same(of(stores, "ispm_anomalies", wanted.column_names), wanted, what=f"seed {seed}")


def rejects(stores: MemoryStores) -> list[dict[str, Any]]:
    return stores.table("dead_letters").to_pylist()


def of(stores: MemoryStores, name: str, columns: list[str]) -> pa.Table:
    """Columns of an output table, by position."""
    table = stores.table(name)
    places = zip(table["partition"].to_pylist(), table["offset"].to_pylist(), strict=True)
    ids = pa.array([partition * 10**6 + offset for partition, offset in places], pa.int64())
    return table.append_column("id", ids).select(columns).sort_by("id").combine_chunks()
