"""Which dead letters and late records were sent again, and where they lie now.

A table beside the rows themselves (``dead_letter_replays``), so that SQL can join them. An entry
is made before a record is sent and confirmed afterwards: a replay that was interrupted in
between knows which records it has to look for before it sends them again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from pbf_ray.storage.sqlitefile import SqliteFile

__all__ = ["ReplayEntry", "ReplayJournal", "SqliteReplayJournal"]

_TABLE: Final = """CREATE TABLE IF NOT EXISTS dead_letter_replays (
    record_key TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL,
    origin_table TEXT NOT NULL,
    state TEXT NOT NULL,
    edited INTEGER NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER,
    "offset" INTEGER,
    sent_after TEXT NOT NULL,
    began_at TEXT NOT NULL,
    confirmed_at TEXT
)"""


@dataclass(frozen=True)
class ReplayEntry:
    """A record that was sent again, or was about to be.

    Attributes:
        record_key: Key of the original.
        table: ``dead_letters`` or ``late_records``.
        topic: Where it was sent to.
        edited: Whether its value was changed.
        state: ``sending``: perhaps it arrived; ``sent``: the broker has acknowledged it.
        partition: Where it lies, None while that is not known.
        offset: Its offset, None while that is not known.
        sent_after: Ends of the topic's partitions before it was sent: it lies behind them.
    """

    record_key: str
    table: str
    topic: str
    edited: bool = False
    state: Literal["sending", "sent"] = "sending"
    partition: int | None = None
    offset: int | None = None
    sent_after: Mapping[int, int] = field(default_factory=dict)


class ReplayJournal(Protocol):
    """The journal of a job, where its dead letters are."""

    def entries(self) -> dict[str, ReplayEntry]:
        """All entries of the job, by record key.

        Raises:
            StoreError: If the store cannot be read.
        """

    def begin(self, entries: Sequence[ReplayEntry]) -> None:
        """Note that records are about to be sent.

        Raises:
            StoreError: If the store cannot be written; nothing is to be sent then.
        """

    def confirm(self, places: Mapping[str, tuple[int, int]]) -> None:
        """Note where records lie now.

        Args:
            places: Partition and offset by record key.
        """

    def give_up(self, record_keys: Sequence[str]) -> None:
        """Forget records that surely did not arrive."""

    def close(self) -> None:
        """Let go of connections."""


class SqliteReplayJournal:
    """The journal in the SQLite file of the result tables.

    Args:
        path: The SQLite file with the result tables.
        job_id: The job.
    """

    def __init__(self, path: Path, job_id: str) -> None:
        self._file = SqliteFile(path, name=f"sqlite:{path}", busy_timeout_s=10.0)
        self._job_id = job_id

    def entries(self) -> dict[str, ReplayEntry]:
        """All entries of the job, by record key.

        Raises:
            StoreError: If the file cannot be read.
        """
        with self._file.reading() as connection:
            known = connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'dead_letter_replays'"
            ).fetchone()
            if known is None:
                return {}
            rows = connection.execute(
                "SELECT record_key, origin_table, topic, edited, state, partition, "
                '"offset", sent_after FROM dead_letter_replays WHERE job_id = ?',
                (self._job_id,),
            ).fetchall()
        return {
            key: ReplayEntry(
                key,
                table,
                topic,
                bool(edited),
                state,
                partition,
                offset,
                {int(number): end for number, end in json.loads(after).items()},
            )
            for key, table, topic, edited, state, partition, offset, after in rows
        }

    def begin(self, entries: Sequence[ReplayEntry]) -> None:
        """Note that records are about to be sent.

        Raises:
            StoreError: If the file cannot be written; nothing is to be sent then.
        """
        now = datetime.now(UTC).isoformat()
        with self._file.writing() as connection:
            connection.execute(_TABLE)
            connection.executemany(
                "INSERT OR REPLACE INTO dead_letter_replays "
                "(record_key, job_id, origin_table, state, edited, topic, sent_after, began_at) "
                "VALUES (?, ?, ?, 'sending', ?, ?, ?, ?)",
                [
                    (
                        entry.record_key,
                        self._job_id,
                        entry.table,
                        int(entry.edited),
                        entry.topic,
                        json.dumps(dict(entry.sent_after)),
                        now,
                    )
                    for entry in entries
                ],
            )

    def confirm(self, places: Mapping[str, tuple[int, int]]) -> None:
        """Note where records lie now.

        Args:
            places: Partition and offset by record key.
        """
        now = datetime.now(UTC).isoformat()
        with self._file.writing() as connection:
            connection.executemany(
                "UPDATE dead_letter_replays SET state = 'sent', partition = ?, "
                '"offset" = ?, confirmed_at = ? WHERE record_key = ?',
                [(partition, offset, now, key) for key, (partition, offset) in places.items()],
            )

    def give_up(self, record_keys: Sequence[str]) -> None:
        """Forget records that surely did not arrive."""
        with self._file.writing() as connection:
            connection.executemany(
                "DELETE FROM dead_letter_replays WHERE record_key = ? AND state = 'sending'",
                [(key,) for key in record_keys],
            )

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
