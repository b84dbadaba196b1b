"""The newest snapshot of a job, read from its stores and its status at most so often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.config import Settings
from pbf_ray.contracts import (
    DEAD_LETTERS,
    ISPM_ANOMALIES,
    LATE_RECORDS,
    LAYER_QUALITY,
    TableContract,
)
from pbf_ray.http.dead_letters import shortened
from pbf_ray.http.live_table import LiveTable
from pbf_ray.http.running import BuildTail, read_tail
from pbf_ray.http.snapshot import Snapshot, standing
from pbf_ray.jobs.stores import job_stores
from pbf_ray.jobs.stream import load_profile
from pbf_ray.storage.layout import JobStores
from pbf_ray.streaming.status import Status, read_status

__all__ = ["LiveResults"]

_SMALL: Final = (LAYER_QUALITY, ISPM_ANOMALIES, LATE_RECORDS, DEAD_LETTERS)
_NEWEST_FIRST: Final = {
    ISPM_ANOMALIES.name: "timestamp",
    LATE_RECORDS.name: "timestamp",
    DEAD_LETTERS.name: "processing_timestamp",
}
_OVER: Final = frozenset({"settled", "quiet"})


class LiveResults:
    """Keeps one snapshot and renews it when the stores have something new.

    Args:
        settings: The settings of the job.
        stores: Its stores; made from the settings if not given.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stores: JobStores | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.job_id = settings.job.name
        self.stores = stores if stores is not None else job_stores(settings)
        self.profile = load_profile(settings.rules.profile)
        self._checkpoint = settings.checkpoint_path
        self._refresh_s = settings.http.refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._tables = {
            contract.name: LiveTable(
                self.stores.store(contract.name),
                contract,
                self.job_id,
                kept=shortened if contract is DEAD_LETTERS else None,
            )
            for contract in _SMALL
        }
        self._sorted: dict[str, tuple[pa.Table, pa.Table]] = {}
        self._held: Snapshot | None = None
        self._looked_s = 0.0

    def snapshot(self) -> Snapshot:
        """What there is now, at most ``http.refresh_s`` old.

        While one thread reads, the others get what was there before.

        Raises:
            PbfRayError: The stores or the status cannot be read.
        """
        held = self._held
        if held is not None and self._clock() - self._looked_s < self._refresh_s:
            return held
        if held is not None and self._lock.locked():
            return held
        with self._lock:
            held = self._held
            if held is None or self._clock() - self._looked_s >= self._refresh_s:
                held = self._held = self._look(held)
                self._looked_s = self._clock()
        return held

    def close(self) -> None:
        """Let go of the stores."""
        self.stores.close()

    def _look(self, held: Snapshot | None) -> Snapshot:
        status = read_status(self._checkpoint)
        if status is None:
            return self._empty()
        epoch = self._applied()
        if epoch is None:
            return self._empty(status)
        if held is not None and held.epoch == epoch and held.status is not None:
            if standing(held.status) == standing(status):
                return held
            # Phases and the watermark move without an epoch too.
            return _with_status(held, status)
        return self._read(held, epoch, status)

    def _read(self, held: Snapshot | None, epoch: int, status: Status) -> Snapshot:
        rows: dict[str, pa.Table] = {}
        for contract in _SMALL:
            table = self._tables[contract.name]
            table.refresh(epoch)
            known = self._sorted.get(contract.name)
            if known is None or known[0] is not table.rows:
                known = self._sorted[contract.name] = (table.rows, _ordered(contract, table.rows))
            rows[contract.name] = known[1]
        snapshot = Snapshot(
            job_id=self.job_id,
            epoch=epoch,
            layers=rows[LAYER_QUALITY.name],
            anomalies=rows[ISPM_ANOMALIES.name],
            late_records=rows[LATE_RECORDS.name],
            dead_letters=rows[DEAD_LETTERS.name],
            profile=self.profile,
            status=status,
        )
        return replace(snapshot, tails=self._tails(held, snapshot))

    def _tails(self, held: Snapshot | None, snapshot: Snapshot) -> dict[str, BuildTail]:
        known = held.tails if held is not None else {}
        status = snapshot.status
        whole = status is not None and status.builds_open <= len(status.builds)
        tails = {}
        for build_id in {*snapshot.closed, *snapshot.severities_by_build, *snapshot.phases}:
            phase = snapshot.phases.get(build_id)
            at_rest = whole and (phase is None or phase in _OVER)
            same = held is not None and held.closed.get(build_id) == snapshot.closed.get(build_id)
            if build_id in known and at_rest and same and not known[build_id].open_layers.num_rows:
                tails[build_id] = known[build_id]
                continue
            closed = pc.max(snapshot.build_layers(build_id)["layer"]).as_py()
            tails[build_id] = read_tail(self.stores, self.job_id, build_id, closed)
        return tails

    def _applied(self) -> int | None:
        homes = {id(home): home for home in map(self.stores.store, self._tables)}
        epochs = [home.committed_epoch(self.job_id) for home in homes.values()]
        known = [epoch for epoch in epochs if epoch is not None]
        return min(known) if len(known) == len(epochs) else None

    def _empty(self, status: Status | None = None) -> Snapshot:
        rows = {
            contract.name: _ordered(contract, self._tables[contract.name].rows.slice(0, 0))
            for contract in _SMALL
        }
        return Snapshot(
            job_id=self.job_id,
            epoch=None,
            layers=rows[LAYER_QUALITY.name],
            anomalies=rows[ISPM_ANOMALIES.name],
            late_records=rows[LATE_RECORDS.name],
            dead_letters=rows[DEAD_LETTERS.name],
            profile=self.profile,
            status=status,
        )


def _ordered(contract: TableContract, rows: pa.Table) -> pa.Table:
    if contract is LAYER_QUALITY:
        placed = rows.filter(pc.field("build_id").is_valid() & pc.field("layer").is_valid())
        return placed.sort_by([("build_id", "ascending"), ("layer", "ascending")]).combine_chunks()
    order = [(_NEWEST_FIRST[contract.name], "descending"), (contract.key, "ascending")]
    return rows.sort_by(order).combine_chunks()


def _with_status(held: Snapshot, status: Status) -> Snapshot:
    renewed = replace(held, status=status)
    for name in ("closed", "alerts", "severities", "severities_by_build"):
        if name in vars(held):
            vars(renewed)[name] = vars(held)[name]
    return renewed
