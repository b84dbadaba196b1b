"""The log of one Delta table: what it says of jobs, and entries that are appended or lose.

An entry is created only as the version after the one that was last refreshed. If somebody has
created that version meanwhile, :meth:`DeltaLog.append` says so and has done nothing: refresh,
look again, decide again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.deltafiles import file_error, sync_path
from pbf_ray.storage.deltastatistics import statistics_property

__all__ = ["DeltaLog"]

_FORMAT: Final = 1
_FORMAT_PROPERTY: Final = "pbf_ray.format"
_LOG_RETENTION: Final = "interval 1 hours"
"""Each commit lists the log's folder: a day of entries would make it slow."""
_CHECKPOINT_EVERY: Final = "10"
_MERGE_TRIES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DeltaLog:
    """One Delta table, at the version of the last refresh.

    Args:
        folder: Of the table.
        store: Name of the store, for messages.
    """

    def __init__(self, folder: Path, *, store: str) -> None:
        self.folder = folder
        self.table = folder.name
        self.store = store
        self._loaded: DeltaTable | None = None

    def exists(self) -> bool:
        """Whether there is a table."""
        with self.guarded():
            return DeltaTable.is_deltatable(str(self.folder))

    def create(self, schema: pa.Schema, *, retention_hours: int) -> None:
        """Create the table, unless somebody else does at the same time."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(self.store, f"cannot make {self.folder}", error) from error
        configuration: dict[str, str | None] = {
            _FORMAT_PROPERTY: str(_FORMAT),
            "delta.logRetentionDuration": _LOG_RETENTION,
            "delta.deletedFileRetentionDuration": f"interval {retention_hours} hours",
            "delta.checkpointInterval": _CHECKPOINT_EVERY,
            "delta.dataSkippingStatsColumns": statistics_property(schema),
        }
        try:
            DeltaTable.create(
                str(self.folder),
                schema=schema,
                name=self.table,
                mode="ignore",
                configuration=configuration,
                raise_if_key_not_exists=False,
            )
        except DeltaError as error:
            if not self.exists():
                raise self._translated(error) from error
        self.refresh()
        self._sync(0)

    def verify(self, schema: pa.Schema) -> None:
        """See that the table has exactly these columns, in any order.

        Raises:
            StoreContentError: It has others, or a newer version of pbf_ray made it.
        """
        with self.guarded():
            snapshot = self.snapshot()
            version = snapshot.metadata().configuration.get(_FORMAT_PROPERTY, str(_FORMAT))
            found = pa.schema(snapshot.schema().to_arrow())
        if not version.isdecimal() or int(version) > _FORMAT:
            raise StoreContentError(
                self.store,
                f"table {self.table} has version {version}, this pbf_ray knows {_FORMAT}",
                advice="upgrade pbf_ray",
                table=self.table,
            )
        problems = [f"lacks {name}" for name in schema.names if name not in found.names]
        problems += [
            f"has the unknown column {name}" for name in found.names if name not in schema.names
        ]
        problems += [
            f"has {field.name} as {found.field(field.name).type}, not {field.type}"
            for field in schema
            if field.name in found.names and found.field(field.name).type != field.type
        ]
        if problems:
            raise StoreContentError(
                self.store,
                f"table {self.table} does not fit: {'; '.join(problems)}",
                advice="it was made by something else or by another version; move it away, or "
                "write to another folder",
                table=self.table,
            )

    def refresh(self) -> None:
        """Go to the newest version."""
        if self._loaded is not None:
            try:
                self._loaded.update_incremental()
            except DeltaError:
                # Whatever it is, loading from scratch works or says it in our terms.
                self._loaded = None
            else:
                return
        with self.guarded():
            self._loaded = DeltaTable(str(self.folder))

    def snapshot(self) -> DeltaTable:
        """The table at the version of the last refresh."""
        if self._loaded is None:
            self.refresh()
        assert self._loaded is not None  # noqa: S101 - refresh() loads or raises
        return self._loaded

    def epoch(self, job_id: str) -> int | None:
        """The last epoch of a job in this table; None if the log does not know the job."""
        with self.guarded():
            return self.snapshot().transaction_version(_epoch_of(job_id))

    def incarnation(self, job_id: str) -> int | None:
        """The newest run of a job that has claimed this table."""
        with self.guarded():
            return self.snapshot().transaction_version(_run_of(job_id))

    def append(
        self,
        actions: Sequence[AddAction | RemoveAction],
        *,
        job_id: str | None = None,
        epoch: int | None = None,
        incarnation: int | None = None,
    ) -> bool:
        """Create the next version, atomically.

        Args:
            actions: Files that join or leave the table.
            job_id: Job that the entry tells of.
            epoch: Its epoch from now on; None leaves it.
            incarnation: Its newest run from now on; None leaves it.

        Returns:
            False if somebody else has created that version: nothing was done.

        Raises:
            StoreError: It failed; a further refresh tells whether the entry was written.
        """
        snapshot = self.snapshot()
        version = snapshot.version()
        facts = []
        if job_id is not None and epoch is not None:
            facts.append(Transaction(_epoch_of(job_id), epoch))
        if job_id is not None and incarnation is not None:
            facts.append(Transaction(_run_of(job_id), incarnation))
        try:
            snapshot.create_write_transaction(
                list(actions),
                mode="append",
                schema=snapshot.schema(),
                # Its own retries would go past whoever was first.
                commit_properties=CommitProperties(max_commit_retries=0, app_transactions=facts),
            )
        except CommitFailedError as error:
            self.refresh()
            if self.snapshot().version() > version:
                return False
            raise StoreUnavailableError(
                self.store, f"{self.table}: {error}", advice="see the disk and its free space"
            ) from error
        except (DeltaError, OSError) as error:
            self._loaded = None
            raise self._translated(error) from error
        self._sync(version + 1)
        return True

    def merge(self, rows: pa.Table, *, key: str, replace: bool) -> None:
        """Insert the rows whose key is new; with ``replace`` also change those that are there.

        Args:
            rows: In the schema of the files, each key once.
            key: Column that identifies a row.
            replace: Whether a row that is there gets the values of the new one.

        Raises:
            StoreError: It failed; nothing was changed.
        """
        quoted = '"' + key.replace('"', '""') + '"'
        for tries in range(_MERGE_TRIES):
            with self.guarded():
                self.refresh()
                merger = self.snapshot().merge(
                    rows,
                    predicate=f"held.{quoted} = given.{quoted}",
                    source_alias="given",
                    target_alias="held",
                )
                if replace:
                    merger = merger.when_matched_update_all()
                try:
                    merger.when_not_matched_insert_all().execute()
                    break
                except CommitFailedError:
                    # Somebody else's rows came between; they may be the same ones.
                    if tries == _MERGE_TRIES - 1:
                        raise
        self._sync(self.snapshot().version())

    def remove_rows(self, job_id: str) -> None:
        """Remove all rows of a job.

        Raises:
            StoreError: It failed; calling it again goes on from where it stands.
        """
        self._delete("job_id = '" + job_id.replace("'", "''") + "'")

    def remove_older(self, column: str, before: datetime) -> None:
        """Remove the rows with a time before another one, in UTC.

        Raises:
            StoreError: It failed; calling it again goes on from where it stands.
        """
        micros = (before - _EPOCH) // timedelta(microseconds=1)
        bound = f"arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
        self._delete(f'"{column}" < {bound}')

    def _delete(self, predicate: str) -> None:
        with self.guarded():
            # Appends of other jobs at the same time are no conflict: delta-rs tries again.
            self.snapshot().delete(predicate)
        self.refresh()
        self._sync(self.snapshot().version())

    def _sync(self, version: int) -> None:
        """The entry must outlive a power cut: the checkpoint of the job will count on it."""
        folder = self.folder / "_delta_log"
        try:
            sync_path(folder / f"{version:020}.json")
            sync_path(folder)
        except OSError as error:
            raise file_error(self.store, f"cannot sync the log of {self.table}", error) from error

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Errors of delta-rs in our terms; what is loaded is forgotten after one."""
        try:
            yield
        except (DeltaError, OSError) as error:
            self._loaded = None
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> StoreError:
        if isinstance(error, TableNotFoundError) or "File not found" in str(error):
            return StoreContentError(
                self.store,
                f"there is no table {self.table}, or not all of it",
                advice="run a job that writes it first",
                table=self.table,
            )
        if isinstance(error, (SchemaMismatchError, DeltaProtocolError)):
            return StoreContentError(self.store, f"{self.table}: {error}", table=self.table)
        if isinstance(error, OSError) or "os error" in str(error):
            return file_error(self.store, self.table, error)
        return StoreError(self.store, f"{self.table}: {error}")


def _epoch_of(job_id: str) -> str:
    return f"{job_id}#epoch"


def _run_of(job_id: str) -> str:
    return f"{job_id}#run"
