"""Dead letters and late records of a job: finding them, looking at one, what became of them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.config import Settings
from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import REASONS, from_json
from pbf_ray.errors import PbfRayError
from pbf_ray.jobs.dead_letter_replay import Edit, Problem, Replay, ReplayResult
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.stores import replay_journal
from pbf_ray.storage.replay_journal import ReplayEntry
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.copies import as_json
from pbf_ray.streaming.event_time import EventTimeTracker
from pbf_ray.streaming.ingest import EVENT_TIME_OUT_OF_RANGE, NO_EVENT_TIME
from pbf_ray.streaming.kafka_copies import RawRecordsOnKafka

__all__ = ["DeadLetters", "LetterFilter"]

_LATE: Final = "late"
_PLACE: Final = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)/(?P<partition>\d+)/(?P<offset>\d+)")
_BYTE: Final = re.compile(r"\bat byte (\d+)\b")


@dataclass(frozen=True)
class LetterFilter:
    """Which of them; what is not given does not matter.

    Attributes:
        reasons: Reason codes; for late records there is only ``late``.
        topics: Topics of the originals.
        partitions: Their partitions.
        builds: Builds, where the record tells one.
        since: Set aside at this time or later.
        until: Set aside before this time.
        replayed: Only those that were (or were not) sent again.
        places: ``topic/partition/offset`` or record keys: exactly these.
    """

    reasons: Sequence[str] = ()
    topics: Sequence[str] = ()
    partitions: Sequence[int] = ()
    builds: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    replayed: bool | None = None
    places: Sequence[str] = ()


class DeadLetters:
    """The dead letters of a job, or its late records.

        letters = DeadLetters(Settings.load())
        bad = letters.find(LetterFilter(reasons=["truncated"]))
        letters.replay(bad, edit=lambda value: value + b"}")

    Args:
        settings: The settings that the job runs with.
        table: ``dead_letters`` or ``late_records``.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        table: Literal["dead_letters", "late_records"] = "dead_letters",
    ) -> None:
        self.table = table
        self._settings = settings
        self._results = Results(settings)
        self._journal = replay_journal(settings)

    # -- finding ---------------------------------------------------------------------------

    def find(self, which: LetterFilter | None = None) -> pa.Table:
        """Rows of the table, in the order in which they were set aside.

        Args:
            which: All if not given.

        Returns:
            The columns of the table and: ``reason`` (``late`` for late records), ``build_id`` and
            ``layer`` as far as a dead letter tells them, ``replayed`` (``no``, ``unconfirmed``,
            ``yes``), ``replayed_to`` (``topic/partition/offset``).

        Raises:
            PbfRayError: If the job has written nothing, there is no such reason, or nothing at one
                of the places.
        """
        which = which or LetterFilter()
        rows = self._results.read(self.table)
        self._check(which, rows)
        if self.table == "late_records":
            rows = rows.append_column("reason", pa.array([_LATE] * rows.num_rows, pa.string()))
        rows = self._with_replays(rows)
        # Decoding takes longest: only what has passed the other filters.
        rows = self._with_build(rows.filter(_mask(rows, which)))
        if which.builds:
            rows = rows.filter(
                pc.is_in(rows["build_id"], value_set=pa.array(list(which.builds), pa.string()))
            )
        order = [(name, "ascending") for name in ("epoch", "topic", "partition", "offset")]
        return rows.sort_by(order)

    def get(self, place: str) -> dict[str, Any]:
        """One of them, with its raw bytes and, where it is known, the byte of the error.

        Args:
            place: ``topic/partition/offset``, or the record key.

        Returns:
            The row as :meth:`find` gives it; ``key`` and ``value`` as they lie in Kafka (for late
            records: as far as the broker still has them, else None and the record written anew);
            ``error_byte``, the index in the value, or None.

        Raises:
            PbfRayError: If there is none at that place.
        """
        row: dict[str, Any] = self.find(LetterFilter(places=[place])).to_pylist()[0]
        row["raw"] = True
        if self.table == "late_records":
            raw = self._raw([row])[0]
            row["raw"] = raw is not None
            row["key"], row["value"] = raw if raw is not None else (None, as_json(row))
        told = _BYTE.search(row.get("detail") or "")
        row["error_byte"] = int(told[1]) if told else None
        return row

    # -- sending again ---------------------------------------------------------------------

    def replay(
        self,
        rows: pa.Table,
        *,
        topic: str | None = None,
        edit: Edit | None = None,
        include_bad: bool = False,
        again: bool = False,
        dry_run: bool = False,
    ) -> ReplayResult:
        """Send records to their topic again; the stream takes them as if they had been good.

        What was confirmed is not sent twice, also if an earlier replay was interrupted.

        Args:
            rows: From :meth:`find`.
            topic: Where to, instead of the origin topic.
            edit: Makes the new value from the old one; may raise to leave the record out.
            include_bad: Send also what would be a dead letter (or late) again.
            again: Send also what was sent again before.
            dry_run: Only say what would be done.

        Raises:
            BrokerError: If the broker does not answer.
            PbfRayError: If another replay of this job is under way.
        """
        return Replay(
            self._settings,
            self._journal,
            table=self.table,
            topic=topic,
            edit=edit,
            problem_of=None if include_bad else self.problem_of,
            again=again,
        ).run(rows.to_pylist(), self._values(rows), dry_run=dry_run)

    def problem_of(self, values: Sequence[bytes | None]) -> list[Problem | None]:
        """Why each value would be a dead letter, or late all the same; None where it is good."""
        decoded = from_json(list(values), RECORD_SCHEMA, mode="dead_letter")
        problems: list[Problem | None] = [None] * len(values)
        for reject in decoded.rejects.to_pylist():
            problems[reject["index"]] = Problem(reject["reason"], reject["detail"])
        horizon_s = time.time() + self._settings.stream.max_future_s
        tracker = self._tracker()
        kept = decoded.table.select(["timestamp", "build_id"]).to_pylist()
        for index, row in zip(decoded.indices.to_pylist(), kept, strict=True):
            timestamp = row["timestamp"]
            if timestamp is None or not math.isfinite(timestamp):
                problems[index] = Problem(NO_EVENT_TIME, f"timestamp is {timestamp}")
            elif timestamp > horizon_s:
                problems[index] = Problem(EVENT_TIME_OUT_OF_RANGE, f"timestamp is {timestamp!r} s")
            elif tracker.watermark(row["build_id"]) == math.inf:
                problems[index] = Problem(_LATE, "its build is retired, its state is gone")
        return problems

    # -- inside ----------------------------------------------------------------------------

    def _check(self, which: LetterFilter, rows: pa.Table) -> None:
        """A slip of the pen is not to look as if there were none."""
        late = self.table == "late_records"
        # A table may hold reasons of another version.
        held = set() if late else set(rows["reason"].unique().to_pylist())
        known = {_LATE} if late else {*REASONS, NO_EVENT_TIME, EVENT_TIME_OUT_OF_RANGE}
        for reason in which.reasons:
            if reason not in held | known:
                raise PbfRayError(
                    f"there is no reason {reason!r} in {self.table}",
                    advice=f"the reasons are {', '.join(sorted(held | known))}",
                )
        for place in which.places:
            if not pc.any(_at_places(rows, [place])).as_py():
                raise PbfRayError(
                    f"job {self._settings.job.name} has no row of {self.table} at {place}",
                    advice="pbf-ray deadletters list shows the places",
                )

    def _tracker(self) -> EventTimeTracker:
        commit = CheckpointLog(CheckpointFolder(self._settings.checkpoint_path)).last_commit()
        return commit.tracker if commit is not None else EventTimeTracker()

    def _with_build(self, rows: pa.Table) -> pa.Table:
        if self.table == "late_records":
            return rows
        decoded = from_json(rows["value"].to_pylist(), RECORD_SCHEMA, mode="PERMISSIVE").table
        return rows.append_column("build_id", decoded["build_id"]).append_column(
            "layer", decoded["layer"]
        )

    def _with_replays(self, rows: pa.Table) -> pa.Table:
        entries: Mapping[str, ReplayEntry] = self._journal.entries()
        states, places = [], []
        for key in rows["record_key"].to_pylist():
            entry = entries.get(key)
            sent = entry is not None and entry.state == "sent"
            states.append("no" if entry is None else "yes" if sent else "unconfirmed")
            places.append(
                f"{entry.topic}/{entry.partition}/{entry.offset}" if entry and sent else None
            )
        return rows.append_column("replayed", pa.array(states, pa.string())).append_column(
            "replayed_to", pa.array(places, pa.string())
        )

    def _values(self, rows: pa.Table) -> list[tuple[bytes | None, bytes | None]]:
        """Key and value of each as they came; of late records whatever there is."""
        if self.table == "dead_letters":
            return list(zip(rows["key"].to_pylist(), rows["value"].to_pylist(), strict=True))
        listed = rows.to_pylist()
        return [
            raw if raw is not None else (_sensor(row), as_json(row))
            for row, raw in zip(listed, self._raw(listed), strict=True)
        ]

    def _raw(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> list[tuple[bytes | None, bytes | None] | None]:
        kafka = self._settings.kafka
        records = RawRecordsOnKafka(kafka.bootstrap_servers, kafka.client_config())
        places = [(row["topic"], row["partition"], row["offset"]) for row in rows]
        try:
            found = records(places)
        finally:
            records.close()
        return [found.get(place) for place in places]


def _sensor(row: Mapping[str, Any]) -> bytes | None:
    """Producers use the sensor as the key."""
    sensor: str | None = row["sensor_id"]
    return None if sensor is None else sensor.encode()


def _mask(rows: pa.Table, which: LetterFilter) -> pa.ChunkedArray | pa.Array:
    mask = pa.array([True] * rows.num_rows, pa.bool_())
    for column, wanted in (
        ("reason", which.reasons),
        ("topic", which.topics),
        ("partition", which.partitions),
    ):
        if wanted:
            values = pa.array(list(wanted), rows.schema.field(column).type)
            mask = pc.and_(mask, pc.is_in(rows[column], value_set=values))
    stamps = rows["processing_timestamp"]
    if which.since is not None:
        mask = pc.and_(mask, pc.greater_equal(stamps, pa.scalar(which.since, stamps.type)))
    if which.until is not None:
        mask = pc.and_(mask, pc.less(stamps, pa.scalar(which.until, stamps.type)))
    if which.replayed is not None:
        sent = pc.not_equal(rows["replayed"], "no")
        mask = pc.and_(mask, sent if which.replayed else pc.invert(sent))
    if which.places:
        mask = pc.and_(mask, _at_places(rows, which.places))
    return mask


def _at_places(rows: pa.Table, places: Sequence[str]) -> pa.Array:
    keys = {place for place in places if place.startswith("[")}
    spots = set()
    for place in set(places) - keys:
        found = _PLACE.fullmatch(place)
        if found is None:
            raise PbfRayError(
                f"{place!r} is no place of a record",
                advice="write topic/partition/offset, as pbf-ray deadletters list shows it",
            )
        spots.add((found["topic"], int(found["partition"]), int(found["offset"])))
    columns = (rows[name].to_pylist() for name in ("topic", "partition", "offset", "record_key"))
    return pa.array(
        [(topic, p, o) in spots or key in keys for topic, p, o, key in zip(*columns, strict=True)],
        pa.bool_(),
    )
