"""Side by side: ours and the peers in turn, ratios of medians, results as JSON.

A slow machine fails nothing: answers are asserted by the benchmarks, times are only written down.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["compare", "recorded", "seconds"]


@contextmanager
def recorded(name: str, packages: tuple[str, ...], **facts: Any) -> Iterator[dict[str, Any]]:
    """Results of a module, written to ``benchmarks/results/<name>.json`` at its end."""
    found: dict[str, Any] = {
        **facts,
        "cores": os.cpu_count(),
        "load_average_1_min": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        **{package: version(package) for package in packages},
    }
    yield found
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call, or the seconds that it says itself took (a float)."""
    start = time.perf_counter()
    said = call()
    return said if isinstance(said, float) else time.perf_counter() - start


def compare(
    results: dict[str, Any],
    name: str,
    amount: float,
    ours: Callable[[], Any],
    peers: dict[str, Callable[[], Any]],
    *,
    unit: str = "m_rows_per_s",
    rounds: int = 7,
) -> None:
    """Time ours and the peers in turn, so that a busy moment hits them alike.

    Args:
        results: Where the figures go, under ``name``.
        name: The workload.
        amount: How much of it a call does; with the time it gives the rate in ``unit``.
        ours: Our way.
        peers: Other ways to the same answer; a peer that returns a float tells its own seconds.
        unit: Name of the rate.
        rounds: How often each is called.
    """
    for call in (ours, *peers.values()):
        call()
    times: dict[str, list[float]] = {who: [] for who in ("ours", *peers)}
    for _ in range(rounds):
        for who, call in {"ours": ours, **peers}.items():
            times[who].append(seconds(call))
    entry: dict[str, Any] = {unit: round(amount / statistics.median(times["ours"]), 1)}
    entry[f"{unit}_best"] = round(amount / min(times["ours"]), 1)
    for who in peers:
        ratios = [peer / our for peer, our in zip(times[who], times["ours"], strict=True)]
        entry[who] = {
            unit: round(amount / statistics.median(times[who]), 2),
            "ratio": round(statistics.median(ratios), 1),
            "ratio_min": round(min(ratios), 1),
            "ratio_max": round(max(ratios), 1),
        }
    results[name] = entry
    print(f"\n{name}: {json.dumps(entry)}")
