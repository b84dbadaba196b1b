"""Judging records that a client sends, by the kernels of the stream; small requests together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.monitoring.columns import column_values
from pbf_ray.monitoring.judge import judge, name_anomalies
from pbf_ray.monitoring.rules import RuleProfile

__all__ = ["MicroBatches", "score_records"]

_NO_EVENT_TIME: Final = "no_event_time"


def score_records(values: Sequence[bytes], profile: RuleProfile) -> list[dict[str, Any]]:
    """What becomes of records, as the stream decides it; nothing is stored.

    Lateness, repeats and the clock of an epoch are matters of a stream and play no part.

    Args:
        values: JSON texts of records.
        profile: The rules.

    Returns:
        Per record ``accepted``, and ``anomaly_type``, ``severity`` and ``flagged``, or else the
        ``reason`` and ``detail`` of a dead letter.
    """
    decoded = from_json(list(values), RECORD_SCHEMA, mode="dead_letter")
    results: list[dict[str, Any]] = [{} for _ in values]
    for row in decoded.rejects.to_pylist():
        results[row["index"]] = _rejected(row["reason"], row["detail"])
    types, severities = name_anomalies(judge(decoded.table, profile), profile)
    time, valid = column_values(decoded.table["timestamp"])
    placed = valid & np.isfinite(time)
    for row, (index, flagged, kind, severity) in enumerate(
        zip(
            decoded.indices.to_pylist(),
            decoded.flagged.to_pylist(),
            types.to_pylist(),
            severities.to_pylist(),
            strict=True,
        )
    ):
        if not placed[row]:
            what = repr(float(time[row])) if valid[row] else "null"
            results[index] = _rejected(_NO_EVENT_TIME, f"timestamp is {what}")
            continue
        results[index] = {
            "accepted": True,
            "anomaly_type": kind,
            "severity": severity,
            "flagged": flagged,
            "reason": None,
            "detail": None,
        }
    return results


def _rejected(reason: str, detail: str) -> dict[str, Any]:
    return {
        "accepted": False,
        "anomaly_type": None,
        "severity": None,
        "flagged": None,
        "reason": reason,
        "detail": detail,
    }


class MicroBatches:
    """Gathers what arrives within a moment and judges it in one call.

    Args:
        score: Judges a list of records; called in a thread.
        wait_s: How long the first of a batch waits for others.
        most: Records after which it waits no longer.
    """

    def __init__(
        self,
        score: Callable[[list[bytes]], list[dict[str, Any]]],
        *,
        wait_s: float = 0.002,
        most: int = 10_000,
    ) -> None:
        self._score = score
        self._wait_s = wait_s
        self._most = most
        self._values: list[bytes] = []
        self._waiting: list[tuple[int, int, asyncio.Future[list[dict[str, Any]]]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def score(self, values: list[bytes]) -> list[dict[str, Any]]:
        """The results of these records, in their order."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[dict[str, Any]]] = loop.create_future()
        start = len(self._values)
        self._values += values
        self._waiting.append((start, len(self._values), future))
        if len(self._values) >= self._most:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._wait_s, self._begin)
        return await future

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        values, self._values = self._values, []
        waiting, self._waiting = self._waiting, []
        if waiting:
            task = asyncio.ensure_future(self._run(values, waiting))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(
        self,
        values: list[bytes],
        waiting: list[tuple[int, int, asyncio.Future[list[dict[str, Any]]]]],
    ) -> None:
        try:
            results = await asyncio.to_thread(self._score, values)
        except Exception as error:  # noqa: BLE001 - it is each caller's
            for _, _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for start, stop, future in waiting:
            if not future.done():
                future.set_result(results[start:stop])
