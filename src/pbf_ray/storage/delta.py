"""Lake tables: one Delta Lake table per contract below a folder, written by epochs.

``stage`` writes Parquet files into the folder of the table, in whatever process holds the rows;
``commit`` makes all files of an epoch part of the table by one entry of the table's log. That
entry also carries the numbers of the epoch and of the run, as *application transactions* of the
Delta protocol. It is created only if nobody has created the same version meanwhile, so what was
read from the log before (is this run still the newest, is this epoch still new) holds when it is
written.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs
from deltalake.transaction import AddAction

from pbf_ray.contracts import TableContract
from pbf_ray.errors import FencedError, StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import (
    EpochCommit,
    StagedFile,
    StagedRows,
    StoreCapabilities,
    TableStore,
    may_apply,
)
from pbf_ray.storage.deltafiles import file_error, lake_schema, to_lake, write_file
from pbf_ray.storage.deltalog import DeltaLog
from pbf_ray.storage.deltaupkeep import Upkeep
from pbf_ray.storage.fitting import conform, distinct_keys, prepared, subset_schema
from pbf_ray.storage.selection import RowSelection, conditions_of, expression_of, written_before

__all__ = ["DeltaStore"]

_BEFORE_THE_FIRST: Final = -1
_OF_A_PROCESS: Final = {"_lock", "_logs", "_upkeep"}
"""What is not pickled."""


class DeltaStore(TableStore):
    """Record tables as Delta Lake tables below a local folder.

    Each table commits for itself, one after the other; every epoch commits to every prepared
    table, so that each log tells how far the job has come. polars, Spark, DuckDB and pandas read
    the same folders, ``<root>/<table name>``.

    Args:
        root: The folder.
        retention_hours: How long files that left a table stay on disk, for readers of older
            versions; set in the properties of new tables.
        compact_after: So many files of about one size are made one by ``maintain``.
    """

    capabilities = StoreCapabilities(
        transactions=False, upsert=False, staged_files=True, ttl=False, clear=True, prune=True
    )

    def __init__(
        self, root: str | os.PathLike[str], *, retention_hours: int = 24, compact_after: int = 16
    ) -> None:
        if retention_hours < 1 or compact_after < 2:
            raise ValueError("retention_hours must be at least 1, compact_after at least 2")
        self.root = Path(root).absolute()
        self.name = f"delta:{self.root}"
        self.retention_hours = retention_hours
        self.compact_after = compact_after
        self._contracts: dict[str, TableContract] = {}
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _OF_A_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()
        self._logs: dict[str, DeltaLog] = {}
        self._upkeep = Upkeep(compact_after=self.compact_after)

    def check(self) -> None:
        """Write and remove a file in the folder, and read the log of each table."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.root, prefix="_check-") as probe:
                probe.write(b"x")
        except OSError as error:
            raise file_error(self.name, "its folder cannot be written", error) from error
        with self._lock:
            for name in self._found():
                self._log(name).refresh()

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Create or verify the Delta tables."""
        with self._lock:
            for contract in contracts:
                schema = lake_schema(contract, store=self.name)
                log = self._log(contract.name)
                if not log.exists():
                    log.create(schema, retention_hours=self.retention_hours)
                log.verify(schema)
            self._contracts.update({contract.name: contract for contract in contracts})

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job in the log of every prepared table."""
        with self._lock:
            logs = [self._log(name) for name in self._prepared()]
            for log in logs:
                self._fence(log, job_id, incarnation)
            # Older runs can no longer commit, so how far the job has come stands still now. A
            # table that is new to the job has come as far as the others: it had no rows to get.
            known = [log.epoch(job_id) for log in logs]
            reached = min((epoch for epoch in known if epoch is not None), default=None)
            start = _BEFORE_THE_FIRST if reached is None else reached
            for log in logs:
                while log.epoch(job_id) is None:
                    self._check_fence(log, job_id, incarnation)
                    log.append([], job_id=job_id, epoch=start, incarnation=incarnation)
                    log.refresh()

    def stage(
        self, contract: TableContract, table: pa.Table, *, job_id: str, epoch: int, part: str
    ) -> StagedRows:
        """Write the rows as a Parquet file into the folder of the table."""
        if contract.changes != "append":
            raise StoreContentError(
                self.name,
                f"{contract.name} replaces rows by key, which epochs of lake tables do not",
                advice="send it to a store whose capabilities say upsert",
                table=contract.name,
            )
        rows = conform(contract, table, store=self.name)
        if not rows.num_rows:
            return StagedRows(contract.name, 0, (), self.name)
        schema = lake_schema(contract, store=self.name)
        file = write_file(
            self.root / contract.name,
            to_lake(rows, schema, store=self.name, name=contract.name),
            stem=f"epoch-{epoch}-{_plain(part)}",
            store=self.name,
            job_id=job_id,
            epoch=epoch,
        )
        return StagedRows(contract.name, rows.num_rows, (file,), self.name)

    def commit(self, write: EpochCommit) -> bool:
        """One log entry per prepared table, with or without rows."""
        files: dict[str, list[StagedFile]] = {name: [] for name in self._prepared()}
        for staged in write.rows:
            prepared(self._contracts, staged.table, store=self.name)
            files[staged.table] += staged.files()
        applied = False
        with self._lock:
            for name, added in files.items():
                applied |= self._commit_table(self._log(name), added, write)
        return applied

    def put(self, contract: TableContract, table: pa.Table) -> None:
        """One MERGE by key, as one version of the table.

        Tables that replace rows can be made and written by it, though not by epochs.
        """
        with self._lock:
            prepared(self._contracts, contract.name, store=self.name)
            rows = distinct_keys(contract, conform(contract, table, store=self.name))
            if rows.num_rows:
                schema = lake_schema(contract, store=self.name)
                self._log(contract.name).merge(
                    to_lake(rows, schema, store=self.name, name=contract.name),
                    key=contract.key,
                    replace=contract.changes == "upsert",
                )

    def committed_epoch(self, job_id: str) -> int | None:
        """The last epoch that every table of the job has; None before the first."""
        with self._lock:
            epochs = []
            for name in self._found():
                log = self._log(name)
                log.refresh()
                if log.incarnation(job_id) is not None:
                    epoch = log.epoch(job_id)
                    epochs.append(_BEFORE_THE_FIRST if epoch is None else epoch)
        reached = min(epochs, default=_BEFORE_THE_FIRST)
        return None if reached == _BEFORE_THE_FIRST else reached

    def read(
        self,
        contract: TableContract,
        *,
        job_id: str | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Rows in the schema of the contract, from one version of the table."""
        schema = subset_schema(contract, columns, store=self.name)
        dataset = self._dataset(contract)
        names = list(dict.fromkeys(schema.names))
        condition = None if job_id is None else pc.field("job_id") == job_id
        with self._reading(contract):
            if limit is None:
                table = dataset.to_table(columns=names, filter=condition)
            else:
                table = dataset.head(max(limit, 0), columns=names, filter=condition)
            arrays = [table.column(field.name).cast(field.type) for field in schema]
            return pa.Table.from_arrays(arrays, schema=schema)

    def scan(
        self,
        contract: TableContract,
        selection: RowSelection | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Rows as batches of one version; files without wanted rows are not read.

        With a limit or a key to go on from, the rows that fit are sorted in memory.
        """
        chosen = selection or RowSelection()
        if chosen.paged:
            yield from super().scan(contract, chosen, columns=columns)
            return
        schema = subset_schema(contract, columns, store=self.name)
        conditions = conditions_of(contract, chosen, store=self.name)
        dataset = self._dataset(contract)
        with self._reading(contract):
            for batch in dataset.to_batches(
                columns=list(dict.fromkeys(schema.names)),
                filter=expression_of(conditions, contract.schema),
            ):
                arrays = [batch.column(field.name).cast(field.type) for field in schema]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def count(self, contract: TableContract, *, job_id: str | None = None) -> int:
        """Number of rows, of all jobs or of one."""
        condition = None if job_id is None else pc.field("job_id") == job_id
        dataset = self._dataset(contract)
        with self._reading(contract):
            rows: int = dataset.count_rows(filter=condition)
        return rows

    def clear(self, job_id: str, incarnation: int) -> None:
        """Remove the rows of the job, table by table; files with others' rows are rewritten."""
        with self._lock:
            for name in self._prepared():
                log = self._log(name)
                log.refresh()
                self._check_fence(log, job_id, incarnation)
                log.remove_rows(job_id)

    def prune(self, contract: TableContract, before: datetime, *, dry_run: bool = False) -> int:
        """Rewrite the files that hold old rows, as one version; `maintain` frees the disk."""
        condition = written_before(contract, before, store=self.name)
        old = expression_of([condition], contract.schema)
        dataset = self._dataset(contract)
        with self._reading(contract):
            rows: int = dataset.count_rows(filter=old)
        if rows and not dry_run:
            with self._lock:
                self._log(contract.name).remove_older(condition.column, condition.value)
        return rows

    def maintain(self) -> None:
        """Compact many small files, forget old log entries, remove files that nobody needs."""
        for name in self._prepared():
            # A log of its own: commits of other threads go on meanwhile.
            self._upkeep.run(DeltaLog(self.root / name, store=self.name))

    def close(self) -> None:
        """Forget the loaded logs."""
        with self._lock:
            self._logs.clear()

    def _commit_table(self, log: DeltaLog, files: list[StagedFile], write: EpochCommit) -> bool:
        log.refresh()
        while may_apply(
            write,
            store=f"{self.name}/{log.table}",
            incarnation=log.incarnation(write.job_id),
            committed=log.epoch(write.job_id),
        ):
            adds = [self._add(log, file, write) for file in files]
            if log.append(
                adds, job_id=write.job_id, epoch=write.epoch, incarnation=write.incarnation
            ):
                return True
            log.refresh()
        return False

    def _add(self, log: DeltaLog, file: StagedFile, write: EpochCommit) -> AddAction:
        try:
            found = (log.folder / file.path).stat()
        except OSError as error:
            raise StoreError(
                self.name,
                f"{log.table}: the staged file {file.path} of epoch {write.epoch} is gone: {error}",
                advice="stage the epoch anew; staged files must not be removed by hand",
                table=log.table,
                epoch=write.epoch,
            ) from error
        if found.st_size != file.size:
            raise StoreContentError(
                self.name,
                f"{log.table}: the staged file {file.path} has {found.st_size} bytes, "
                f"{file.size} were written",
                advice="see the disk; stage the epoch anew",
            )
        return AddAction(
            path=file.path,
            size=file.size,
            partition_values={},
            modification_time=int(found.st_mtime * 1000),
            data_change=True,
            stats=file.stats,
        )

    def _fence(self, log: DeltaLog, job_id: str, incarnation: int) -> None:
        log.refresh()
        while log.incarnation(job_id) != incarnation:
            self._check_fence(log, job_id, incarnation)
            log.append([], job_id=job_id, incarnation=incarnation)
            log.refresh()

    def _check_fence(self, log: DeltaLog, job_id: str, incarnation: int) -> None:
        registered = log.incarnation(job_id)
        if registered is not None and registered > incarnation:
            raise FencedError(
                job_id, mine=incarnation, newer=registered, where=f"{self.name}/{log.table}"
            )

    def _dataset(self, contract: TableContract) -> Any:
        schema = lake_schema(contract, store=self.name)
        with self._lock:
            log = self._log(contract.name)
            log.refresh()
            log.verify(schema)
            files = pa_fs.SubTreeFileSystem(str(log.folder), pa_fs.LocalFileSystem())
            with log.guarded():
                return log.snapshot().to_pyarrow_dataset(schema=schema, filesystem=files)

    @contextmanager
    def _reading(self, contract: TableContract) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise StoreUnavailableError(
                self.name,
                f"{contract.name}: a file was cleaned up while being read: {error}",
                advice="read again, or raise retention_hours",
            ) from error
        except OSError as error:
            raise file_error(self.name, f"{contract.name} cannot be read", error) from error
        except pa.ArrowInvalid as error:
            raise StoreContentError(
                self.name, f"{contract.name} cannot be read: {error}", table=contract.name
            ) from error

    def _log(self, name: str) -> DeltaLog:
        if name not in self._logs:
            self._logs[name] = DeltaLog(self.root / name, store=self.name)
        return self._logs[name]

    def _prepared(self) -> list[str]:
        if not self._contracts:
            raise StoreError(
                self.name, "no table was prepared", advice="call prepare(contracts) first"
            )
        return list(self._contracts)

    def _found(self) -> list[str]:
        try:
            return sorted(path.parent.name for path in self.root.glob("*/_delta_log"))
        except OSError as error:
            raise file_error(self.name, "its folder cannot be read", error) from error


def _plain(part: str) -> str:
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in part)[:40]
