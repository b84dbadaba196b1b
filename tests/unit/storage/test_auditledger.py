"""The ledger keeps order, is never changed, and shows it if it was."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.auditledger import AuditLedger


@pytest.fixture
def ledger(tmp_path: Path) -> AuditLedger:
    return AuditLedger(
        tmp_path / "new" / "ledger.sqlite", clock=lambda: datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_entries_come_back_in_order_and_by_what_is_asked(ledger: AuditLedger) -> None:
    assert ledger.last() == 0
    assert ledger.entries() == []
    for number in range(5):
        entry = ledger.append("anna", f"kind-{number % 2}", f"s{number}", {"n": number, "ü": None})
        assert entry.seq == number + 1
    assert ledger.path.stat().st_mode & 0o077 == 0
    everything = ledger.entries()
    assert [entry.seq for entry in everything] == [1, 2, 3, 4, 5]
    assert everything[2].detail == {"n": 2, "ü": None}
    assert everything[0].at == "2026-01-02T00:00:00Z"
    assert [e.seq for e in ledger.entries(actions=["kind-1"], newest_first=True)] == [4, 2]
    assert [e.seq for e in ledger.entries(before=4, after=1, limit=1, newest_first=True)] == [3]
    assert [e.seq for e in ledger.entries(subject="s3")] == [4]
    # Another process sees the same, and goes on from there.
    other = AuditLedger(ledger.path)
    assert other.append("ben", "kind-0", "s9", {}).seq == 6
    assert ledger.last() == ledger.verify() == 6


def test_once_gives_the_first_entry_again(ledger: AuditLedger) -> None:
    first = ledger.append("anna", "acknowledge", "a1", {"n": 1}, once=True)
    assert ledger.append("ben", "acknowledge", "a1", {"n": 2}, once=True) == first
    assert ledger.append("ben", "acknowledge", "a2", {"n": 2}, once=True).seq == 2


def test_what_was_edited_shows(ledger: AuditLedger) -> None:
    for number in range(3):
        ledger.append("anna", "decide", f"s{number}", {"n": number})
    ledger.close()
    with sqlite3.connect(ledger.path) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM pbf_ray_ledger WHERE seq = 2")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("UPDATE pbf_ray_ledger SET by = 'eve'")
        connection.execute("DROP TRIGGER pbf_ray_ledger_no_update")
        connection.execute("UPDATE pbf_ray_ledger SET by = 'eve' WHERE seq = 2")
    connection.close()
    with pytest.raises(StoreContentError, match="entry 2 of the ledger"):
        ledger.verify()
