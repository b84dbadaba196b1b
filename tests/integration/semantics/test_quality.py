"""Anomalies, rolling quality and layer summaries are PySpark's."""

# ruff: noqa: S608 - SQL of this file's own texts

from __future__ import annotations

import json
import math
import re
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS
from pbf_ray.kernels.anomaly import OPERATORS, CompiledRules, first_match
from pbf_ray.kernels.order import event_order_key
from pbf_ray.kernels.rolling import quality_score
from pbf_ray.monitoring.judge import anomalies, judge
from pbf_ray.monitoring.quality import layer_summaries, rolling_quality
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, RuleProfile
from support.semantics.comparer import CLASSES, assert_same, classes
from support.semantics.rounds import rounds
from support.semantics.spark_decoding import from_spark
from support.semantics.spark_quality import (
    ANOMALY_SQL,
    MACHINE_ANOMALY_SQL,
    MACHINE_PROFILE_TOML,
    SCORE_SQL,
    spark_anomalies,
    spark_rolling,
    spark_rolling_in_canonical_order,
    spark_summaries,
    view,
)
from support.semantics.value_tables import FLAVOURS, TAME_FLAVOURS, value_table

MACHINE_PROFILE = RuleProfile.from_toml(MACHINE_PROFILE_TOML)
PROFILES = {
    "default": (DEFAULT_PROFILE, ANOMALY_SQL),
    "machine": (MACHINE_PROFILE, MACHINE_ANOMALY_SQL),
}
COMPUTED = [
    *(f"{name}_{statistic}" for name in CHANNELS for statistic in ("avg", "std")),
    "quality_score",
]
REACHING_SEED = 1
"""A seed whose table holds all that the items speak of, which is asserted of it."""
NEAR = {"rel": 1e-9, "abs_": 1e-12}
seeds = st.integers(0, 2**64 - 1)


# -- expressions -------------------------------------------------------------------------------

SPECIALS = [
    None, math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, -5e-324, 1.0, math.nextafter(1, 2), -1.0
]  # fmt: skip


@pytest.mark.semantics(34, 35)
def test_values_compare_as_in_spark(spark: Any) -> None:
    pairs = [(a, b) for a in SPECIALS for b in SPECIALS if b is not None]
    a = pa.array([a for a, _ in pairs], pa.float64())
    b = pa.array([b for _, b in pairs], pa.float64())
    holds = ", ".join(f"a {op} b AS `{op}`" for op in OPERATORS)
    with view(spark, pa.table({"id": range(len(pairs)), "a": a, "b": b})):
        theirs = from_spark(
            spark.sql(f"SELECT {holds}, a = b AS eq, isnan(a) AS nan FROM records ORDER BY id")
        )
    assert theirs["eq"].combine_chunks().is_null().equals(a.is_null())
    for index, (value, threshold) in enumerate(pairs):
        known = value is not None
        for op in OPERATORS:
            rule = CompiledRules(
                channel=np.array([0]),
                op=np.array([OPERATORS.index(op)]),
                threshold=np.array([threshold]),
            )
            found = first_match(np.array([[value or 0.0]]), np.array([[known]]), rule)[0]
            assert theirs[op][index].as_py() == ((found == 0) if known else None), (value, op)
        assert theirs["nan"][index].as_py() == (known and math.isnan(value or 0.0))


@pytest.mark.semantics(39)
def test_scores_are_those_of_spark(spark: Any) -> None:
    around = [
        x for bound in (10.0, 20.0, 30.0) for x in (math.nextafter(bound, 0), bound, bound + 1e-9)
    ]
    stds = [None, math.nan, math.inf, 0.0, -0.0, 5e-324, 15.0, 1e300, *around]
    column = pa.array(stds, pa.float64())
    with view(spark, pa.table({"id": range(len(stds)), "temperature_std": column})):
        theirs = from_spark(spark.sql(f"SELECT {SCORE_SQL} AS score FROM records ORDER BY id"))
    valid = np.asarray(column.is_valid())
    scores = quality_score(np.asarray(column.fill_null(0.0)), valid)
    assert scores.tolist() == theirs["score"].to_pylist()
    assert scores.tolist()[:4] == [0.4, 0.4, 0.4, 1.0]


@rounds(1)
@example(seed=REACHING_SEED)
@given(seed=seeds)
@pytest.mark.semantics(34, 35, 36, 37, 38)
@pytest.mark.parametrize("name", PROFILES)
def test_anomalies_are_those_of_spark(name: str, seed: int, spark: Any) -> None:
    profile, sql = PROFILES[name]
    table = value_table(Random(seed), flavours=FLAVOURS, ties=True)
    theirs = spark_anomalies(spark, table, sql)
    ours = anomalies(table, profile).sort_by("id").select(theirs.column_names)
    assert_same(ours, theirs, what=f"anomalies, seed {seed}")
    assert 0 < theirs.num_rows < table.num_rows
    if seed == REACHING_SEED:
        assert set(theirs["anomaly_type"].to_pylist()) == set(profile.anomaly_types)


# -- rolling -----------------------------------------------------------------------------------


def by_id(table: pa.Table) -> pa.Table:
    return rolling_quality(table).sort_by("id").select(["id", *COMPUTED])


def kinds_of(table: pa.Table, column: str) -> Any:
    """Kind of each double of a column, by name."""
    return np.array(CLASSES)[classes(table[column].combine_chunks())]


def assert_every_kind(table: pa.Table) -> None:
    """The table has every kind of double in every channel, and they reach the results."""
    for name in ("timestamp", *CHANNELS):
        assert set(classes(table[name].combine_chunks())) == set(range(len(CLASSES))), name
    assert {(None, None), ("", None), (None, 0), ("", 0)} <= {
        (row["build_id"], row["layer"]) for row in table.select(["build_id", "layer"]).to_pylist()
    }


@rounds(1)
@example(seed=REACHING_SEED)
@given(seed=seeds)
@pytest.mark.semantics(40, 44, 45, 46, 47, 48, 49, 50)
def test_rolling_quality_has_sparks_bits(seed: int, spark: Any) -> None:
    table = value_table(Random(seed), flavours=FLAVOURS, ties=False)
    theirs, plan = spark_rolling(spark, table)
    assert "specifiedwindowframe(RangeFrame, unboundedpreceding$(), currentrow$())" in plan
    assert re.search(r"timestamp#\d+ ASC NULLS FIRST", plan)
    assert_same(by_id(table), theirs, what=f"rolling quality, seed {seed}")
    if seed != REACHING_SEED:
        return
    values = kinds_of(table.sort_by("id"), "temperature")
    averages, deviations = kinds_of(theirs, "temperature_avg"), kinds_of(theirs, "temperature_std")
    assert np.any((values == "null") & (averages == "number")), "item 45"
    assert np.any(averages == "null"), "item 47"
    assert np.any((values == "-0.0") & (averages == "0.0")), "item 47"
    assert not np.any(averages == "-0.0"), "item 47"
    assert np.any((averages == "number") & (deviations == "null")), "item 48"
    assert np.any((averages == "+Infinity") & (deviations == "NaN")), "item 50"
    assert {"0.0", "number"} <= set(deviations)
    assert set(theirs["quality_score"].to_pylist()) == {0.4, 0.6, 0.8, 1.0}


@rounds(1)
@example(seed=REACHING_SEED)
@given(seed=seeds)
@pytest.mark.semantics(41, 42, 43, 51)
def test_peers_are_summed_in_canonical_order_and_share_sparks_value(seed: int, spark: Any) -> None:
    table = value_table(Random(seed), flavours=TAME_FLAVOURS, ties=True)
    ours = by_id(table)
    theirs, _ = spark_rolling(spark, table)
    assert_same(ours, with_score_of(ours, theirs), **NEAR, what=f"with ties, seed {seed}")
    canonical = spark_rolling_in_canonical_order(spark, table)
    assert_same(ours, canonical, what=f"in canonical order, seed {seed}")
    if seed != REACHING_SEED:
        return
    peers: dict[Any, list[str]] = {}
    rows = zip(
        *(table.sort_by("id")[name].to_pylist() for name in ("build_id", "layer", "timestamp")),
        theirs["temperature_avg"].to_pylist(),
        strict=True,
    )
    for build_id, layer, timestamp, average in rows:
        peers.setdefault((build_id, layer, repr(timestamp)), []).append(repr(average))
        if timestamp == 0.0:
            peers.setdefault((build_id, layer, "any zero"), []).append(repr(average))
    assert all(len(set(averages)) == 1 for averages in peers.values()), "item 41"
    shared = {key[2] for key, averages in peers.items() if len(averages) > 1}
    assert {"None", "nan", "inf", "0.0", "-0.0", "any zero"} <= shared, "items 42, 43"


def with_score_of(ours: pa.Table, theirs: pa.Table) -> pa.Table:
    """Where rounding may carry a deviation over a bound of the score, the score is not compared."""
    std = np.asarray(theirs["temperature_std"].combine_chunks().fill_null(0.0))
    at_bound = np.min(np.abs(std[:, None] - [10.0, 20.0, 30.0]), axis=1, initial=np.inf) < 1e-6
    assert at_bound.mean() < 0.05
    score = np.where(at_bound, ours["quality_score"], theirs["quality_score"])
    place = theirs.column_names.index("quality_score")
    return theirs.set_column(place, "quality_score", pa.array(score))


def test_the_values_of_every_kind_are_generated() -> None:
    tables = [value_table(Random(seed), flavours=FLAVOURS, ties=True) for seed in range(3)]
    assert_every_kind(pa.concat_tables(tables))
    for table in tables:
        assert set(table["flavour"].to_pylist()) == set(FLAVOURS)
        peers = table.group_by(["build_id", "layer", "timestamp"]).aggregate([("id", "count")])
        assert peers.num_rows < table.num_rows * 0.8


def test_without_ties_no_two_records_of_a_layer_are_peers() -> None:
    for seed in [16838, *range(40)]:  # 16838 once had two zeros in one layer
        table = value_table(Random(seed), flavours=FLAVOURS, ties=False)
        time = pc.add(table["timestamp"], 0.0)  # makes one zero of both
        keys = [*table.select(["build_id", "layer"]).columns, time]
        rows = pa.table(keys, names=["build_id", "layer", "time"])
        assert rows.group_by(rows.column_names).aggregate([]).num_rows == rows.num_rows, seed


# -- layers ------------------------------------------------------------------------------------


@rounds(1)
@given(seed=seeds)
@pytest.mark.semantics(44, 52, 55, 56)
def test_layer_summaries_are_sparks_groups(seed: int, spark: Any) -> None:
    table = value_table(Random(seed), flavours=TAME_FLAVOURS, ties=True)
    theirs, by_type = spark_summaries(spark, table, ANOMALY_SQL)
    ours = layer_summaries(table, judge(table, DEFAULT_PROFILE), DEFAULT_PROFILE)
    same_keys = ours.select(["build_id", "layer"])
    assert_same(same_keys, theirs.select(same_keys.column_names), what="keys and their order")
    assert_same(
        ours.select(theirs.column_names),
        with_score_of(ours, theirs),
        **NEAR,
        what=f"layers, seed {seed}",
    )
    for row in ours.select(["build_id", "layer", "anomalies", "anomalies_by_type"]).to_pylist():
        wanted = by_type.get((row["build_id"], row["layer"]), {})
        assert json.loads(row["anomalies_by_type"]) == wanted
        assert row["anomalies"] == sum(wanted.values())


@pytest.mark.semantics(42, 43, 55, 56)
def test_timestamps_group_and_sort_as_in_spark(spark: Any) -> None:
    column = pa.array([*SPECIALS, *SPECIALS], pa.float64())
    key = event_order_key(np.asarray(column.fill_null(0.0)), np.asarray(column.is_valid()))
    with view(spark, pa.table({"t": column})):
        grouped = from_spark(
            spark.sql("SELECT t, count(*) AS n FROM records GROUP BY t ORDER BY t ASC")
        )
        descending = from_spark(spark.sql("SELECT DISTINCT t FROM records ORDER BY t DESC"))
    _, counts = np.unique(key, return_counts=True)
    assert grouped["n"].to_pylist() == counts.tolist()
    sorted_column = column.take(pa.array(np.argsort(key, kind="stable")))
    # 0.0 is added because it is not defined which of the two zeros stands for both
    distinct = pc.add(sorted_column.take(pa.array(np.cumsum(counts) - counts)), 0.0)
    assert_same(pa.table({"t": distinct}), pa.table({"t": pc.add(grouped["t"], 0.0)}))
    assert_same(pa.table({"t": distinct[::-1]}), pa.table({"t": pc.add(descending["t"], 0.0)}))


# -- what the list says, in a word each --------------------------------------------------------


@pytest.mark.semantics(44, 48)
def test_void_records_are_a_layer_of_their_own(spark: Any) -> None:
    """What from_json makes of void records, rolled: no keys, no values, score 0.4."""
    table = value_table(Random(1), flavours={"tame": FLAVOURS["tame"]}, ties=False, large=5)
    nothing = pa.Table.from_pylist(
        [{"id": 10**6 + n, "topic": "t", "partition": 0, "offset": n} for n in range(3)],
        schema=table.schema,
    )
    known_keys = pc.is_valid(table["build_id"])
    table = pa.concat_tables([table.filter(known_keys), nothing])
    theirs, _ = spark_rolling(spark, table)
    assert_same(by_id(table), theirs)
    (first, *others) = theirs.slice(theirs.num_rows - 3).to_pylist()
    assert all({**other, "id": first["id"]} == first for other in others)
    assert first == {**dict.fromkeys(COMPUTED), "id": 10**6, "quality_score": 0.4}
