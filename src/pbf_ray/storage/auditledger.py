"""What people decided, in order and for ever: an SQLite file that is only appended to.

Each entry carries the SHA-256 of itself and of the entry before, so that a changed or removed
entry shows; triggers refuse UPDATE and DELETE to whoever opens the file without ill will.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.sqlitefile import SqliteFile

__all__ = ["AuditLedger", "LedgerEntry"]

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS pbf_ray_ledger (
        seq INTEGER NOT NULL PRIMARY KEY, at TEXT NOT NULL, by TEXT NOT NULL,
        action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, digest TEXT NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS pbf_ray_ledger_action ON pbf_ray_ledger (action, subject)",
    """CREATE TRIGGER IF NOT EXISTS pbf_ray_ledger_no_update BEFORE UPDATE ON pbf_ray_ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS pbf_ray_ledger_no_delete BEFORE DELETE ON pbf_ray_ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
)

_COLUMNS: Final = "seq, at, by, action, subject, detail, digest"


@dataclass(frozen=True)
class LedgerEntry:
    """One entry.

    Attributes:
        seq: Number from 1, without gaps.
        at: When, ISO 8601 in UTC.
        by: Who.
        action: What was done, for example ``decision.record``.
        subject: To what: an id of a build, an alert, a token.
        detail: The facts, JSON-ready.
        digest: SHA-256 in hex of this entry and the digest before it.
    """

    seq: int
    at: str
    by: str
    action: str
    subject: str
    detail: dict[str, Any]
    digest: str


class AuditLedger:
    """Entries in an SQLite file.

    Args:
        path: The file; it and its folder are made by the first entry, for its owner alone.
        clock: The time of new entries.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.path = Path(path).absolute()
        self.name = f"sqlite:{self.path}"
        self._clock = clock or _now
        self._file = SqliteFile(self.path, name=self.name, busy_timeout_s=10.0)

    def append(
        self,
        by: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any],
        *,
        once: bool = False,
    ) -> LedgerEntry:
        """Add an entry; it is on the disk when this returns.

        Args:
            by: Who.
            action: What was done.
            subject: To what.
            detail: The facts, JSON-ready.
            once: If there is an entry of this action and subject, return the first in its place.

        Raises:
            StoreError: The file cannot be written.
        """
        text = json.dumps(dict(detail), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        with self._file.writing() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)
            if once:
                row = connection.execute(
                    f"SELECT {_COLUMNS} FROM pbf_ray_ledger "  # noqa: S608
                    "WHERE action = ? AND subject = ? ORDER BY seq LIMIT 1",
                    (action, subject),
                ).fetchone()
                if row is not None:
                    return _entry(row)
            last = connection.execute(
                "SELECT seq, digest FROM pbf_ray_ledger ORDER BY seq DESC LIMIT 1"
            ).fetchone()
            seq, before = (last[0] + 1, last[1]) if last is not None else (1, "")
            values = (seq, self._clock().isoformat().replace("+00:00", "Z"), by, action, subject)
            digest = _digest(before, *values, text)
            connection.execute(
                "INSERT INTO pbf_ray_ledger VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, text, digest)
            )
        return _entry((*values, text, digest))

    def last(self) -> int:
        """Number of the last entry; 0 without any."""
        rows = self._rows("SELECT coalesce(max(seq), 0) FROM pbf_ray_ledger", ())
        return int(rows[0][0]) if rows else 0

    def entries(
        self,
        *,
        actions: Sequence[str] = (),
        subject: str | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[LedgerEntry]:
        """Entries by number.

        Args:
            actions: Of these actions; empty: of all.
            subject: Of this subject.
            after: Behind this number.
            before: Before this number.
            limit: At most so many.
            newest_first: From the last to the first.

        Raises:
            StoreError: The file cannot be read.
        """
        where, values = ["seq > ?"], [after]
        bound: list[Any] = list(values)
        if actions:
            where.append(f"action IN ({', '.join('?' * len(actions))})")
            bound += actions
        if subject is not None:
            where.append("subject = ?")
            bound.append(subject)
        if before is not None:
            where.append("seq < ?")
            bound.append(before)
        sql = (
            f"SELECT {_COLUMNS} FROM pbf_ray_ledger WHERE {' AND '.join(where)} "  # noqa: S608
            f"ORDER BY seq {'DESC' if newest_first else 'ASC'}"
        )
        if limit is not None:
            sql += " LIMIT ?"
            bound.append(limit)
        return [_entry(row) for row in self._rows(sql, bound)]

    def verify(self) -> int:
        """Hold every entry against its digest and the one before.

        Returns:
            How many there are.

        Raises:
            StoreContentError: An entry was changed, removed or put in between.
        """
        digest, count = "", 0
        for row in self._rows(f"SELECT {_COLUMNS} FROM pbf_ray_ledger ORDER BY seq", ()):  # noqa: S608
            count += 1
            digest = _digest(digest, *row[:6])
            if row[0] != count or row[6] != digest:
                raise StoreContentError(
                    self.name,
                    f"entry {count} of the ledger is not what was written",
                    advice="compare it with a copy: somebody has edited the file",
                    seq=count,
                )
        return count

    def close(self) -> None:
        """Close the connection; the next entry opens it again."""
        self._file.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if not self.path.exists() or not self.path.stat().st_size:
            return []
        with self._file.reading() as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
        return found


def _entry(row: Sequence[Any]) -> LedgerEntry:
    seq, at, by, action, subject, detail, digest = row
    return LedgerEntry(seq, at, by, action, subject, json.loads(detail), digest)


def _digest(before: str, *parts: object) -> str:
    text = json.dumps([before, *parts], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
