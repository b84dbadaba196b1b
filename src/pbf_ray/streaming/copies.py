"""Copies of dead letters and late records on Kafka topics: after the commit, at least once.

The tables are the truth, and exactly once. A copy is made from a committed epoch, in a thread of
its own, and a mark in the checkpoint says up to which epoch that is done: whoever dies in
between, the next run publishes the rest, perhaps some of it again. The key of a copy is the
``record_key``, so that what comes twice can be told. A topic that is away delays its copies,
and the status shows it; the stream does not wait for them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import DEAD_LETTERS, LATE_RECORDS, RECORD_SCHEMA
from pbf_ray.errors import PbfRayError, RecordRefusedError
from pbf_ray.kafka.confirmed import OutgoingRecord
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.origin import copy_headers
from pbf_ray.kafka.raw_records import Place
from pbf_ray.logs import get_logger
from pbf_ray.storage.base import EpochCommit
from pbf_ray.streaming.checkpoint import CheckpointLog

__all__ = ["Copies", "CopyPublisher", "CopyStanding", "as_json", "copies_of"]

_log = get_logger(__name__)

_CHUNK: Final = 1000
_MOST_WAITING: Final = 10_000
"""Rows kept in memory; beyond that they are read from the table again."""
_LONGEST_PAUSE_S: Final = 30.0
_BLOCKED_S: Final = 20.0
"""Longest time that one try may take."""
_DETAIL: Final = 500

RawRecords = Callable[[list[Place]], Mapping[Place, tuple[bytes | None, bytes | None]]]
"""Key and value of records as they lie in Kafka; those that are gone are left out."""


class _Sender(Protocol):
    def send(self, records: Sequence[OutgoingRecord]) -> list[Delivery]: ...

    def close(self) -> None: ...


class _Tables(Protocol):
    def read(
        self, name: str, *, job_id: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table: ...


@dataclass(frozen=True)
class CopyStanding:
    """How far the copies of a table are.

    Attributes:
        table: Name of the table.
        topic: Where its copies go.
        epoch: All committed rows up to this epoch are published.
        published: Copies acknowledged in this run.
        waiting: Rows known to wait; more may stand in the table.
        problem: Why nothing goes out just now, empty if all is well.
    """

    table: str
    topic: str
    epoch: int = 0
    published: int = 0
    waiting: int = 0
    problem: str = ""


class CopyPublisher:
    """Publishes the copies of one table.

    Args:
        log: Where the mark is kept.
        job_id: The job.
        table: ``dead_letters`` or ``late_records``.
        topic: Where to.
        tables: Reads the table, for what is not in memory.
        sender: Makes the connection, when there is something to send.
        raw: Finds the raw bytes of late records.
    """

    def __init__(
        self,
        log: CheckpointLog,
        job_id: str,
        table: str,
        topic: str,
        *,
        tables: _Tables,
        sender: Callable[[], _Sender],
        raw: RawRecords,
    ) -> None:
        self._log = log
        self._job_id = job_id
        self._tables = tables
        self._make_sender = sender
        self._sender: _Sender | None = None
        self._raw = raw
        self._changed = threading.Condition()
        self._queue: deque[tuple[int, list[dict[str, Any]]]] = deque()
        self._behind = True
        self._committed = 0
        self._closing_s: float | None = None
        self._standing = CopyStanding(table, topic, epoch=log.published(table))
        self._thread = threading.Thread(target=self._run, name=f"copies-{table}", daemon=True)

    # -- from the pipeline's thread --------------------------------------------------------

    def stands_at(self, committed_epoch: int) -> None:
        """The run starts, or starts again, from this commit: whoever made it."""
        with self._changed:
            if self._thread.ident is None:
                self._committed = committed_epoch
                self._behind = committed_epoch > self._standing.epoch
                self._thread.start()
            elif committed_epoch > self._committed:
                self._committed = committed_epoch
                self._behind = True
                self._changed.notify()

    def offer(self, write: EpochCommit) -> None:
        """An epoch is committed: its rows may go out. Returns at once."""
        rows = self._rows_of(write)
        with self._changed:
            self._committed = write.epoch
            if self._behind or rows == []:
                return
            waiting = sum(len(some) for _, some in self._queue) + len(rows or ())
            if rows is None or waiting > _MOST_WAITING:
                self._queue.clear()
                self._behind = True
            else:
                self._queue.append((write.epoch, rows))
            self._standing = replace(self._standing, waiting=waiting)
            self._changed.notify()

    def standing(self) -> CopyStanding:
        """How far it is."""
        with self._changed:
            return self._standing

    def close(self, patience_s: float) -> None:
        """Publish what waits, for so long at most; the next run does the rest."""
        with self._changed:
            self._closing_s = time.monotonic() + patience_s
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(patience_s + _BLOCKED_S)

    def _rows_of(self, write: EpochCommit) -> list[dict[str, Any]] | None:
        """Rows of an epoch; None if they were staged as files, and have to be read."""
        rows: dict[str, dict[str, Any]] = {}
        for staged in write.rows:
            if staged.table != self._standing.table:
                continue
            if isinstance(staged.payload, tuple):
                return None
            # A further output may have been given the same rows.
            rows.update((row["record_key"], row) for row in staged.payload.to_pylist())
        return list(rows.values())

    # -- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                if not self._step():
                    break
                failures = 0
            except Exception as error:  # noqa: BLE001 - copies must never take the stream down
                failures += 1
                self._hindered(error)
                if not self._again(error, min(0.5 * 2.0**failures, _LONGEST_PAUSE_S)):
                    break
        self._drop_sender()

    def _again(self, error: Exception, pause_s: float) -> bool:
        """Wait before the next try; False if there is to be none."""
        with self._changed:
            if self._closing_s is None:
                self._changed.wait_for(lambda: self._closing_s is not None, pause_s)
                return True
            # A topic that does not exist will not come to exist while the job ends.
            if not (isinstance(error, PbfRayError) and error.transient):
                return False
            if time.monotonic() + 0.5 > self._closing_s:
                return False
            self._changed.wait(0.5)
            return True

    def _step(self) -> bool:
        """Publish an epoch or what the table holds; False when it is time to end."""
        with self._changed:
            while not self._behind and not self._queue:
                if self._closing_s is not None:
                    return False
                self._changed.wait()
            behind, until = self._behind, self._committed
            epoch, rows = (until, []) if behind else self._queue[0]
        if behind:
            rows = self._from_table(until)
        self._publish(rows)
        if rows:
            self._log.write_published(self._standing.table, epoch)
        with self._changed:
            # Meanwhile more may have been committed: what was not queued is in the table.
            if behind:
                self._behind = self._committed > until
            if not behind and self._queue and self._queue[0][0] == epoch:
                self._queue.popleft()
            waiting = sum(len(some) for _, some in self._queue)
            self._standing = replace(self._standing, epoch=epoch, waiting=waiting, problem="")
        return True

    def _from_table(self, until: int) -> list[dict[str, Any]]:
        table, after = self._standing.table, self._standing.epoch

        def wanted(rows: pa.Table) -> pa.ChunkedArray:
            return pc.and_(pc.greater(rows["epoch"], after), pc.less_equal(rows["epoch"], until))

        epochs = self._tables.read(table, job_id=self._job_id, columns=["epoch"])
        if not pc.any(wanted(epochs)).as_py():
            return []
        rows = self._tables.read(table, job_id=self._job_id)
        found: list[dict[str, Any]] = rows.filter(wanted(rows)).sort_by("epoch").to_pylist()
        return found

    def _publish(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows and self._sender is None:
            self._sender = self._make_sender()
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            raw: Mapping[Place, tuple[bytes | None, bytes | None]] = {}
            if self._standing.table == LATE_RECORDS.name:
                raw = self._raw([_place(row) for row in chunk])
            self._deliver(copies_of(self._standing.table, self._standing.topic, chunk, raw))

    def _deliver(self, records: Sequence[OutgoingRecord]) -> None:
        assert self._sender is not None  # noqa: S101 - for the type checker
        outcomes = self._sender.send(records)
        large = [
            _without_value(record)
            for record, outcome in zip(records, outcomes, strict=True)
            if isinstance(outcome.error, RecordRefusedError)
        ]
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        problems = [error for error in errors if not isinstance(error, RecordRefusedError)]
        if large:
            problems += [o.error for o in self._sender.send(large) if o.error is not None]
        if problems:
            raise problems[0]
        with self._changed:
            done = self._standing.published + len(records)
            self._standing = replace(self._standing, published=done)

    def _drop_sender(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _hindered(self, error: Exception) -> None:
        # A producer that has failed may stay so for ever; the next try makes another.
        self._drop_sender()
        problem = error.what if isinstance(error, PbfRayError) else f"{error!r}"
        with self._changed:
            new = problem != self._standing.problem
            self._standing = replace(self._standing, problem=problem)
        if new:
            _log.warning(
                "copies cannot be published, trying again; nothing is lost",
                table=self._standing.table,
                topic=self._standing.topic,
                problem=problem,
            )


class Copies:
    """The copies of all tables that have a topic.

    Args:
        publishers: One per table.
    """

    def __init__(self, publishers: Sequence[CopyPublisher] = ()) -> None:
        self._publishers = tuple(publishers)

    def stands_at(self, committed_epoch: int) -> None:
        """The run starts, or starts again, from this commit."""
        for publisher in self._publishers:
            publisher.stands_at(committed_epoch)

    def offer(self, write: EpochCommit) -> None:
        """An epoch is committed."""
        for publisher in self._publishers:
            publisher.offer(write)

    def standing(self) -> list[CopyStanding]:
        """How far they are."""
        return [publisher.standing() for publisher in self._publishers]

    def close(self, patience_s: float = 10.0) -> None:
        """Publish what waits, for so long at most."""
        for publisher in self._publishers:
            publisher.close(patience_s)


def copies_of(
    table: str,
    topic: str,
    rows: Sequence[Mapping[str, Any]],
    raw: Mapping[Place, tuple[bytes | None, bytes | None]],
) -> list[OutgoingRecord]:
    """The copies of rows: key ``record_key``, value as it came, everything else in headers.

    Args:
        table: ``dead_letters`` or ``late_records``.
        topic: Where to.
        rows: Rows of that table.
        raw: Key and value by place, for late records, whose table has the decoded fields only.
    """
    copies = []
    for row in rows:
        if table == DEAD_LETTERS.name:
            key, value = row["key"], row["value"]
            stamp = row["kafka_timestamp"]
            facts = {
                "reason": row["reason"],
                "detail": row["detail"][:_DETAIL],
                "origin-timestamp-ms": -1 if stamp is None else round(stamp.timestamp() * 1000),
            }
        else:
            found = raw.get(_place(row))
            key, value = found if found is not None else (None, as_json(row))
            facts = {
                "reason": "late",
                "watermark": repr(row["watermark"]),
                "value": None if found is not None else "written anew: the broker has it no more",
            }
        headers = copy_headers(
            {
                **facts,
                "job": row["job_id"],
                "epoch": row["epoch"],
                "origin-topic": row["topic"],
                "origin-partition": row["partition"],
                "origin-offset": row["offset"],
                "source-id": row["source_id"],
            }
        )
        if key is not None:
            headers.append(("pbf-origin-key", key))
        copies.append(
            OutgoingRecord(topic, row["record_key"].encode(), value, headers=tuple(headers))
        )
    return copies


def as_json(row: Mapping[str, Any]) -> bytes:
    """A decoded record as JSON that ``from_json`` reads back to the same values."""
    return json.dumps({name: row[name] for name in RECORD_SCHEMA.names}).encode()


def _place(row: Mapping[str, Any]) -> Place:
    return row["topic"], row["partition"], row["offset"]


def _without_value(record: OutgoingRecord) -> OutgoingRecord:
    size = len(record.value or b"")
    note = ("pbf-value", f"left out: {size} bytes are too large for this topic".encode())
    return replace(record, value=None, headers=(*record.headers, note))
