"""The latest state of layers and machines in a cache: a sink of the stream, and its reading side.

A layer's state is its newest row of ``layer_quality``. A machine's is its newest row of
``ispm_anomalies``, which are few; its newest record of all, from ``ispm_monitoring``, is there
for those who ask, for then every record travels to the coordinator once more.

Values are JSON objects. JSON has no NaN and no infinities: they are the texts ``NaN``,
``Infinity`` and ``-Infinity``, and numbers again when they are read here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import (
    ISPM_ANOMALIES,
    ISPM_MONITORING,
    LAYER_QUALITY,
    TableContract,
    layer_key,
)
from pbf_ray.errors import StoreContentError, StoreError
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.caches.base import CacheStore

__all__ = ["LatestState"]

_MACHINES: Final = {contract.name: contract for contract in (ISPM_ANOMALIES, ISPM_MONITORING)}
_LAYER: Final = "latest/layer/"
_MACHINE: Final = "latest/machine/"
_PLACE: Final = ("topic", "partition", "offset")
"""Decides between rows of a machine that have the same event time."""


class LatestState:
    """A :class:`~pbf_ray.storage.base.Sink` that keeps in a cache what is newest.

    Each epoch is one atomic step with its number, behind the fence of the run. A cache that has
    forgotten everything (a Redis that was emptied, or restarted without its data) is claimed
    anew; it then fills with what changes from there on.

    Args:
        cache: Where values go.
        ttl_s: How long a value stays after its last change, in seconds; None: the cache's own.
        machines_from: The table that machines are read from.
    """

    def __init__(
        self,
        cache: CacheStore,
        *,
        ttl_s: float | None = None,
        machines_from: Literal["ispm_anomalies", "ispm_monitoring"] = "ispm_anomalies",
    ) -> None:
        self.name = f"latest:{cache.name}"
        if machines_from not in _MACHINES:
            raise StoreError(
                self.name,
                f"machines cannot be read from {machines_from!r}",
                advice=f"one of {', '.join(_MACHINES)}",
            )
        self.tables: Sequence[str] | None = (LAYER_QUALITY.name, machines_from)
        self.cache = cache
        self.ttl_s = ttl_s
        self._machines = _MACHINES[machines_from]

    # -- writing ---------------------------------------------------------------------------

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """See that the cache can be written."""
        del contracts
        self.cache.check()

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job; older ones can no longer write."""
        self.cache.claim(job_id, incarnation)

    def commit(self, write: EpochCommit) -> bool:
        """Apply an epoch once: the newest rows of its layers and machines."""
        # Repeatable and cheap; an emptied cache knows the run again.
        self.cache.claim(write.job_id, write.incarnation)
        values = {**self._layers(write), **self._newest_machines(write)}
        return self.cache.apply(
            write.job_id, write.incarnation, write.epoch, values, ttl_s=self.ttl_s
        )

    def clear(self, job_id: str, incarnation: int) -> None:
        """Forget the layers and machines of a job; its epoch stays noted. Repeatable.

        Raises:
            FencedError: A newer run is registered.
        """
        self.cache.claim(job_id, incarnation)
        for prefix in (_layer_prefix(job_id), _machine_prefix(job_id)):
            self.cache.delete(list(self.cache.keys(prefix)))

    def close(self) -> None:
        """Let go of the cache's connections; it opens them again on use."""
        self.cache.close()

    def _layers(self, write: EpochCommit) -> dict[str, bytes]:
        newest: dict[str, dict[str, Any]] = {}
        for row in _rows(write, LAYER_QUALITY):
            before = newest.get(row["layer_key"])
            if before is None or row["revision"] >= before["revision"]:
                newest[row["layer_key"]] = row
        return {f"{_LAYER}{key}": _json(row) for key, row in newest.items()}

    def _newest_machines(self, write: EpochCommit) -> dict[str, bytes]:
        newest: dict[str, dict[str, Any]] = {}
        for table in _tables(write, self._machines):
            for row in _last_of_each(table):
                key = _machine_key(write.job_id, row["sensor_id"])
                if key not in newest or _place(row) >= _place(newest[key]):
                    newest[key] = row
        # An anomaly may be late: what is there may be newer.
        known = self._read(list(newest), self._machines)
        return {
            key: _json(row)
            for key, row in newest.items()
            if key not in known or _place(row) >= _place(known[key])
        }

    # -- reading ---------------------------------------------------------------------------

    def layer(self, job_id: str, build_id: str | None, layer: int | None) -> dict[str, Any] | None:
        """The newest row of a layer, by column; None if there is none, or its time is over."""
        key = f"{_LAYER}{layer_key(job_id, build_id, layer)}"
        return self._read([key], LAYER_QUALITY).get(key)

    def layers(self, job_id: str, build_id: str | None) -> list[dict[str, Any]]:
        """The newest row of each layer of a build, from the first layer up."""
        prefix = f"{_LAYER}{layer_key(job_id, build_id, None).removesuffix('null]')}"
        found = self._read(list(self.cache.keys(prefix)), LAYER_QUALITY)
        return sorted(found.values(), key=lambda row: (row["layer"] is None, row["layer"] or 0))

    def machine(self, job_id: str, sensor_id: str) -> dict[str, Any] | None:
        """The newest row of a machine, by column; None if there is none, or its time is over."""
        key = _machine_key(job_id, sensor_id)
        return self._read([key], self._machines).get(key)

    def machines(self, job_id: str) -> list[dict[str, Any]]:
        """The newest row of each machine, by ``sensor_id``."""
        prefix = _machine_prefix(job_id)
        found = self._read(list(self.cache.keys(prefix)), self._machines)
        return sorted(found.values(), key=lambda row: str(row["sensor_id"]))

    def _read(self, keys: Sequence[str], contract: TableContract) -> dict[str, dict[str, Any]]:
        return {
            key: _parsed(value, contract, key=key, store=self.name)
            for key, value in self.cache.get(keys).items()
        }


def _layer_prefix(job_id: str) -> str:
    return f"{_LAYER}{layer_key(job_id, None, None).removesuffix('null,null]')}"


def _machine_prefix(job_id: str) -> str:
    return _machine_key(job_id, "").removesuffix('""]')


def _machine_key(job_id: str, sensor_id: str) -> str:
    parts = json.dumps([job_id, sensor_id], ensure_ascii=True, separators=(",", ":"))
    return f"{_MACHINE}{parts}"


def _tables(write: EpochCommit, contract: TableContract) -> list[pa.Table]:
    return [staged.inline() for staged in write.rows if staged.table == contract.name]


def _rows(write: EpochCommit, contract: TableContract) -> list[dict[str, Any]]:
    return [row for table in _tables(write, contract) for row in table.to_pylist()]


def _last_of_each(table: pa.Table) -> list[dict[str, Any]]:
    """The newest row of each machine of a table; rows of no machine are nobody's state."""
    named = table.filter(pc.is_valid(table["sensor_id"]))
    stamps = named["timestamp"]
    dated = pc.if_else(pc.is_nan(stamps), -math.inf, stamps).fill_null(-math.inf)
    places = named.select(_PLACE).append_column("timestamp", dated)
    order = pc.sort_indices(
        places, sort_keys=[(name, "ascending") for name in ("timestamp", *_PLACE)]
    )
    ordered = named["sensor_id"].take(order).to_pylist()
    last = {sensor: index for index, sensor in enumerate(ordered)}
    rows: list[dict[str, Any]] = named.take(
        order.take(pa.array(last.values(), pa.int64()))
    ).to_pylist()
    return rows


def _place(row: Mapping[str, Any]) -> tuple[float, str, int, int]:
    stamp = row["timestamp"]
    known = stamp is not None and not math.isnan(stamp)
    return (stamp if known else -math.inf, row["topic"], row["partition"], row["offset"])


def _json(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(
        {name: _plain(value) for name, value in row.items()},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    return text.encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _parsed(text: bytes, contract: TableContract, *, key: str, store: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(text)
        for field in contract.schema:
            value = row.get(field.name)
            if isinstance(value, str):
                row[field.name] = _restored(value, field.type)
    except (ValueError, AttributeError) as error:
        raise StoreContentError(
            store,
            f"the value of {key!r} is not what was written: {error}",
            advice="another program writes under this key; delete it",
            key=key,
        ) from None
    return row


def _restored(text: str, kind: pa.DataType) -> Any:
    if pa.types.is_floating(kind):
        return float(text)
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(text)
    if pa.types.is_date(kind):
        return date.fromisoformat(text)
    return text
