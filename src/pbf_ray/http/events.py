"""Live events: what has changed in results, decisions and status since a client looked."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.http.answers import json_bytes
from pbf_ray.http.pipeline import live_status
from pbf_ray.http.queries import Queries
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.http.state import ServerState

__all__ = ["EventSource", "event_stream"]

_ALIVE_S: Final = 15.0
_LONGEST_S: Final = 900.0
"""Then a client connects anew, to whatever replica is there."""
_STATUS_EVERY_S: Final = 1.0
_ID: Final = re.compile(r"(-?\d{1,18})\.(\d{1,18})")
_MOST_ENTRIES: Final = 1000


@dataclass
class EventSource:
    """Finds out what is new for one client; knows nothing of time or connections.

    Attributes:
        queries: What can be asked.
        epoch: The last epoch that the client knows of; None: whatever there is.
        seq: The last entry of the ledger that it knows of; None: whatever there is.
        status: The status as it was told last.
    """

    queries: Queries
    epoch: int | None = None
    seq: int | None = None
    status: dict[str, Any] | None = None

    @classmethod
    def resumed(cls, queries: Queries, last_event_id: str) -> EventSource:
        """A source that goes on behind an event; from now on, if the id is none of ours."""
        match = _ID.fullmatch(last_event_id.strip())
        if match is None:
            return cls(queries)
        return cls(queries, int(match.group(1)), int(match.group(2)))

    @property
    def id(self) -> str:
        """Where the client is."""
        return f"{-1 if self.epoch is None else self.epoch}.{self.seq or 0}"

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        """What is new about results and decisions, as kinds of events and their data."""
        found: list[tuple[str, dict[str, Any]]] = []
        snapshot = self.queries.snapshot()
        if snapshot.epoch is not None and snapshot.epoch != self.epoch:
            if self.epoch is not None:
                # A job that was begun anew counts its epochs from the start.
                since = self.epoch if self.epoch < snapshot.epoch else -1
                found.append(("epoch", _epoch_news(snapshot, since)))
            self.epoch = snapshot.epoch
        seq = self.queries.decisions.seq()
        if self.seq is not None and seq > self.seq:
            for entry in self.queries.ledger.entries(after=self.seq, limit=_MOST_ENTRIES):
                if not entry.action.startswith("token."):
                    what = {"seq": entry.seq, "kind": entry.action, "subject": entry.subject}
                    found.append(("ledger", what))
        self.seq = seq
        return found

    def status_news(self) -> list[tuple[str, dict[str, Any]]]:
        """The status, if it is not as it was told last."""
        job = self.queries.job()
        if job is None:
            return []
        status = live_status(job)
        told, self.status = self.status, status
        return [("status", status)] if told != status else []


async def event_stream(state: ServerState, last_event_id: str) -> AsyncIterator[bytes]:
    """Server-sent events for one client, until it goes or the server ends.

    Args:
        state: The server.
        last_event_id: What the client knows, empty if nothing.
    """
    source = EventSource.resumed(state.queries, last_event_id)
    state.listeners += 1
    began_s = said_s = time.monotonic()
    looked_s = -_STATUS_EVERY_S
    try:
        yield b"retry: 2000\n\n"
        while not state.closing.is_set() and time.monotonic() - began_s < _LONGEST_S:
            news = await asyncio.to_thread(source.news)
            now_s = time.monotonic()
            if now_s - looked_s >= _STATUS_EVERY_S:
                looked_s = now_s
                news += await asyncio.to_thread(source.status_news)
            for kind, data in news:
                yield _message(kind, source.id, data)
            if news:
                said_s = now_s
            elif now_s - said_s >= _ALIVE_S:
                said_s = now_s
                yield b": alive\n\n"
            try:
                await asyncio.wait_for(state.closing.wait(), state.settings.refresh_s)
            except TimeoutError:
                continue
    finally:
        state.listeners -= 1


def _message(kind: str, event_id: str, data: dict[str, Any]) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), kind.encode(), json_bytes(data))


def _epoch_news(snapshot: Snapshot, since: int) -> dict[str, Any]:
    changed: dict[str, set[int]] = {}
    new_anomalies = _newer(snapshot.anomalies, since)
    for rows in (_newer(snapshot.layers, since), new_anomalies):
        for row in rows.group_by(["build_id", "layer"]).aggregate([]).to_pylist():
            if row["build_id"] is not None and row["layer"] is not None:
                changed.setdefault(row["build_id"], set()).add(row["layer"])
    for build_id, tail in snapshot.tails.items():
        if tail.open_layers.num_rows:
            changed.setdefault(build_id, set()).update(tail.open_layers["layer"].to_pylist())
    return {
        "epoch": snapshot.epoch,
        "builds": [
            {"build_id": build_id, "layers": sorted(layers)}
            for build_id, layers in sorted(changed.items())
        ],
        "anomalies": snapshot.anomalies.num_rows,
        "new_anomalies": new_anomalies.num_rows,
        "dead_letters": snapshot.dead_letters.num_rows,
        "late_records": snapshot.late_records.num_rows,
    }


def _newer(rows: pa.Table, since: int) -> pa.Table:
    return rows.filter(pc.field("epoch") > since) if rows.num_rows else rows
