"""Kernels against other ways to the same answer, side by side, and how their cost grows.

Run with ``python -m pytest benchmarks/test_kernels.py -s``. Every comparison first checks that the
answers agree, then times the two in turn; the ratio is the figure, absolute rates are context. A
slow machine fails nothing here: results go to ``benchmarks/results/kernels.json``.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from benchmarks.subjects import RULES, SUBJECTS, KernelSubject, Rows, make_rows, subject

from pbf_ray.contracts import CHANNELS

ROUNDS = 7
ROWS = 1_000_000
EPOCH_ROWS = 50_000


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {
        "rows": ROWS,
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "polars": pl.__version__,
    }
    yield found
    path = Path(__file__).parent / "results" / "kernels.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(
    results: dict[str, Any],
    name: str,
    rows: int,
    ours: Callable[[], Any],
    peers: dict[str, Callable[[], Any]],
) -> None:
    """Time ours and the peers in turn, so that a busy moment hits them alike."""
    for call in (ours, *peers.values()):
        call()
    times: dict[str, list[float]] = {who: [] for who in ("ours", *peers)}
    for _ in range(ROUNDS):
        for who, call in {"ours": ours, **peers}.items():
            times[who].append(seconds(call))
    entry: dict[str, Any] = {
        "m_rows_per_s": round(rows / statistics.median(times["ours"]) / 1e6, 1)
    }
    for who in peers:
        ratios = [peer / our for peer, our in zip(times[who], times["ours"], strict=True)]
        entry[who] = {
            "m_rows_per_s": round(rows / statistics.median(times[who]) / 1e6, 2),
            "ratio": round(statistics.median(ratios), 1),
            "ratio_min": round(min(ratios), 1),
            "ratio_max": round(max(ratios), 1),
        }
    results[name] = entry
    print(f"\n{name}: {json.dumps(entry)}")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return make_rows(np.random.default_rng(1), ROWS)


# --- rolling quality: rows sorted by group and time, as the kernel takes them. The peers use running
# sums of x and x*x, which is cheaper than what is asked for (item 49) and loses digits.


def _pandas(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    groups = frame["group"]
    x = frame[list(CHANNELS)]
    n = (groups.groupby(groups).cumcount() + 1).to_numpy()[:, np.newaxis]
    total = x.groupby(groups).cumsum()
    square = (x * x).groupby(groups).cumsum()
    avg = total / n
    with np.errstate(all="ignore"):
        return avg, ((square - total * avg) / (n - 1)) ** 0.5


def _polars(frame: pl.DataFrame) -> pl.DataFrame:
    n = pl.int_range(1, pl.len() + 1).over("group")
    expressions = []
    for name in CHANNELS:
        total = pl.col(name).cum_sum().over("group")
        square = (pl.col(name) * pl.col(name)).cum_sum().over("group")
        expressions.append((total / n).alias(f"{name}_avg"))
        expressions.append(((square - total * total / n) / (n - 1)).sqrt().alias(f"{name}_std"))
    return frame.select(expressions)


def _numpy(values: np.ndarray, group_start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    avg, std = np.empty_like(values), np.empty_like(values)
    with np.errstate(all="ignore"):
        for start, end in zip(group_start[:-1], group_start[1:], strict=True):
            x = values[:, start:end]
            n = np.arange(1, end - start + 1)
            total = np.cumsum(x, axis=1)
            avg[:, start:end] = total / n
            square = np.cumsum(x * x, axis=1)
            std[:, start:end] = np.sqrt((square - total * total / n) / (n - 1))
    return avg, std


@pytest.mark.parametrize("n", [ROWS, EPOCH_ROWS])
def test_rolling_quality(n: int, rows: Rows, results: dict[str, Any]) -> None:
    if n != ROWS:
        rows = make_rows(np.random.default_rng(2), n)
    rolling = subject("rolling_update")
    arguments = rolling.prepare(rows)
    _, group_start, values, _ = arguments
    group = np.repeat(np.arange(group_start.size - 1), np.diff(group_start))
    columns = {"group": group, **dict(zip(CHANNELS, values, strict=True))}
    pandas_frame, polars_frame = pd.DataFrame(columns), pl.DataFrame(columns)
    ours = rolling.kernel(*arguments)
    compared = np.concatenate([np.arange(a + 10, b) for a, b in zip(group_start, group_start[1:])])
    pandas_avg, pandas_std = _pandas(pandas_frame)
    polars_result = _polars(polars_frame)
    numpy_avg, numpy_std = _numpy(values, group_start)
    for c, name in enumerate(CHANNELS):
        for avg, std in (
            (pandas_avg[name].to_numpy(), pandas_std[name].to_numpy()),
            (polars_result[f"{name}_avg"].to_numpy(), polars_result[f"{name}_std"].to_numpy()),
            (numpy_avg[c], numpy_std[c]),
        ):
            np.testing.assert_allclose(avg[compared], ours.avg[c][compared], rtol=1e-9)
            np.testing.assert_allclose(std[compared], ours.std[c][compared], rtol=1e-6)
    compare(
        results,
        f"rolling_update, {n} rows, 4 channels, 400 groups",
        n,
        lambda: rolling.kernel(*arguments),
        {
            "pandas": lambda: _pandas(pandas_frame),
            "polars": lambda: _polars(polars_frame),
            "numpy": lambda: _numpy(values, group_start),
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
        ROWS,
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
        ROWS,
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
        ROWS,
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
