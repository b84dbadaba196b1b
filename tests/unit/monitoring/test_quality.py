import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import CHANNELS, LAYER_QUALITY, QUALITY_METRICS
from pbf_ray.kernels.rolling_reference import quality_score, rolling
from pbf_ray.monitoring.judge import judge, name_anomalies
from pbf_ray.monitoring.quality import layer_summaries, rolling_quality
from pbf_ray.monitoring.rules import DEFAULT_PROFILE

# Recorded results of PySpark; the file says how they were made.
SPARK = json.loads(Path(__file__).with_name("spark_rolling.json").read_text(encoding="utf-8"))
TYPES = {
    "partition": pa.int32(),
    "offset": pa.int64(),
    "timestamp": pa.float64(),
    **dict.fromkeys(CHANNELS, pa.float64()),
    "build_id": pa.string(),
    "layer": pa.int32(),
}
INTEGERS = {"n", "offset", "layer", "partition", *(f"{name}_n" for name in CHANNELS)}
COMPUTED = [*(f"{name}_{statistic}" for name in CHANNELS for statistic in ("avg", "std"))]


def recorded(name: str, part: str) -> dict[str, list[Any]]:
    return {
        column: [float.fromhex(v) if isinstance(v, str) and column in FLOATS else v for v in values]
        for column, values in SPARK[name][part].items()
    }


FLOATS = {
    "timestamp",
    "first_timestamp",
    "last_timestamp",
    "quality_score",
    *CHANNELS,
    *(f"{name}_{s}" for name in CHANNELS for s in ("avg", "std", "min", "max")),
}


def spark_input(name: str) -> pa.Table:
    records = recorded(name, "records")
    return pa.table({column: pa.array(records[column], kind) for column, kind in TYPES.items()})


def same(a: float | None, b: float | None, *, rel: float = 0.0) -> bool:
    """Null and NaN only equal themselves; rel 0: the same bits."""
    if a is None or b is None:
        return a is b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if rel == 0.0:
        return a.hex() == b.hex()
    return math.isclose(a, b, rel_tol=rel, abs_tol=1e-12)


# --- against PySpark


def test_items_40_to_50_rolling_quality_has_sparks_bits() -> None:
    expected = recorded("unique", "records")
    found = rolling_quality(spark_input("unique")).sort_by("offset").to_pydict()
    assert found["offset"] == expected["offset"]
    for column in [*COMPUTED, "quality_score"]:
        assert all(map(same, found[column], expected[column])), column


def test_item_51_with_ties_rolling_quality_is_sparks_to_rounding() -> None:
    expected = recorded("ties", "records")
    found = rolling_quality(spark_input("ties")).sort_by("offset").to_pydict()
    for column in [*COMPUTED, "quality_score"]:
        pairs = zip(found[column], expected[column], strict=True)
        assert all(same(a, b, rel=1e-9) for a, b in pairs), column


@pytest.mark.parametrize("name", ["unique", "ties"])
def test_items_34_to_38_anomalies_are_sparks(name: str) -> None:
    expected = recorded(name, "records")
    codes = judge(spark_input(name), DEFAULT_PROFILE)
    types, severities = name_anomalies(codes, DEFAULT_PROFILE)
    assert types.to_pylist() == expected["anomaly_type"]
    assert severities.fill_null("info").to_pylist() == expected["severity"]
    assert [x is True for x in expected["is_anomaly"]] == (codes >= 0).tolist()


@pytest.mark.parametrize("name", ["unique", "ties"])
def test_items_52_55_layer_summaries_are_sparks_groups(name: str) -> None:
    expected = recorded(name, "layers")
    table = spark_input(name)
    found = layer_summaries(table, judge(table, DEFAULT_PROFILE), DEFAULT_PROFILE).to_pydict()
    key = list(zip(found["build_id"], found["layer"], strict=True))
    order = [key.index(k) for k in zip(expected["build_id"], expected["layer"], strict=True)]
    assert sorted(order) == list(range(len(key)))
    for column in expected:
        ours = [found[column][i] for i in order]
        if column in INTEGERS or column == "build_id":
            assert ours == expected[column], column
        else:  # groupBy merges partial results, so avg and std are only close
            rel = 1e-9 if column.endswith(("_avg", "_std")) else 0.0
            pairs = zip(ours, expected[column], strict=True)
            assert all(same(a, b, rel=rel) for a, b in pairs), column


# --- against the reference, on any rows


NUMBERS = st.none() | st.sampled_from([0.0, -0.0, 1700.0, 0.9]) | st.floats(1400.0, 1800.0)
WILD = NUMBERS | st.sampled_from([math.nan, math.inf, -math.inf, 5e-324, 1e308])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(0, 25))

    def column(values: st.SearchStrategy[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(draw(st.lists(values, min_size=n, max_size=n)), kind)

    times = st.none() | st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan, math.inf, -math.inf])
    return pa.table(
        {
            "topic": column(st.sampled_from(["b", "a", "ä"]), pa.string()),
            "partition": column(st.integers(0, 2), pa.int32()),
            "offset": pa.array(draw(st.permutations(range(n))), pa.int64()),
            "timestamp": column(times | st.floats(1.6e9, 1.7e9), pa.float64()),
            **{name: column(WILD, pa.float64()) for name in CHANNELS},
            "build_id": column(st.sampled_from([None, "", "b"]), pa.string()),
            "layer": column(st.sampled_from([None, -1, 2]), pa.int32()),
        }
    )


def in_position_order(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(
        table.to_pylist(), key=lambda row: (row["topic"], row["partition"], row["offset"])
    )


def as_reference_rows(rows: list[dict[str, Any]]) -> list[Any]:
    return [
        ((row["build_id"], row["layer"]), row["timestamp"], [row[name] for name in CHANNELS])
        for row in rows
    ]


@settings(max_examples=120, deadline=None)
@given(tables(), st.data())
def test_rolling_quality_is_the_reference_whatever_the_order_of_rows(
    table: pa.Table, data: st.DataObject
) -> None:
    rows = in_position_order(table)
    expected = {
        row["offset"]: statistics
        for row, statistics in zip(rows, rolling(as_reference_rows(rows)), strict=True)
    }
    shuffled = table.take(pa.array(data.draw(st.permutations(range(table.num_rows))), pa.int64()))
    cut = data.draw(st.integers(0, table.num_rows))
    result = rolling_quality(pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)]))
    assert result.num_rows == table.num_rows
    for row in result.to_pylist():
        for name, statistics in zip(CHANNELS, expected[row["offset"]], strict=True):
            assert same(row[f"{name}_avg"], statistics.avg)
            assert same(row[f"{name}_std"], statistics.std)
        assert row["quality_score"] == quality_score(row["temperature_std"])


def _rank(value: float | str | None) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (2, 0) if value != value else (1, value)


@settings(max_examples=100, deadline=None)
@given(tables())
def test_result_stands_in_canonical_order(table: pa.Table) -> None:
    keys = [
        (
            _rank(row["build_id"]),
            _rank(row["layer"]),
            _rank(row["timestamp"]),
            row["topic"],
            row["partition"],
            row["offset"],
        )
        for row in rolling_quality(table).to_pylist()
    ]
    assert keys == sorted(keys)


@settings(max_examples=120, deadline=None)
@given(tables())
def test_layer_summary_is_the_reference_after_the_last_row(table: pa.Table) -> None:
    codes = judge(table, DEFAULT_PROFILE)
    table = table.append_column("code", pa.array(codes))
    rows = in_position_order(table)
    last = {}
    statistics = rolling(as_reference_rows(rows))
    for i in sorted(range(len(rows)), key=lambda i: _rank(rows[i]["timestamp"])):
        last[rows[i]["build_id"], rows[i]["layer"]] = statistics[i]
    summaries = layer_summaries(table, codes, DEFAULT_PROFILE).to_pylist()
    found = [(row["build_id"], row["layer"]) for row in summaries]
    assert found == sorted(last, key=lambda key: (_rank(key[0]), _rank(key[1])))
    for row in summaries:
        members = [
            r for r in rows if (r["build_id"], r["layer"]) == (row["build_id"], row["layer"])
        ]
        assert row["n"] == len(members)
        times = sorted((r["timestamp"] for r in members if r["timestamp"] is not None), key=_rank)
        assert _rank(row["first_timestamp"]) == _rank(times[0] if times else None)
        assert _rank(row["last_timestamp"]) == _rank(times[-1] if times else None)
        for name, expected in zip(CHANNELS, last[row["build_id"], row["layer"]], strict=True):
            assert row[f"{name}_n"] == expected.n
            assert same(row[f"{name}_avg"], expected.avg)
            assert same(row[f"{name}_std"], expected.std)
            assert same(row[f"{name}_min"], expected.minimum)
            assert same(row[f"{name}_max"], expected.maximum)
        assert row["quality_score"] == quality_score(row["temperature_std"])
        kinds = Counter(
            DEFAULT_PROFILE.rules[r["code"]].anomaly_type for r in members if r["code"] >= 0
        )
        assert row["anomalies"] == kinds.total()
        assert row["anomalies_by_type"] == json.dumps(
            dict(sorted(kinds.items())), separators=(",", ":")
        )


# --- form


def plain(**columns: list[Any]) -> pa.Table:
    n = len(columns["timestamp"])
    defaults = {"build_id": ["b"] * n, "layer": [1] * n, **{name: [1.0] * n for name in CHANNELS}}
    types = {name: TYPES[name] for name in (*defaults, "timestamp")}
    return pa.table(
        {name: pa.array({**defaults, **columns}[name], kind) for name, kind in types.items()}
    )


def test_columns_are_those_of_the_contracts() -> None:
    table = spark_input("unique")
    result = rolling_quality(table)
    assert result.column_names[: table.num_columns] == table.column_names
    for name in result.column_names[table.num_columns :]:
        assert result.schema.field(name).equals(
            QUALITY_METRICS.schema.field(name), check_metadata=True
        )
    summaries = layer_summaries(table, judge(table, DEFAULT_PROFILE), DEFAULT_PROFILE)
    names = LAYER_QUALITY.schema.names
    wanted = names[names.index("build_id") : names.index("revision")]
    assert summaries.schema.equals(
        pa.schema([LAYER_QUALITY.schema.field(name) for name in wanted]), check_metadata=True
    )
    summaries.validate(full=True)
    result.validate(full=True)


def test_without_positions_the_order_of_rows_orders_peers() -> None:
    table = plain(timestamp=[1.0, 0.0, 1.0], temperature=[1e16, 1.0, 1.0])
    assert rolling_quality(table).column("temperature_avg").to_pylist() == [
        1.0,
        1e16 / 3,
        1e16 / 3,
    ]
    back = table.take([2, 1, 0])
    assert rolling_quality(back).column("temperature_avg").to_pylist()[-1] == (1e16 + 2) / 3


def test_item_44_malformed_rows_are_a_group_with_null_results() -> None:
    nothing = plain(
        timestamp=[None, None],
        build_id=[None, None],
        layer=[None, None],
        **{name: [None, None] for name in CHANNELS},
    )
    for row in rolling_quality(nothing).to_pylist():
        assert all(row[column] is None for column in COMPUTED)
        assert row["quality_score"] == 0.4
    (summary,) = layer_summaries(
        nothing, judge(nothing, DEFAULT_PROFILE), DEFAULT_PROFILE
    ).to_pylist()
    assert summary["n"] == 2
    assert summary["first_timestamp"] is None
    assert summary["temperature_min"] is None
    assert summary["anomalies_by_type"] == "{}"


def test_no_rows() -> None:
    empty = plain(timestamp=[])
    assert rolling_quality(empty).num_rows == 0
    assert layer_summaries(empty, np.empty(0, np.int16), DEFAULT_PROFILE).num_rows == 0


def test_codes_must_match_the_rows() -> None:
    with pytest.raises(ValueError, match=r"codes must be \[1\]"):
        layer_summaries(plain(timestamp=[1.0]), np.zeros(2, np.int16), DEFAULT_PROFILE)


def test_a_position_is_never_null() -> None:
    table = plain(timestamp=[1.0, 1.0]).append_column("offset", pa.array([1, None], pa.int64()))
    with pytest.raises(ValueError, match="column offset has nulls"):
        rolling_quality(table)
