"""Setting a stopped job to other offsets: what that means first, then doing it."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import PbfRayError, StreamError
from pbf_ray.jobs.status import process_lives
from pbf_ray.jobs.stores import job_stores
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.storage.layout import JobStores
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.heartbeat import BEAT_S
from pbf_ray.streaming.job_topics import source_ids
from pbf_ray.streaming.manifest import JobIdentity
from pbf_ray.streaming.plan import PartitionId
from pbf_ray.streaming.reset import (
    OffsetMove,
    begin_anew,
    moves_to,
    next_offsets,
    skip_forward,
)
from pbf_ray.streaming.status import ENDED, Status, read_status

__all__ = ["ResetPreview", "ResetResult", "StreamReset"]

_PLACE: Final = re.compile(r"(?:(?P<topic>[A-Za-z0-9._-]+)/)?(?P<partition>\d+):(?P<offset>\d+)")
_PATIENCE_S: Final = 10.0
_BEATS: Final = 5
"""A run whose heart does not beat for so long is dead, or as good as that: it is fenced."""


@dataclass(frozen=True)
class ResetPreview:
    """What a reset would do.

    Attributes:
        job_id: The job.
        to: What was asked for.
        moves: What it means to each partition.
        clears: Whether rows, state and books of the job are dropped: some partition goes back.
        rows: Rows of the job in its output tables, which go if it clears.
        skipped: Offsets that will never be read.
        again: Offsets that will be read again.
        unfinished: A reset was interrupted: the job cannot start before one is completed.
    """

    job_id: str
    to: str
    moves: tuple[OffsetMove, ...]
    clears: bool
    rows: int
    skipped: int
    again: int
    unfinished: bool = False

    @property
    def nothing(self) -> bool:
        """Whether it would change nothing."""
        return not (self.skipped or self.again or self.clears)

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "job_id": self.job_id,
            "to": self.to,
            "clears": self.clears,
            "rows": self.rows,
            "skipped": self.skipped,
            "again": self.again,
            "unfinished": self.unfinished,
            "partitions": [
                {
                    "topic": move.where.topic,
                    "partition": move.where.partition,
                    "from": move.start,
                    "to": move.stop,
                    "skipped": move.skipped,
                    "again": move.again,
                }
                for move in self.moves
            ],
        }


@dataclass(frozen=True)
class ResetResult:
    """What a reset did.

    Attributes:
        epoch: The epoch that stands for it.
        run: The run that did it; older ones are fenced.
        group_problem: Why the consumer group was not told; empty if it was.
    """

    epoch: int
    run: int
    group_problem: str = ""


class StreamReset:
    """Sets a stopped job to other offsets.

        reset = StreamReset(settings)
        preview = reset.preview("2026-05-04T06:00")
        reset.apply(preview)

    Forward, the records between are noted as skipped, and state and outputs stay. Back, the rows
    of the job are removed, its state and books dropped, and it begins anew at the new offsets:
    only with ``clear_outputs``.

    Args:
        settings: The settings of the job.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        kafka = settings.kafka
        self._view = ClusterView(kafka.bootstrap_servers, kafka.topics, kafka.client_config())
        self._log = CheckpointLog(
            CheckpointFolder(settings.checkpoint_path), keep=settings.checkpoint.keep
        )

    def preview(self, to: str, *, clear_outputs: bool = False) -> ResetPreview:
        """What it would do; changes nothing.

        Args:
            to: ``earliest``, ``latest``, a time (ISO 8601, UTC unless it says otherwise; by the
                records' Kafka timestamps), or offsets: ``0:1200,1:1300`` or ``topic/0:1200``;
                partitions that are not named stay where they are.
            clear_outputs: Begin anew also where no partition goes back.

        Raises:
            PbfRayError: If ``to`` is none of these, or an offset is not on the broker.
            BrokerError: If the broker does not answer.
        """
        held = self._held()
        targets = self._targets(to, held)
        committed = self._log.last_commit()
        unfinished = self._log.reset_epoch() > (committed.epoch if committed is not None else 0)
        moves = moves_to(targets, next_offsets(self._log), held)
        clears = clear_outputs or unfinished or any(move.again for move in moves)
        return ResetPreview(
            job_id=self._settings.job.name,
            to=to,
            moves=tuple(moves),
            clears=clears,
            rows=self._rows() if clears else 0,
            skipped=sum(move.skipped for move in moves),
            again=sum(move.again for move in moves),
            unfinished=unfinished,
        )

    def apply(self, preview: ResetPreview, *, clear_outputs: bool = False) -> ResetResult:
        """Do it. It takes a run of its own, so whoever may still work for the job is fenced.

        Args:
            preview: From :meth:`preview`.
            clear_outputs: Agrees that the rows of the job are removed, where the preview clears.

        Raises:
            StreamError: If the job runs, or moved since the preview, or rows would have to go
                and that was not agreed to.
            FencedError: If the job was started meanwhile.
        """
        if preview.clears and not clear_outputs:
            why = f"going back would read {preview.again:,} offsets again, whose rows are there"
            if preview.unfinished:
                why = "a reset was interrupted, and some rows of the job may be gone"
            raise StreamError(
                why,
                advice="--clear-outputs removes the rows of the job and begins anew; or run "
                "under another job name",
                again=preview.again,
            )
        self.require_stopped()
        settings = self._settings
        identity = JobIdentity(
            settings.job.name,
            settings.workers.buckets,
            settings.stream.mode,
            source_ids(self._view),
        )
        run = self._log.start(identity)
        stores = self._stores()
        stores.prepare()
        stores.claim(settings.job.name, run)
        # From now on nobody else moves the job: what was shown must still hold.
        positions = next_offsets(self._log)
        if any(positions.get(move.where, move.start) != move.start for move in preview.moves):
            raise StreamError(
                "the job has moved since it was looked at", advice="look again, and repeat"
            )
        clock_us = time.time_ns() // 1000
        if preview.clears:
            offsets = {move.where: move.stop for move in preview.moves}
            epoch = begin_anew(self._log, stores, identity, offsets, clock_us=clock_us)
        else:
            from pbf_ray.jobs.stream import load_profile, stream_semantics

            semantics = stream_semantics(settings, load_profile(settings.rules.profile))
            epoch = skip_forward(
                self._log, list(preview.moves), self._held(), semantics, clock_us=clock_us
            )
        return ResetResult(epoch, run, self._tell_group(preview))

    def require_stopped(self) -> None:
        """See that no run gives signs of life.

        Raises:
            StreamError: If one does.
        """
        before = read_status(self._settings.checkpoint_path)
        if before is None or before.progress.state in ENDED:
            return
        fresh = time.time() - before.heartbeat_us / 1e6 < _PATIENCE_S
        here = before.facts.host == socket.gethostname()
        if here and fresh and process_lives(before.facts.pid):
            raise self._running(before)
        # Clocks of machines differ: a heartbeat that moves is proof, its age is not.
        deadline_s = time.monotonic() + _BEATS * BEAT_S
        while time.monotonic() < deadline_s:
            now = read_status(self._settings.checkpoint_path)
            if now is None or now.progress.state in ENDED:
                return
            if now.heartbeat_us != before.heartbeat_us:
                raise self._running(now)
            time.sleep(BEAT_S / 10)

    # -- inside ----------------------------------------------------------------------------

    def _running(self, status: Status) -> StreamError:
        facts = status.facts
        return StreamError(
            f"job {self._settings.job.name} is running: process {facts.driver_pid} on "
            f"{facts.driver_host}",
            advice="stop it first (Ctrl-C or SIGTERM), then reset it",
            pid=facts.driver_pid,
            host=facts.driver_host,
        )

    def _held(self) -> dict[PartitionId, tuple[int, int]]:
        ranges = self._view.ranges(self._view.describe().partitions)
        return {PartitionId(*at): held for at, held in ranges.items()}

    def _targets(self, to: str, held: dict[PartitionId, tuple[int, int]]) -> dict[PartitionId, int]:
        if to == "earliest":
            return {where: first for where, (first, _) in held.items()}
        if to == "latest":
            return {where: end for where, (_, end) in held.items()}
        if ":" in to and all(_PLACE.fullmatch(part.strip()) for part in to.split(",")):
            return self._named(to, held)
        try:
            moment = datetime.fromisoformat(to)
        except ValueError:
            raise PbfRayError(
                f"{to!r} is no place to reset to",
                advice="earliest, latest, a time such as 2026-05-04T06:00, or offsets such as "
                "0:1200,1:1300 (partition:offset)",
            ) from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        found = self._view.at_time(held, int(moment.timestamp() * 1000))
        return {PartitionId(*at): offset for at, offset in found.items()}

    def _named(self, to: str, held: dict[PartitionId, tuple[int, int]]) -> dict[PartitionId, int]:
        topics = self._settings.kafka.topics
        targets: dict[PartitionId, int] = {}
        for part in to.split(","):
            found = _PLACE.fullmatch(part.strip())
            assert found is not None  # noqa: S101 - seen before
            if found["topic"] is None and len(topics) > 1:
                raise PbfRayError(
                    f"{part.strip()!r} does not say which of the topics is meant",
                    advice=f"write {topics[0]}/{part.strip()}",
                )
            where = PartitionId(found["topic"] or topics[0], int(found["partition"]))
            if where not in held:
                raise PbfRayError(
                    f"the job does not read a partition {where}",
                    advice=f"its partitions: {', '.join(map(str, sorted(held)))}",
                )
            first, end = held[where]
            if not first <= int(found["offset"]) <= end:
                raise PbfRayError(
                    f"{where}: offset {found['offset']} is not on the broker",
                    advice=f"it holds {first} to {end - 1}; {end} is its end",
                )
            targets[where] = int(found["offset"])
        return targets

    def _stores(self) -> JobStores:
        return job_stores(self._settings)

    def _rows(self) -> int:
        stores = self._stores()
        if not self._settings.stores_root.exists():
            return 0
        stores.prepare()
        return sum(stores.count(name, job_id=self._settings.job.name) for name in OUTPUT_TABLES)

    def _tell_group(self, preview: ResetPreview) -> str:
        offsets = {(move.where.topic, move.where.partition): move.stop for move in preview.moves}
        try:
            problem = self._view.commit_group(self._settings.group_id, offsets).result(_PATIENCE_S)
        except TimeoutError:
            return "no answer"
        return "" if problem is None else problem.what
