"""Upkeep of a Delta table beside a running job: fewer files, a short log, no leftovers.

The compaction is our own: the one of delta-rs writes footers with least and greatest values for
columns that hold NaN, and readers then skip rows (observed with 1.6). It works by size classes,
like a log-structured merge tree, so a row is rewritten a few times in its life, not at each run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake.transaction import AddAction, RemoveAction

from pbf_ray.storage.base import StagedFile
from pbf_ray.storage.deltafiles import file_error, merge_files, staged_epoch, sync_path
from pbf_ray.storage.deltalog import DeltaLog

__all__ = ["Upkeep", "compact", "live_files", "remove_leftovers"]

_SMALLEST_CLASS_BYTES: Final = 64 * 1024
_MOST_ROWS: Final = 500_000
_MOST_BYTES: Final = 128 * 2**20
_ORPHANS_EVERY_S: Final = 3600.0


@dataclass
class Upkeep:
    """What ``maintain`` does to each table.

    Attributes:
        compact_after: So many files of one size class are made one.
        clock: Seconds that never go back.
    """

    compact_after: int
    clock: Callable[[], float] = time.monotonic
    _cleaned: dict[Path, float] = field(default_factory=dict)

    def run(self, log: DeltaLog) -> None:
        """Compact if there are many small files; clean up once an hour, and at the first run."""
        log.refresh()
        while group := self._group(log):
            if not compact(log, group):
                break
        last = self._cleaned.get(log.folder)
        if last is None or self.clock() - last >= _ORPHANS_EVERY_S:
            self._cleaned[log.folder] = self.clock()
            remove_leftovers(log)

    def _group(self, log: DeltaLog) -> list[StagedFile]:
        """Files to make one: all of one size class, no larger than readers like; or none."""
        classes: dict[int, list[StagedFile]] = {}
        for file in live_files(log):
            if file.rows < _MOST_ROWS // 2 and file.size < _MOST_BYTES // 2:
                step = math.log(max(file.size / _SMALLEST_CLASS_BYTES, 1), self.compact_after)
                classes.setdefault(int(step), []).append(file)
        for _, files in sorted(classes.items()):
            group: list[StagedFile] = []
            rows = size = 0
            for file in files:
                if rows + file.rows > _MOST_ROWS or size + file.size > _MOST_BYTES:
                    break
                group.append(file)
                rows, size = rows + file.rows, size + file.size
            # A class that is full before it has enough files is as good as it gets.
            if len(files) >= self.compact_after and len(group) > 1:
                return group
        return []


def live_files(log: DeltaLog) -> list[StagedFile]:
    """The files of the table at the version of the last refresh."""
    with log.guarded():
        actions = pa.table(log.snapshot().get_add_actions())
    return [
        StagedFile(path, size, rows or 0, "")
        for path, size, rows in zip(
            actions.column("path").to_pylist(),
            actions.column("size_bytes").to_pylist(),
            actions.column("num_records").to_pylist(),
            strict=True,
        )
    ]


def compact(log: DeltaLog, group: list[StagedFile]) -> bool:
    """Make one file of several, in one version of the table.

    Returns:
        False if one of them has left the table meanwhile: nothing was done.
    """
    with log.guarded():
        schema = pa.schema(log.snapshot().schema().to_arrow())
    names = [file.path for file in group]
    made = merge_files(log.folder, names, schema, stem="compact", store=log.store)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(made.path, made.size, {}, now, data_change=False, stats=made.stats)
    ]
    actions += [RemoveAction(file.path, False, now, file.size, {}) for file in group]
    while not log.append(actions):
        log.refresh()
        if not set(names) <= {file.path for file in live_files(log)}:
            (log.folder / made.path).unlink(missing_ok=True)
            return False
    log.refresh()
    return True


def remove_leftovers(log: DeltaLog) -> list[str]:
    """Remove files that left the table, or never joined it, longer ago than its retention.

    A file that was staged for an epoch which the table does not have yet stays, however old: the
    attempt that wrote it may still be alive.

    Returns:
        The removed paths.

    Raises:
        StoreError: A file cannot be removed.
    """
    log.refresh()
    with log.guarded():
        log.snapshot().cleanup_metadata()
        unused = log.snapshot().vacuum(dry_run=True, full=True)
    removed = []
    try:
        for path in unused:
            file = log.folder / path
            owner = staged_epoch(file)
            if owner is not None and owner[1] > _reached(log, owner[0]):
                continue
            file.unlink(missing_ok=True)
            removed.append(path)
        if removed:
            sync_path(log.folder)
    except OSError as error:
        raise file_error(log.store, f"{log.table} cannot be cleaned up", error) from error
    return removed


def _reached(log: DeltaLog, job_id: str) -> int:
    epoch = log.epoch(job_id)
    return -1 if epoch is None else epoch
