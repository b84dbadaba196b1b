"""Kernels against other ways to the same answer, side by side, and how their cost grows.

Run with ``python -m pytest benchmarks/test_kernels.py -s``. Every comparison first checks that the
answers agree, then times the two in turn; the ratio is the figure, absolute rates are context. A
slow machine fails nothing here: results go to ``benchmarks/results/kernels.json``.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from benchmarks.comparison import compare, recorded, seconds
from benchmarks.subjects import RULES, SUBJECTS, KernelSubject, Rows, make_rows, subject

from pbf_ray.contracts import CHANNELS

ROUNDS = 7
ROWS = 1_000_000
EPOCH_ROWS = 50_000


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    with recorded("kernels", ("numpy", "pandas", "polars"), rows=ROWS) as found:
        yield found


@pytest.fixture(scope="module")
def rows() -> Rows:
    return make_rows(np.random.default_rng(1), ROWS)


# --- rolling quality: rows sorted by group and time, as the kernel takes them, with nulls and with
# peers. The peers' running sums of x and x*x are cheaper than the update that is asked for
# (semantics.md, item 49), and lose digits: they agree to 1e-6, not to the bit.


def _pandas(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    groups = frame["group"]
    x = frame[list(CHANNELS)]
    filled = x.fillna(0.0)
    n = x.notna().groupby(groups).cumsum()
    total = filled.groupby(groups).cumsum()
    square = (filled * filled).groupby(groups).cumsum()
    key = frame["key"]
    last = (key != key.shift(-1)) | (groups != groups.shift(-1))
    n, total, square = (part.where(last, axis=0).bfill() for part in (n, total, square))
    avg = total / n
    std = ((square - total * avg) / (n - 1)) ** 0.5
    return avg.where(n > 0), std.where(n > 1)


def _polars(frame: pl.DataFrame) -> pl.DataFrame:
    key, group = pl.col("key"), pl.col("group")
    last = ((key != key.shift(-1)) | (group != group.shift(-1))).fill_null(value=True)

    def running(values: pl.Expr) -> pl.Expr:
        return pl.when(last).then(values.cum_sum().over("group")).backward_fill()

    sums = frame.select(
        *[running(pl.col(c).is_not_null().cast(pl.Float64)).alias(f"{c}_n") for c in CHANNELS],
        *[running(pl.col(c).fill_null(0.0)).alias(f"{c}_total") for c in CHANNELS],
        *[running((pl.col(c) * pl.col(c)).fill_null(0.0)).alias(f"{c}_square") for c in CHANNELS],
    )
    expressions = []
    for name in CHANNELS:
        n, total, square = (pl.col(f"{name}_{part}") for part in ("n", "total", "square"))
        expressions.append(pl.when(n > 0).then(total / n).alias(f"{name}_avg"))
        std = ((square - total * total / n) / (n - 1)).sqrt()
        expressions.append(pl.when(n > 1).then(std).alias(f"{name}_std"))
    return sums.select(expressions)


def _numpy(
    key: np.ndarray, group_start: np.ndarray, values: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    avg, std = np.empty_like(values), np.empty_like(values)
    filled = np.where(valid, values, 0.0)
    with np.errstate(all="ignore"):
        for start, end in itertools.pairwise(group_start.tolist()):
            last = np.searchsorted(key[start:end], key[start:end], side="right") - 1
            x = filled[:, start:end]
            n = np.cumsum(valid[:, start:end], axis=1)[:, last]
            total = np.cumsum(x, axis=1)[:, last]
            square = np.cumsum(x * x, axis=1)[:, last]
            avg[:, start:end] = np.where(n > 0, total / n, np.nan)
            std[:, start:end] = np.where(
                n > 1, np.sqrt((square - total * total / n) / (n - 1)), np.nan
            )
    return avg, std


@pytest.mark.parametrize("n", [ROWS, EPOCH_ROWS])
def test_rolling_quality(n: int, results: dict[str, Any]) -> None:
    rows = make_rows(np.random.default_rng(2), n, nulls=0.05)
    # Some rows of one layer share a timestamp.
    rows.timestamp[:] = np.floor(rows.timestamp * (n / 86400.0 / 100.0))
    rolling = subject("rolling_update")
    arguments = rolling.prepare(rows)
    key, group_start, values, valid = arguments
    group = np.repeat(np.arange(group_start.size - 1), np.diff(group_start))
    with_nan = np.where(valid, values, np.nan)
    pandas_frame = pd.DataFrame(
        {"group": group, "key": key, **dict(zip(CHANNELS, with_nan, strict=True))}
    )
    polars_frame = pl.DataFrame(
        {"group": group, "key": key, **dict(zip(CHANNELS, with_nan, strict=True))}
    ).with_columns(pl.col(CHANNELS).fill_nan(None))
    ours = rolling.kernel(*arguments)
    assert np.count_nonzero(key[1:] == key[:-1]) > n // 1000
    pandas_avg, pandas_std = _pandas(pandas_frame)
    polars_result = _polars(polars_frame)
    numpy_avg, numpy_std = _numpy(*arguments)
    for c, name in enumerate(CHANNELS):
        our_avg = np.where(ours.avg_valid[c], ours.avg[c], np.nan)
        our_std = np.where(ours.std_valid[c], ours.std[c], np.nan)
        scale = np.nanmax(our_std)
        for avg, std in (
            (pandas_avg[name].to_numpy(), pandas_std[name].to_numpy()),
            (polars_result[f"{name}_avg"].to_numpy(), polars_result[f"{name}_std"].to_numpy()),
            (numpy_avg[c], numpy_std[c]),
        ):
            np.testing.assert_allclose(avg, our_avg, rtol=1e-9)
            np.testing.assert_allclose(std, our_std, rtol=1e-6, atol=1e-6 * scale)
    compare(
        results,
        f"rolling_update, {n} rows, 4 channels, 400 groups",
        n / 1e6,
        lambda: rolling.kernel(*arguments),
        {
            "pandas": lambda: _pandas(pandas_frame),
            "polars": lambda: _polars(polars_frame),
            "numpy": lambda: _numpy(*arguments),
        },
    )


def test_first_match(rows: Rows, results: dict[str, Any]) -> None:
    first_match = subject("first_match")
    arguments = first_match.prepare(rows)
    comparisons = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}

    def with_numpy() -> np.ndarray:
        return np.select(
            [comparisons[op](rows.values[c], t) & rows.valid[c] for c, op, t in RULES],
            [np.int16(i) for i in range(len(RULES))],
            np.int16(-1),
        )

    frame = pl.DataFrame(dict(zip(CHANNELS, rows.values, strict=True)))
    chain: Any = pl
    for index, (c, op, t) in enumerate(RULES):
        x = pl.col(CHANNELS[c])
        condition = {">": x > t, ">=": x >= t, "<": x < t, "<=": x <= t}[op]
        chain = chain.when(condition).then(pl.lit(index, pl.Int16))
    expression = chain.otherwise(pl.lit(-1, pl.Int16)).alias("code")

    ours = first_match.kernel(*arguments)
    np.testing.assert_array_equal(ours, with_numpy())
    np.testing.assert_array_equal(ours, frame.select(expression)["code"].to_numpy())
    compare(
        results,
        "first_match, 6 rules",
        ROWS / 1e6,
        lambda: first_match.kernel(*arguments),
        {"numpy": with_numpy, "polars": lambda: frame.select(expression)},
    )


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_canonical_order(shuffled: bool, rows: Rows, results: dict[str, Any]) -> None:
    canonical_order = subject("canonical_order")
    codes, groups, key = canonical_order.prepare(rows)
    if shuffled:
        key = np.random.default_rng(3).permutation(key)
    ours, _ = canonical_order.kernel(codes, groups, key)
    np.testing.assert_array_equal(ours, np.lexsort((key, codes)))
    compare(
        results,
        f"canonical_order, rows {'shuffled' if shuffled else 'in order of time'}",
        ROWS / 1e6,
        lambda: canonical_order.kernel(codes, groups, key),
        {"numpy": lambda: np.lexsort((key, codes))},
    )


def test_group_rows(rows: Rows, results: dict[str, Any]) -> None:
    group_rows = subject("group_rows")
    build_id, layer = group_rows.prepare(rows)
    frame = pd.DataFrame({"build_id": build_id.to_pandas(), "layer": layer.to_numpy()})

    def with_pandas() -> np.ndarray:
        return frame.groupby(["build_id", "layer"], sort=False, dropna=False).ngroup().to_numpy()

    codes, _ = group_rows.kernel(build_id, layer)
    np.testing.assert_array_equal(codes, with_pandas())
    compare(
        results,
        "group_rows, 8 builds x 50 layers",
        ROWS / 1e6,
        lambda: group_rows.kernel(build_id, layer),
        {"pandas": with_pandas},
    )


@pytest.mark.parametrize("growing", SUBJECTS, ids=lambda s: s.name)
def test_growth(growing: KernelSubject, results: dict[str, Any]) -> None:
    """Rate at 1x, 4x and 16x of the rows; the exponent of the cost (1 is linear) is the figure."""
    medians = []
    for n in (EPOCH_ROWS, 4 * EPOCH_ROWS, 16 * EPOCH_ROWS):
        arguments = growing.prepare(make_rows(np.random.default_rng(n), n, nulls=0.05))
        growing.kernel(*arguments)
        medians.append(
            statistics.median(
                seconds(lambda arguments=arguments: growing.kernel(*arguments))
                for _ in range(ROUNDS)
            )
        )
    results.setdefault("growth", {})[growing.name] = {
        "m_rows_per_s": [
            round(n * EPOCH_ROWS / s / 1e6, 1) for n, s in zip((1, 4, 16), medians, strict=True)
        ],
        "exponent": round(math.log(medians[2] / medians[0], 16), 2),
    }
    print(f"\n{growing.name}: {json.dumps(results['growth'][growing.name])}")
