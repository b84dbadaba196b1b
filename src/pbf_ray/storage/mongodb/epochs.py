"""Epochs without transactions: proposed by one compare-and-set, applied, confirmed by another.

A job has one document in ``pbf_ray_jobs``: ``{_id, incarnation, generation, epoch, pending}``. To
commit an epoch, a run

1. *stages* the finished documents of all tables in ``pbf_ray_staged``, under a name of its own;
2. *proposes*: sets ``pending`` to that name, if the job is still its own, stands at the epoch
   before, and has nothing pending. What the epoch holds is decided from then on;
3. *applies*: writes the documents to the collections by key;
4. *confirms*: moves ``epoch`` and takes ``pending`` away, if the job is still its own.

Whoever finds something pending (after a crash between 2 and 4, or as a newer run) applies and
confirms *that*, never rows of its own for the same epoch. So an epoch has one content, and who
applies it twice, or late, writes the same again. A row says in ``_pbf_ray`` which generation
and epoch of its job wrote it, and gives way only to later ones: a run that was fenced off in the
middle of 3 and wakes up changes nothing that a newer one has written. Clearing a job begins a new
generation, before which rows do not count, also those that such a run may still write.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bson.raw_bson import RawBSONDocument
from pymongo.collection import ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.synchronous.database import Database

from pbf_ray.errors import FencedError, StoreContentError
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.mongodb.bulk import Encoded, insert, replace
from pbf_ray.storage.mongodb.columns import ROW

__all__ = ["EpochRows", "JobState", "MOST_ROW_BYTES", "Pending", "apply", "claim", "confirm",
           "drop_staged", "job_state", "propose", "row_mark", "stage", "staged_rows",
           "start_generation", "unseen"]  # fmt: skip

_JOBS: Final = "pbf_ray_jobs"
_STAGED: Final = "pbf_ray_staged"
_PIECE_BYTES: Final = 4 << 20
MOST_ROW_BYTES: Final = (16 << 20) - (16 << 10)
"""A row has to fit, with what stands around it, into one staged document."""

_Database = Database[dict[str, Any]]
Changes = Literal["append", "upsert"]


@dataclass(frozen=True)
class Pending:
    """An epoch whose content is decided, but perhaps not everywhere yet."""

    attempt: str
    epoch: int
    pieces: int


@dataclass(frozen=True)
class JobState:
    """What the document of a job says; ``epoch`` is the last that is applied as a whole."""

    incarnation: int | None = None
    generation: int = 0
    epoch: int | None = None
    pending: Pending | None = None


@dataclass(frozen=True)
class EpochRows:
    """Documents of one table within an epoch."""

    table: str
    changes: Changes
    documents: Sequence[Encoded]


def job_state(database: _Database, job_id: str) -> JobState:
    """Where a job stands."""
    return _state(database[_JOBS].find_one({"_id": job_id}))


def claim(database: _Database, job_id: str, incarnation: int, *, store: str) -> JobState:
    """Make a run the one that may write; remove what older ones have only staged.

    Raises:
        FencedError: A newer run is known.
    """
    try:
        found = database[_JOBS].find_one_and_update(
            {"_id": job_id},
            {
                "$max": {"incarnation": incarnation},
                "$setOnInsert": {"generation": 0, "epoch": None, "pending": None},
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # another one was first to make it
        return claim(database, job_id, incarnation, store=store)
    state = _state(found)
    if state.incarnation is not None and state.incarnation > incarnation:
        raise FencedError(job_id, mine=incarnation, newer=state.incarnation, where=store)
    # What an older run has staged and not proposed, it cannot propose any more.
    kept = "" if state.pending is None else state.pending.attempt
    database[_STAGED].delete_many(
        {"job_id": job_id, "incarnation": {"$lt": incarnation}, "attempt": {"$ne": kept}}
    )
    return state


def row_mark(job_id: str, generation: int, epoch: int) -> dict[str, Any]:
    """What a row says of who wrote it."""
    return {"job_id": job_id, "generation": generation, "epoch": epoch}


def stage(database: _Database, write: EpochCommit, rows: Sequence[EpochRows]) -> Pending:
    """Put the documents of an epoch where any process finds them."""
    attempt = uuid.uuid4().hex
    number = 0
    try:
        for part in rows:
            for piece in _pieces(part.documents):
                database[_STAGED].insert_one(
                    {
                        "_id": f"{attempt}/{number}",
                        "attempt": attempt,
                        "job_id": write.job_id,
                        "incarnation": write.incarnation,
                        "epoch": write.epoch,
                        "table": part.table,
                        "changes": part.changes,
                        "documents": piece,
                    }
                )
                number += 1
    except BaseException:
        _discard(database, attempt)
        raise
    return Pending(attempt, write.epoch, number)


def propose(database: _Database, write: EpochCommit, state: JobState, pending: Pending) -> bool:
    """Decide what the epoch holds; False if the job is no longer as it was seen."""
    decided = {"attempt": pending.attempt, "epoch": pending.epoch, "pieces": pending.pieces}
    expected = {"generation": state.generation, "epoch": state.epoch, "pending": None}
    # An epoch without rows is applied by being noted.
    change: dict[str, Any] = {"pending": decided} if pending.pieces else {"epoch": pending.epoch}
    moved = database[_JOBS].update_one(
        {"_id": write.job_id, "incarnation": write.incarnation, **expected}, {"$set": change}
    )
    if not moved.matched_count and pending.pieces:
        _discard(database, pending.attempt)
    return bool(moved.matched_count)


def staged_rows(
    database: _Database, job_id: str, pending: Pending, *, store: str
) -> Iterator[EpochRows]:
    """The documents of what is pending, a piece at a time, unless another one has finished it.

    Raises:
        StoreContentError: They are gone although they are still needed.
    """
    for number in range(pending.pieces):
        piece = database[_STAGED].find_one({"_id": f"{pending.attempt}/{number}"})
        if piece is None:
            if job_state(database, job_id).pending != pending:
                return
            raise StoreContentError(
                store,
                f"piece {number} of epoch {pending.epoch} of job {job_id} is gone from {_STAGED}",
                advice="somebody has removed it; restore the database, or run the job under "
                "another name",
            )
        documents = []
        for data in _split(piece["documents"]):
            raw = RawBSONDocument(data)
            documents.append(Encoded(raw["_id"], raw))
        yield EpochRows(piece["table"], piece["changes"], documents)


def apply(database: _Database, rows: EpochRows, *, generation: int, epoch: int) -> None:
    """Write documents by key; what later epochs have written stays."""
    collection = database[rows.table]
    mark = f"{ROW}.generation"
    older: dict[str, Any] = {mark: {"$lt": generation}}
    if rows.changes == "append":
        there = insert(collection, rows.documents)
        if there and generation:
            # Perhaps they are rows from before the job was cleared.
            replace(collection, there, lambda _: older, upsert=False)
        return
    same: dict[str, Any] = {mark: generation, f"{ROW}.epoch": {"$lte": epoch}}
    condition = {"$or": [{ROW: None}, older, same]}
    there = replace(collection, rows.documents, lambda _: condition, upsert=True)
    # Newer ones stay; an older one that came in between gives way.
    replace(collection, there, lambda _: condition, upsert=False)


def confirm(database: _Database, write: EpochCommit, pending: Pending) -> bool:
    """Note that what was pending is applied; False if the job is another's, or it was noted."""
    moved = database[_JOBS].update_one(
        {
            "_id": write.job_id,
            "incarnation": write.incarnation,
            "pending.attempt": pending.attempt,
        },
        {"$set": {"epoch": pending.epoch, "pending": None}},
    )
    return bool(moved.matched_count)


def drop_staged(database: _Database, job_id: str, epoch: int) -> None:
    """Remove what was staged up to an epoch that is applied: it cannot be proposed any more."""
    database[_STAGED].delete_many({"job_id": job_id, "epoch": {"$lte": epoch}})


def start_generation(database: _Database, job_id: str, incarnation: int, state: JobState) -> bool:
    """Let no row of the job count that was written so far; False if the job has changed."""
    moved = database[_JOBS].update_one(
        {"_id": job_id, "incarnation": incarnation, "generation": state.generation},
        {"$set": {"generation": state.generation + 1, "pending": None}},
    )
    return bool(moved.matched_count)


def unseen(database: _Database, job_id: str | None, changes: Changes) -> list[dict[str, Any]]:
    """Conditions on rows that do not count, or not yet.

    Rows of an epoch that is not confirmed are not shown, so that it appears in one instant; where
    rows replace others, the one that is there is shown.
    """
    query = {} if job_id is None else {"_id": job_id}
    found: list[dict[str, Any]] = []
    for entry in database[_JOBS].find(query):
        state = _state(entry)
        mine = {f"{ROW}.job_id": entry["_id"]}
        if state.generation:
            found.append({**mine, f"{ROW}.generation": {"$lt": state.generation}})
        if changes == "append":
            reached = -1 if state.epoch is None else state.epoch
            found.append({**mine, f"{ROW}.epoch": {"$gt": reached}})
    return found


def _state(entry: dict[str, Any] | None) -> JobState:
    if entry is None:
        return JobState()
    given = entry["pending"]
    pending = None
    if given is not None:
        pending = Pending(given["attempt"], int(given["epoch"]), int(given["pieces"]))
    epoch = entry["epoch"]
    return JobState(
        int(entry["incarnation"]),
        int(entry["generation"]),
        None if epoch is None else int(epoch),
        pending,
    )


def _discard(database: _Database, attempt: str) -> None:
    database[_STAGED].delete_many({"attempt": attempt})


def _pieces(documents: Sequence[Encoded]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for document in documents:
        data = bytes(document.raw.raw)
        if parts and size + len(data) > _PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
        parts.append(data)
        size += len(data)
    if parts:
        yield b"".join(parts)


def _split(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + int.from_bytes(data[start : start + 4], "little")
        yield data[start:end]
        start = end
