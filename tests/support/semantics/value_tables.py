"""Tables of decoded records, with all that a nullable double can be.

Every group (build_id, layer) has a flavour, so that one NaN does not swallow all others. A table is
made from one seed; Hypothesis draws the seed.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

import pyarrow as pa

from pbf_ray.contracts import CHANNELS

__all__ = ["FLAVOURS", "TAME_FLAVOURS", "value_table"]

_BOUNDS: Final = (1700.0, 1500.0, 1.0, 0.9, 250.0, 150.0, 7.5, 1000.0)
"""Thresholds of the profiles that the tests use: they and their neighbours are drawn often."""
_MIDDLE: Final = {"temperature": 1600.0, "pressure": 0.95, "laser_power": 200.0, "scan_speed": 1.2}
_SPREADS: Final = (0.0, 1.0, 14.0, 25.0, 60.0)
_SPECIALS: Final = (math.nan, math.inf, -math.inf, -0.0, 0.0)


def _tame(rng: Random, middle: float, spread: float) -> float | None:
    return rng.gauss(middle, spread * middle / 1600.0)


def _tame_with_nulls(rng: Random, middle: float, spread: float) -> float | None:
    return None if rng.random() < 0.4 else _tame(rng, middle, spread)


def _nulls(rng: Random, middle: float, spread: float) -> float | None:
    return None if rng.random() < 0.95 else middle


def _constant(rng: Random, middle: float, spread: float) -> float | None:
    return middle + spread / 7


def _special(rng: Random, middle: float, spread: float) -> float | None:
    return rng.choice(_SPECIALS) if rng.random() < 0.1 else _tame(rng, middle, spread)


def _bounds(rng: Random, middle: float, spread: float) -> float | None:
    bound = rng.choice(_BOUNDS)
    return rng.choice([bound, math.nextafter(bound, 0), math.nextafter(bound, 9e9), None, math.nan])


def _zeros(rng: Random, middle: float, spread: float) -> float | None:
    return rng.choice([-0.0, -0.0, 0.0, None])


def _wide(rng: Random, middle: float, spread: float) -> float | None:
    return rng.choice([1, -1]) * 10.0 ** rng.uniform(-12, 9)


def _denormal(rng: Random, middle: float, spread: float) -> float | None:
    return rng.choice([1, -1]) * rng.getrandbits(rng.randrange(1, 53)) * 5e-324


def _huge(rng: Random, middle: float, spread: float) -> float | None:
    return rng.choice([1, -1]) * rng.uniform(0.1, 1.79) * 1e308


TAME_FLAVOURS: Final = {
    "tame": _tame,
    "tame with nulls": _tame_with_nulls,
    "nulls": _nulls,
    "constant": _constant,
    "special": _special,
    "bounds": _bounds,
    "zeros": _zeros,
}
"""Flavours of which the order of summing changes only last digits."""

FLAVOURS: Final = {**TAME_FLAVOURS, "wide": _wide, "denormal": _denormal, "huge": _huge}

_BUILDS: Final = (None, "", "B-1", "null", "\u00e9\U0001f600", " ")
_LAYERS: Final = (None, 0, 1, -1, 2**31 - 1, -(2**31))
_ODD_TIMES: Final = (None, math.nan, math.inf, -math.inf, 0.0, 5e-324, 1e300)


def value_table(
    rng: Random, *, flavours: dict[str, Any], ties: bool, large: int = 1200
) -> pa.Table:
    """Records of some 80 groups in random order, one of them of ``large`` records.

    Args:
        rng: Source of all choices.
        flavours: Some of ``FLAVOURS``.
        ties: Whether records of a group share timestamps.
        large: Records of the largest group.

    Returns:
        Columns ``id`` (of the record), ``topic``, ``partition``, ``offset``, ``build_id``,
        ``layer``, ``timestamp``, the channels, ``oxygen``, and ``flavour``.
    """
    rows: list[dict[str, Any]] = []
    keys = [(build, layer) for build in _BUILDS for layer in _LAYERS]
    keys += [(f"build {index}", rng.randrange(4)) for index in range(44)]
    sizes = [rng.choice([1, 1, 2, 3, 8, 30, 70]) for _ in keys]
    sizes[rng.randrange(len(keys))] = large
    for (build_id, layer), size in zip(keys, sizes, strict=True):
        flavour = rng.choice(list(flavours))
        spread = rng.choice(_SPREADS)
        for timestamp in _timestamps(rng, size, ties=ties):
            row: dict[str, Any] = {"build_id": build_id, "layer": layer, "timestamp": timestamp}
            for name, middle in _MIDDLE.items():
                row[name] = flavours[flavour](rng, middle, spread)
            row["oxygen"] = flavours[flavour](rng, 900.0, spread)
            row["flavour"] = flavour
            rows.append(row)
    rng.shuffle(rows)
    places = rng.sample(
        [
            (topic, partition, offset)
            for topic in ("ispm", "Ispm", "ispm-2")
            for partition in range(3)
            for offset in range(len(rows))
        ],
        len(rows),
    )
    for index, (row, place) in enumerate(zip(rows, places, strict=True)):
        row.update(zip(("topic", "partition", "offset"), place, strict=True), id=index)
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _timestamps(rng: Random, size: int, *, ties: bool) -> list[float | None]:
    # no step from these starts meets a zero, which would be a tie with the zero of the odd times
    start = rng.choice([1_700_000_000.0, 0.0, -5.125])
    if ties:
        pool = [start + rng.randrange(size // 3 + 1) * 0.5 for _ in range(size)]
        odd = [*_ODD_TIMES, -0.0]
        return [rng.choice(odd) if rng.random() < 0.2 else time for time in pool]
    steps = rng.sample(range(1, 20 * size + 20), size)
    times: list[float | None] = [start + 1e9 * (start == 0) + step * 0.25 for step in steps]
    if rng.random() < 0.5:
        odd = rng.sample(_ODD_TIMES, min(size, rng.randrange(1, len(_ODD_TIMES) + 1)))
        if rng.random() < 0.5:
            odd = [-0.0 if time == 0.0 else time for time in odd]
        times[: len(odd)] = odd
    return times


_SCHEMA: Final = pa.schema(
    [
        ("id", pa.int64()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("build_id", pa.string()),
        ("layer", pa.int32()),
        ("timestamp", pa.float64()),
        *[(name, pa.float64()) for name in CHANNELS],
        ("oxygen", pa.float64()),
        ("flavour", pa.string()),
    ]
)
