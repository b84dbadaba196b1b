"""Epochs in warehouses: proposed by one compare-and-set, merged, confirmed by another.

No transaction over several statements is needed; each statement is one. A job has one row in
``pbf_ray_jobs``: ``incarnation, epoch, sequence, cleared, pending``. To commit an epoch, a run

1. *stages* its rows: loads them into tables of their own, whose names nobody else has;
2. *proposes*: sets ``pending`` to those names and the next sequence number, if the job is still
   its own, stands where it stood, and has nothing pending. What the epoch holds is decided;
3. *applies*: merges the staged rows into the tables by key;
4. *confirms*: moves ``epoch`` and ``sequence`` and takes ``pending`` away, if it is still that.

Whoever finds something pending (after a crash between 2 and 4, or as a newer run) applies and
confirms *that*, never rows of its own for the same epoch. So an epoch has one content, and a
merge that is done twice, or late, writes the same again. A row says in ``_pbf_ray_sequence`` by
which step of its job it was written, and gives way only to later ones; rows of a step that is not
confirmed are not shown. Clearing a job raises ``cleared``: rows up to there do not count, also
those that a run which was fenced off may still write.
"""

# ruff: noqa: S608 - names come quoted from the dialect, values are parameters

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from pbf_ray.errors import FencedError, StoreContentError
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.warehouses.session import Parameter, WarehouseSession
from pbf_ray.storage.warehouses.statements import JOBS_TABLE

__all__ = [
    "JobState",
    "Pending",
    "Staged",
    "claim",
    "clear",
    "confirm",
    "create_jobs",
    "job_state",
    "propose",
    "staged_prefix",
    "unique_name",
]

_COLUMNS: Final = ("incarnation", "epoch", "sequence", "cleared", "pending")


@dataclass(frozen=True)
class Staged:
    """Rows that wait in a table of their own.

    Attributes:
        table: The table that they are for.
        place: The one that holds them.
        columns: What its columns ``c0``, ``c1``, ... are called in the table.
    """

    table: str
    place: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Pending:
    """An epoch whose content is decided, but perhaps not everywhere yet.

    Attributes:
        epoch: Its number.
        sequence: Of the step.
        staged: Its rows.
    """

    epoch: int
    sequence: int
    staged: tuple[Staged, ...]

    def text(self) -> str:
        """As it stands in ``pending``."""
        listed = [[one.table, one.place, one.columns] for one in self.staged]
        return json.dumps([self.epoch, self.sequence, listed], separators=(",", ":"))

    @staticmethod
    def of(text: str, *, store: str) -> Pending:
        """The inverse of :meth:`text`.

        Raises:
            StoreContentError: It is no such text.
        """
        try:
            epoch, sequence, listed = json.loads(text)
            staged = tuple(Staged(str(a), str(b), tuple(map(str, c))) for a, b, c in listed)
            return Pending(int(epoch), int(sequence), staged)
        except (ValueError, TypeError) as error:
            raise StoreContentError(
                store, f"{JOBS_TABLE}.pending holds {text!r}, which is not ours"
            ) from error


@dataclass(frozen=True)
class JobState:
    """What the row of a job says; ``epoch`` is the last that is applied as a whole."""

    incarnation: int | None = None
    epoch: int | None = None
    sequence: int = 0
    cleared: int = 0
    pending: Pending | None = None


def create_jobs(session: WarehouseSession) -> None:
    """Make the table of the jobs unless it is there."""
    text, number = session.dialect.types[pa.string()], session.dialect.types[pa.int64()]
    kinds = (number, number, number, number, text)
    lines = [f"{session.dialect.quoted('job_id')} {text} NOT NULL"]
    lines += [
        f"{session.dialect.quoted(name)} {kind}" for name, kind in zip(_COLUMNS, kinds, strict=True)
    ]
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {session.dialect.quoted(JOBS_TABLE)} ({', '.join(lines)})"
    )


def job_state(session: WarehouseSession, job_id: str) -> JobState:
    """Where a job stands."""
    quoted = session.dialect.quoted
    found = session.rows(
        f"SELECT {', '.join(map(quoted, _COLUMNS))} FROM {quoted(JOBS_TABLE)} "
        f"WHERE {quoted('job_id')} = ?",
        [job_id],
    )
    if not found:
        return JobState()
    if len(found) > 1:
        raise StoreContentError(
            session.name,
            f"{JOBS_TABLE} has {len(found)} rows for job {job_id}",
            advice="somebody has written to it; leave the one with the highest epoch",
        )
    incarnation, epoch, sequence, cleared, pending = found[0]
    return JobState(
        int(incarnation),
        None if epoch is None else int(epoch),
        int(sequence),
        int(cleared),
        None if pending is None else Pending.of(pending, store=session.name),
    )


def claim(session: WarehouseSession, job_id: str, incarnation: int) -> JobState:
    """Make a run the one that may write; remove what older ones have only staged.

    Raises:
        FencedError: A newer run is known.
    """
    quoted = session.dialect.quoted
    job, run = quoted("job_id"), quoted("incarnation")
    session.execute(
        f"MERGE INTO {quoted(JOBS_TABLE)} t USING (SELECT ? AS a, {int(incarnation)} AS b) s "
        f"ON t.{job} = s.a WHEN MATCHED AND t.{run} < s.b THEN UPDATE SET {run} = s.b "
        f"WHEN NOT MATCHED THEN INSERT ({job}, {run}, {quoted('sequence')}, {quoted('cleared')}) "
        "VALUES (s.a, s.b, 0, 0)",
        [job_id],
    )
    state = job_state(session, job_id)
    if state.incarnation is not None and state.incarnation > incarnation:
        raise FencedError(job_id, mine=incarnation, newer=state.incarnation, where=session.name)
    return state


def propose(
    session: WarehouseSession, write: EpochCommit, state: JobState, pending: Pending
) -> bool:
    """Decide what the epoch holds; False if the job is no longer as it was seen."""
    quoted = session.dialect.quoted
    if pending.staged:
        change, values = f"{quoted('pending')} = ?", [pending.text()]
    else:
        # An epoch without rows is applied by being noted.
        change = f"{quoted('epoch')} = {int(pending.epoch)}"
        change += f", {quoted('sequence')} = {int(pending.sequence)}"
        values = []
    where = f"{quoted('sequence')} = {int(state.sequence)} AND {quoted('pending')} IS NULL"
    return _moved(session, write.job_id, write.incarnation, change, values, where, [])


def confirm(session: WarehouseSession, write: EpochCommit, pending: Pending) -> bool:
    """Note that what was pending is applied; False if the job is another's, or it was noted."""
    quoted = session.dialect.quoted
    change = (
        f"{quoted('epoch')} = {int(pending.epoch)}, "
        f"{quoted('sequence')} = {int(pending.sequence)}, {quoted('pending')} = NULL"
    )
    where, values = f"{quoted('pending')} = ?", [pending.text()]
    return _moved(session, write.job_id, write.incarnation, change, [], where, values)


def clear(session: WarehouseSession, job_id: str, incarnation: int, state: JobState) -> bool:
    """Let no row of the job count that was written so far; False if the job has changed."""
    quoted = session.dialect.quoted
    # The next number: what was staged before cannot be proposed any more.
    bound = state.sequence + 1
    change = (
        f"{quoted('sequence')} = {bound}, {quoted('cleared')} = {bound}, {quoted('pending')} = NULL"
    )
    where = f"{quoted('sequence')} = {int(state.sequence)}"
    return _moved(session, job_id, incarnation, change, [], where, [])


def staged_prefix(job_id: str) -> str:
    """How the names of the tables begin that hold the staged rows of a job."""
    return f"pbf_ray_staged_{hashlib.sha256(job_id.encode()).hexdigest()[:12]}_"


def unique_name(prefix: str) -> str:
    """A name that nobody else has."""
    return prefix + uuid.uuid4().hex


def _moved(
    session: WarehouseSession,
    job_id: str,
    incarnation: int,
    change: str,
    changed: list[Any],
    where: str,
    sought: list[Any],
) -> bool:
    quoted = session.dialect.quoted
    values: list[Parameter] = [*changed, job_id, *sought]
    return bool(
        session.execute(
            f"UPDATE {quoted(JOBS_TABLE)} SET {change} WHERE {quoted('job_id')} = ? "
            f"AND {quoted('incarnation')} = {int(incarnation)} AND {where}",
            values,
        )
    )
