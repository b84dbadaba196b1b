"""Sending dead letters and late records again, so that each arrives once.

Per batch: an entry in the journal, the records, the confirmation. Whoever is interrupted between
the first and the last leaves entries without confirmation; the next replay looks for those
records behind the end that their topic had before, by their header, and sends only what is not
there.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pbf_ray.config import Settings
from pbf_ray.errors import PbfRayError, RecordRefusedError, TopicMissingError
from pbf_ray.kafka.confirmed import ConfirmedSender, OutgoingRecord
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.origin import replay_headers
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.storage.replay_journal import ReplayEntry, ReplayJournal

__all__ = ["Edit", "Problem", "Replay", "ReplayResult"]

_BATCH: Final = 500
_SCAN: Final = 20_000
_NOT_TAKEN: Final = (RecordRefusedError, TopicMissingError)
"""Behind any other error a record may have arrived: its acknowledgement was lost, or came late."""

Edit = Callable[[bytes | None], bytes | None]
"""Makes the new value of a record from the old one; raises ``PbfRayError`` to leave it out."""

Row = Mapping[str, Any]
RawRecord = tuple[bytes | None, bytes | None]


@dataclass(frozen=True)
class Problem:
    """Why a record would not be taken: a reason code, and a text."""

    reason: str
    detail: str


@dataclass
class ReplayResult:
    """What became of the records.

    Attributes:
        sent: Sent and acknowledged now; with ``dry_run`` those that would be sent.
        found: Sent by an earlier, interrupted replay, and confirmed now.
        before: Left out: sent again before.
        bad: Left out: they would be dead letters again; place, and why.
        failed: Not sent, or not edited; place, and why.
        dry_run: Nothing was sent.
    """

    sent: int = 0
    found: int = 0
    before: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    dry_run: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class _Letter:
    row: Row
    key: bytes | None
    value: bytes | None
    edited: bool

    @property
    def place(self) -> str:
        return f"{self.row['topic']}/{self.row['partition']}/{self.row['offset']}"

    @property
    def record_key(self) -> str:
        return str(self.row["record_key"])


class Replay:
    """One replay.

    Args:
        settings: The settings of the job.
        journal: What was sent before.
        table: Where the originals lie.
        topic: Where to, instead of the origin topics.
        edit: Makes new values.
        problem_of: Says why values would not be taken; None sends them anyway.
        again: Send also what was sent before.
    """

    def __init__(
        self,
        settings: Settings,
        journal: ReplayJournal,
        *,
        table: str,
        topic: str | None,
        edit: Edit | None,
        problem_of: Callable[[Sequence[bytes | None]], list[Problem | None]] | None,
        again: bool,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._table = table
        self._topic = topic
        self._edit = edit
        self._problem_of = problem_of
        self._again = again

    def run(self, rows: Sequence[Row], raw: Sequence[RawRecord], *, dry_run: bool) -> ReplayResult:
        """Send what is to be sent.

        Args:
            rows: Of the table.
            raw: Key and value of each.
            dry_run: Send nothing, and change nothing.

        Raises:
            BrokerError: If the broker does not answer.
            PbfRayError: If another replay of this job is under way.
        """
        result = ReplayResult(dry_run=dry_run)
        with self._alone():
            letters = self._not_sent(rows, raw, result)
            letters = self._good(self._edited(letters, result), result)
            if dry_run:
                result.sent = len(letters)
                return result
            letters = self._not_found(letters, result)
            if letters:
                self._send(letters, result)
        return result

    # -- choosing --------------------------------------------------------------------------

    def _not_sent(
        self, rows: Sequence[Row], raw: Sequence[RawRecord], result: ReplayResult
    ) -> list[_Letter]:
        entries = self._journal.entries()
        letters = []
        for row, (key, value) in zip(rows, raw, strict=True):
            entry = entries.get(row["record_key"])
            if entry is not None and entry.state == "sent" and not self._again:
                result.before += 1
                continue
            letters.append(_Letter(row, key, value, edited=False))
        return letters

    def _edited(self, letters: list[_Letter], result: ReplayResult) -> list[_Letter]:
        if self._edit is None:
            return letters
        edited = []
        for letter in letters:
            try:
                value = self._edit(letter.value)
            except PbfRayError as error:
                result.failed.append((letter.place, error.what))
                continue
            edited.append(_Letter(letter.row, letter.key, value, edited=value != letter.value))
        return edited

    def _good(self, letters: list[_Letter], result: ReplayResult) -> list[_Letter]:
        if self._problem_of is None or not letters:
            return letters
        good = []
        problems = self._problem_of([letter.value for letter in letters])
        for letter, problem in zip(letters, problems, strict=True):
            if problem is None:
                good.append(letter)
            else:
                result.bad.append((letter.place, f"{problem.reason}: {problem.detail}"))
        return good

    def _not_found(self, letters: list[_Letter], result: ReplayResult) -> list[_Letter]:
        """Confirm what an interrupted replay has sent."""
        entries = self._journal.entries()
        unsure = {
            letter.record_key: entries[letter.record_key]
            for letter in letters
            if letter.record_key in entries and entries[letter.record_key].state == "sending"
        }
        if not unsure:
            return letters
        there = self._search(unsure)
        if there:
            self._journal.confirm(there)
        result.found += len(there)
        return [letter for letter in letters if letter.record_key not in there]

    def _search(self, unsure: Mapping[str, ReplayEntry]) -> dict[str, tuple[int, int]]:
        """Where records with these origins lie, behind the ends of before."""
        kafka = self._settings.kafka
        client = kafka.client_config()
        starts: dict[tuple[str, int], int] = {}
        for entry in unsure.values():
            for partition, after in entry.sent_after.items():
                at = (entry.topic, partition)
                starts[at] = min(after, starts.get(at, after))
        view = ClusterView(kafka.bootstrap_servers, sorted({topic for topic, _ in starts}), client)
        held = view.ranges(starts)
        there: dict[str, tuple[int, int]] = {}
        with PartitionReader(kafka.bootstrap_servers, client, max_ahead_bytes=0) as reader:
            for at, start in sorted(starts.items()):
                first, end = held[at]
                for begin in range(max(first, start), end, _SCAN):
                    batch = reader.read({at: (begin, min(begin + _SCAN, end))}, timeout_s=20.0)
                    for index, origin in batch.replay_of.items():
                        if origin in unsure:
                            there[origin] = (at[1], int(batch.offset[index]))
        return there

    # -- sending ---------------------------------------------------------------------------

    def _send(self, letters: list[_Letter], result: ReplayResult) -> None:
        kafka = self._settings.kafka
        client = kafka.client_config()
        topics = sorted({self._topic or letter.row["topic"] for letter in letters})
        view = ClusterView(kafka.bootstrap_servers, topics, client)
        ends = view.ends(view.describe().partitions)
        with ConfirmedSender(kafka.bootstrap_servers, client) as sender:
            for start in range(0, len(letters), _BATCH):
                self._send_batch(letters[start : start + _BATCH], sender, ends, result)

    def _send_batch(
        self,
        letters: list[_Letter],
        sender: ConfirmedSender,
        ends: Mapping[tuple[str, int], int],
        result: ReplayResult,
    ) -> None:
        topics = [self._topic or str(letter.row["topic"]) for letter in letters]
        self._journal.begin(
            [
                ReplayEntry(
                    letter.record_key,
                    self._table,
                    topic,
                    letter.edited,
                    sent_after={
                        number: end for (name, number), end in ends.items() if name == topic
                    },
                )
                for letter, topic in zip(letters, topics, strict=True)
            ]
        )
        outcomes = sender.send(
            [
                OutgoingRecord(
                    topic,
                    letter.key,
                    letter.value,
                    # Where it came from: event time knows this partition for its build.
                    partition=letter.row["partition"] if self._topic is None else None,
                    headers=replay_headers(
                        letter.record_key, table=self._table, topic=str(letter.row["topic"])
                    ),
                )
                for letter, topic in zip(letters, topics, strict=True)
            ]
        )
        told = list(zip(letters, outcomes, strict=True))
        self._journal.confirm(
            {letter.record_key: (o.partition, o.offset) for letter, o in told if o.error is None}
        )
        # Only what the broker has refused did surely not arrive; the rest is looked for next time.
        self._journal.give_up(
            [letter.record_key for letter, o in told if isinstance(o.error, _NOT_TAKEN)]
        )
        result.sent += sum(outcome.error is None for outcome in outcomes)
        result.failed += [(letter.place, o.error.what) for letter, o in told if o.error]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One replay of a job at a time."""
        path = self._settings.stores_root / ".replay.lock"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PbfRayError(
                    f"another replay of job {self._settings.job.name} is under way",
                    advice="wait for its end",
                ) from error
            yield
