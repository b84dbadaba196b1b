"""Which store holds which table of a job, and the calls of the stream fanned out to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from pbf_ray.contracts import OUTPUT_TABLES, TableContract
from pbf_ray.errors import PbfRayError, SettingError, StoreError
from pbf_ray.storage.base import EpochCommit, Sink, StagedRows, TableStore
from pbf_ray.storage.fitting import conform
from pbf_ray.storage.registry import store_class

__all__ = ["JobStores", "embedded_stores"]


class JobStores:
    """The outputs of one job: a store per table, and the user's sinks.

    Picklable; workers call ``stage``, the coordinator everything else.

    Args:
        contracts: The tables of the job.
        routes: Store of each table, by name of the contract; one store may hold several.
        sinks: Further outputs (a TableStore may be one), each of which gets the tables that it
            names.

    Raises:
        SettingError: A table has no store, or two outputs have one name.
    """

    def __init__(
        self,
        contracts: Sequence[TableContract],
        routes: Mapping[str, TableStore],
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.contracts = {contract.name: contract for contract in contracts}
        homeless = [name for name in self.contracts if name not in routes]
        if homeless:
            raise SettingError(
                "storage.routes", "the layout", f"no store for {', '.join(homeless)}"
            )
        self._routes = {name: routes[name] for name in self.contracts}
        for name, home in self._routes.items():
            if self.contracts[name].changes == "upsert" and not home.capabilities.upsert:
                raise SettingError(
                    "storage.routes",
                    "the layout",
                    f"{name} replaces rows by key, which epochs of {home.name} do not",
                    advice="send it to a store whose capabilities say upsert",
                )
        self._sinks = tuple(sinks)
        # Lakes first: once a SQL row says that a layer is closed, its records can be read.
        stores = list({id(store): store for store in self._routes.values()}.values())
        stores.sort(key=lambda store: not store.capabilities.staged_files)
        self.stores: tuple[TableStore, ...] = tuple(stores)
        self._outputs: tuple[Sink, ...] = (*self.stores, *self._sinks)
        names = [output.name for output in self._outputs]
        if len(set(names)) < len(names):
            raise SettingError("storage.sinks", "the layout", f"names are not unique: {names}")
        for sink in self._sinks:
            unknown = sorted(set(sink.tables or ()) - set(self.contracts))
            if unknown:
                raise SettingError(
                    "storage.sinks",
                    f"sink {sink.name}",
                    f"there is no table {', '.join(unknown)}",
                    advice=f"the tables are {', '.join(self.contracts)}",
                )

    def store(self, name: str) -> TableStore:
        """The store of a table.

        Raises:
            StoreError: The job has no such table.
        """
        if name not in self._routes:
            raise StoreError(
                "of this job",
                f"there is no table {name}",
                advice=f"the tables are {', '.join(self._routes)}",
            )
        return self._routes[name]

    def check(self) -> None:
        """See that every store can be reached and written."""
        for store in self._all_stores():
            store.check()

    def prepare(self) -> None:
        """Create or verify all tables."""
        for store in self.stores:
            store.prepare(
                [self.contracts[name] for name, home in self._routes.items() if home is store]
            )
        for sink in self._sinks:
            sink.prepare([self.contracts[name] for name in self._wanted(sink)])

    def claim(self, job_id: str, incarnation: int) -> None:
        """Fence off older runs in every output; FencedError if this one is the older."""
        for output in self._outputs:
            output.claim(job_id, incarnation)

    def stage(
        self,
        contract: TableContract,
        table: pa.Table,
        *,
        job_id: str,
        epoch: int,
        part: str,
    ) -> tuple[StagedRows, ...]:
        """Stage rows for every output that gets them; callable in any process.

        Returns:
            What to add to ``EpochCommit.rows``; empty if there are no rows.
        """
        if not table.num_rows:
            return ()
        home = self.store(contract.name)
        staged = [home.stage(contract, table, job_id=job_id, epoch=epoch, part=part)]
        for sink in self._sinks:
            if contract.name not in self._wanted(sink):
                continue
            if isinstance(sink, TableStore):
                staged.append(sink.stage(contract, table, job_id=job_id, epoch=epoch, part=part))
            else:
                rows = conform(contract, table, store=sink.name)
                staged.append(StagedRows(contract.name, rows.num_rows, rows, sink.name))
        return tuple(staged)

    def commit(self, write: EpochCommit) -> bool:
        """Commit an epoch to every output, lakes first, then SQL, then sinks.

        If it fails half-way, the next try (with the same or newly staged rows) repairs it: each
        output applies the epoch once.

        Returns:
            True if any output applied it, False if all had it before.

        Raises:
            StoreError: Rows were staged by a store that is not of this job.
        """
        known = {output.name for output in self._outputs}
        strange = sorted({rows.store for rows in write.rows} - known)
        if strange:
            raise StoreError(
                ", ".join(strange),
                f"rows of epoch {write.epoch} were staged by it, but the job does not write there",
                advice="stage through the stores of the job",
            )
        applied = False
        for output in self._outputs:
            mine = tuple(rows for rows in write.rows if rows.store == output.name)
            part = EpochCommit(write.job_id, write.incarnation, write.epoch, mine)
            try:
                applied |= output.commit(part)
            except PbfRayError:
                raise
            except Exception as error:
                raise StoreError(
                    output.name,
                    f"commit of epoch {write.epoch} failed: {type(error).__name__}: {error}",
                    advice="a sink raises StoreUnavailableError where the same call may work later",
                ) from error
        return applied

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch that every store has applied; None before the first."""
        reached = None
        for store in self.stores:
            epoch = store.committed_epoch(job_id)
            if epoch is None:
                return None
            reached = epoch if reached is None else min(reached, epoch)
        return reached

    def applied_epochs(self, job_id: str) -> dict[str, int | None]:
        """The last epoch that each store has applied as a whole, by name; None before the first."""
        return {store.name: store.committed_epoch(job_id) for store in self.stores}

    def read(
        self,
        name: str,
        *,
        job_id: str | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Rows of a table, as :meth:`TableStore.read`."""
        store = self.store(name)
        return store.read(self.contracts[name], job_id=job_id, columns=columns, limit=limit)

    def count(self, name: str, *, job_id: str | None = None) -> int:
        """Number of rows of a table, of all jobs or of one."""
        return self.store(name).count(self.contracts[name], job_id=job_id)

    def clear(self, job_id: str, incarnation: int) -> None:
        """Remove all rows of a job from every store.

        Raises:
            StoreError: An output cannot do that; nothing was removed.
        """
        unable = [output.name for output in self._outputs if not _clears(output)]
        if unable:
            raise StoreError(
                ", ".join(unable),
                "the rows of a job cannot be removed there",
                advice="run under another job name, whose outputs start afresh",
            )
        for output in self._outputs:
            clear: Any = getattr(output, "clear")  # noqa: B009 - seen by _clears
            clear(job_id, incarnation)

    def maintain(self) -> None:
        """Upkeep of every store."""
        for store in self._all_stores():
            store.maintain()

    def close(self) -> None:
        """Close every store, also if closing one fails."""
        with ExitStack() as stack:
            for output in self._outputs:
                # A sink need not have one.
                stack.callback(getattr(output, "close", _nothing))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all_stores(self) -> list[TableStore]:
        return [output for output in self._outputs if isinstance(output, TableStore)]

    def _wanted(self, sink: Sink) -> list[str]:
        return [name for name in self.contracts if sink.tables is None or name in sink.tables]


def _nothing() -> None:
    """What closing a sink without connections does."""


def _clears(output: Sink) -> bool:
    if isinstance(output, TableStore):
        return output.capabilities.clear
    return callable(getattr(output, "clear", None))


def embedded_stores(
    root: Path,
    *,
    contracts: Sequence[TableContract] = tuple(OUTPUT_TABLES.values()),
    sinks: Sequence[Sink] = (),
    compact_files: int = 16,
) -> JobStores:
    """The stores that need no server: everything in one folder.

    Result tables go to SQLite (``operational.sqlite``), record tables to Delta Lake (``lake/``).

    Args:
        root: The folder.
        contracts: The tables.
        sinks: Further outputs.
        compact_files: A lake table with more small files than these is compacted.
    """
    options: dict[str, tuple[str, Any, dict[str, Any]]] = {
        "result": ("sqlite", root / "operational.sqlite", {}),
        "record": ("delta", root / "lake", {"compact_after": compact_files}),
    }
    stores: dict[str, TableStore] = {}
    for contract in contracts:
        if contract.volume not in stores:
            kind, place, more = options[contract.volume]
            build: Any = store_class(kind)
            stores[contract.volume] = build(place, **more)
    return JobStores(contracts, {c.name: stores[c.volume] for c in contracts}, sinks)
