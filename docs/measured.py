"""The tables of ``docs/benchmarks.md``, from what ``make bench`` wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["RESULTS", "conditions", "measured_rows"]

RESULTS: Final = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
_UNITS: Final = {
    "m_rows_per_s": "M rows/s",
    "k_rows_per_s": "k rows/s",
    "m_vectors_per_s": "M vectors/s",
    "m_records_per_s": "M records/s",
    "k_records_per_s": "k records/s",
    "k_values_per_s": "k values/s",
    "mb_per_s": "MB/s",
    "requests_per_s": "requests/s",
    "frames_per_s": "frames/s",
}


def measured_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Rows of a file of results: workload, our rate, the peers' rates, ours as a multiple."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for workload, entry in found.items():
        unit = next((unit for unit in _UNITS if isinstance(entry, dict) and unit in entry), None)
        if unit is None or not isinstance(entry[unit], int | float):
            continue
        peers = {who: rates for who, rates in entry.items() if isinstance(rates, dict)}
        yield (
            workload,
            f"{entry[unit]} {_UNITS[unit]}",
            "<br>".join(f"{who}: {rates[unit]}" for who, rates in peers.items()),
            "<br>".join(
                f"**{rates['ratio']}** ({rates['ratio_min']} to {rates['ratio_max']})"
                for rates in peers.values()
            ),
        )


def conditions(path: Path) -> str:
    """What the figures of a file were measured with."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    facts = {key: value for key, value in found.items() if isinstance(value, int | float | str)}
    cores, load = facts.pop("cores"), facts.pop("load_average_1_min")
    versions = ", ".join(
        f"{name} {value}" for name, value in facts.items() if isinstance(value, str)
    )
    return f"{cores} cores, load {load} before it began; {versions}."
