"""The journal of replays: begun, confirmed, given up; beside other tables of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.replay_journal import ReplayEntry, SqliteReplayJournal
from pbf_ray.storage.sqlite import SqliteStore
from support.store_suite import SECOND, numbered, write

ONE = ReplayEntry("k1", "dead_letters", "t", edited=True, sent_after={0: 5, 11: 7})
TWO = ReplayEntry("k2", "late_records", "t")


def test_an_entry_from_beginning_to_end(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "operational.sqlite")
    store.prepare([SECOND])
    store.claim("job", 1)
    journal = SqliteReplayJournal(store.path, "job")
    assert journal.entries() == {}
    journal.begin([ONE, TWO])
    assert journal.entries() == {"k1": ONE, "k2": TWO}
    journal.confirm({"k1": (3, 40)})
    journal.give_up(["k1", "k2", "k3"])
    sent = replace(ONE, state="sent", partition=3, offset=40)
    assert journal.entries() == {"k1": sent}, "what was sent cannot be given up"
    assert SqliteReplayJournal(store.path, "another").entries() == {}
    journal.begin([ONE])
    assert journal.entries() == {"k1": ONE}, "sent once more"
    # The store of the same file goes on beside it.
    assert write(store, [(SECOND, numbered(SECOND, 2))], epoch=0)
    store.prepare([SECOND])
    journal.close()
    store.close()


def test_without_a_file_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(StoreContentError, match="no such file"):
        SqliteReplayJournal(tmp_path / "none.sqlite", "job").entries()
