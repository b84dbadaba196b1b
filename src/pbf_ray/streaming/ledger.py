"""The ledger of a run: what is planned, how far event time has come, what is committed.

It is the part of the coordinator that decides; whoever drives it (in one process, or on Ray)
brings records to readers and rows to windows. The order of calls for an epoch is
``next_plan``, ``event_time``, ``steps``, ``settle``; epochs may overlap, each call in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pbf_ray.errors import CheckpointError, CheckpointMismatchError
from pbf_ray.streaming.books import Books
from pbf_ray.streaming.checkpoint import CheckpointLog
from pbf_ray.streaming.event_time import EventTimeStep, EventTimeTracker, ReadSummary
from pbf_ray.streaming.manifest import JobIdentity, Manifest, WindowFiles
from pbf_ray.streaming.plan import EpochPlan, LostRange, PartitionId
from pbf_ray.streaming.planner import EpochPlanner, PlanLimits, amend
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.semantics import StreamSemantics
from pbf_ray.streaming.window_step import WindowOutput, WindowStep

__all__ = ["Ledger", "LogMovedError"]


_CLOCK_TOLERANCE_US = 300_000_000


class LogMovedError(Exception):
    """An older run wrote to the log in its last moment: reload and go on from there."""


@dataclass
class _OpenEpoch:
    """What has to be remembered of an epoch until it is committed."""

    plan: EpochPlan
    tracker: EventTimeTracker | None = None
    books: Books = field(default_factory=Books)
    replayed: frozenset[tuple[str, int, int]] = frozenset()


class Ledger:
    """One run of a job, seen from its checkpoint.

    Args:
        log: The checkpoint log.
        identity: The job.
        limits: Sizes of epochs.
    """

    def __init__(self, log: CheckpointLog, identity: JobIdentity, limits: PlanLimits) -> None:
        self._log = log
        self._limits = limits
        self.identity = identity
        self.run = log.start(identity)
        self.stop_at: dict[PartitionId, int] | None = None
        self._stored_epoch = 0
        self.reload()

    # -- where it stands -------------------------------------------------------------------

    def reload(self) -> None:
        """Start from the last commit; planned epochs after it are replayed first."""
        commit = self._log.last_commit()
        self.commit = commit
        self.committed_epoch = commit.epoch if commit is not None else 0
        if self._log.reset_epoch() > self.committed_epoch:
            raise CheckpointError(
                str(self._log.folder.path),
                "a reset of this job was interrupted: some of its rows may be gone",
                advice="run pbf-ray stream reset again",
            )
        self.books = commit.books.copy() if commit is not None else Books()
        self.lost: tuple[LostRange, ...] = commit.lost if commit is not None else ()
        self.tracker = commit.tracker.copy() if commit is not None else EventTimeTracker()
        self._planner = EpochPlanner(
            self._limits,
            next_epoch=self.committed_epoch + 1,
            positions=self.tracker.positions,
        )
        self._replay = deque(self._log.planned_after(self.committed_epoch))
        self._open: deque[_OpenEpoch] = deque()

    def check_fence(self) -> None:
        """Raise if a newer run has started.

        Raises:
            FencedError: If so.
        """
        self._log.check_fence()

    @property
    def window_files(self) -> tuple[WindowFiles, ...]:
        """Window state of the last commit."""
        return self.commit.windows if self.commit is not None else ()

    @property
    def finished(self) -> bool:
        """Whether the last commit was the end of bounded input, and nothing is planned."""
        return self.commit is not None and self.commit.finished and not self._replay

    @property
    def replaying(self) -> bool:
        """Whether planned epochs of before are still to be handed out."""
        return bool(self._replay)

    @property
    def in_flight(self) -> int:
        """Epochs handed out and not yet committed."""
        return len(self._open)

    def lag(self, ends: Mapping[PartitionId, int]) -> int:
        """Offsets on the broker that no plan has named yet."""
        return self._planner.lag(ends)

    def check_stores(self, applied: Mapping[str, int | None]) -> None:
        """See that stores and checkpoint belong together.

        An epoch is stored, then committed, so a store holds every committed epoch and at most
        one planned epoch more. A store that is further means that the checkpoint was removed or
        replaced: its epochs would be taken for replays, and their rows dropped. A store that is
        behind was emptied or exchanged: rows would be missing.

        Args:
            applied: The last epoch of the job in each store, by the store's name.

        Raises:
            CheckpointMismatchError: If they do not.
        """
        known = self.committed_epoch + (1 if self._replay else 0)
        for store, epoch in applied.items():
            if self.committed_epoch <= (epoch or 0) <= known:
                continue
            held = "nothing" if epoch is None else f"epoch {epoch}"
            raise CheckpointMismatchError(
                str(self._log.folder.path),
                f"ends at epoch {known}, but {store} holds {held} of job {self.identity.job_id!r}",
                advice="one of them was removed, emptied or replaced; restore it, or run under "
                "another job name",
            )
        self._stored_epoch = max((epoch or 0 for epoch in applied.values()), default=0)

    # -- an epoch --------------------------------------------------------------------------

    def next_plan(
        self,
        *,
        clock_us: int,
        held: Mapping[PartitionId, tuple[int, int]],
        pending_rows: int,
        state_bytes: int,
        semantics: StreamSemantics,
        away_us: int = 0,
    ) -> EpochPlan | None:
        """The next epoch: a planned one of before, or a new one, which is written to the log.

        Raises:
            OffsetsVanishedError: If unread offsets are gone.
            FencedError: If a newer run has started.
            LogMovedError: If an older run has planned this epoch meanwhile.
        """
        if self._replay:
            replayed = self._amended(self._replay.popleft(), held, semantics)
            self._planner.planned(replayed)
            plan: EpochPlan | None = replayed
        else:
            self._planner.stop_at = self.stop_at
            plan = self._planner.next_plan(
                clock_us=self._clock(clock_us),
                held=held,
                tracker=self.tracker,
                pending_rows=pending_rows,
                state_bytes=state_bytes,
                semantics=semantics,
                away_us=away_us,
            )
            if plan is not None and not self._log.write_plan(plan):
                raise LogMovedError
        if plan is not None:
            self._open.append(_OpenEpoch(plan))
        return plan

    def event_time(self, plan: EpochPlan, summary: ReadSummary, books: Books) -> EventTimeStep:
        """Take in what the readers found in an epoch.

        Args:
            plan: The epoch.
            summary: Merged over all readers.
            books: Summed over all readers.
        """
        epoch = self._of(plan)
        move = self.tracker.finish if plan.final else self.tracker.advance
        step = move(plan, summary)
        epoch.tracker = self.tracker.copy()
        epoch.books = books
        epoch.replayed = frozenset(summary.replayed)
        return step

    def steps(self, plan: EpochPlan, time: EventTimeStep, workers: int) -> list[WindowStep]:
        """What the epoch means to each window operator."""
        return [
            WindowStep(
                stamp=self.stamp(plan),
                semantics=plan.semantics,
                time=time,
                final=plan.final,
                state_name=self._log.window_file("states", plan.epoch, worker),
                segment_name=self._log.window_file("segments", plan.epoch, worker),
                replayed=self._of(plan).replayed,
            )
            for worker in range(workers)
        ]

    def stamp(self, plan: EpochPlan) -> RowStamp:
        """What all rows of an epoch carry."""
        return RowStamp(self.identity.job_id, self.identity.sources, plan.epoch, plan.clock_us)

    def balance(self, plan: EpochPlan, outputs: Sequence[WindowOutput]) -> Books:
        """The books after an epoch, checked; call it before anything is stored.

        Raises:
            BooksError: If they do not balance.
        """
        books = self.books.copy()
        books.add(self._of(plan).books)
        for output in outputs:
            books.add(output.books)
        books.pending = sum(output.books.pending for output in outputs)
        books.check(plan.epoch)
        # From here on a store may hold the epoch, also if this run never hears of it.
        self._stored_epoch = plan.epoch
        return books

    def settle(self, plan: EpochPlan, books: Books, windows: Sequence[WindowFiles]) -> Manifest:
        """Commit an epoch whose rows are in the stores.

        Args:
            plan: The oldest epoch in flight.
            books: From ``balance``.
            windows: State files of all window operators.

        Raises:
            FencedError: If a newer run has started.
            LogMovedError: If an older run has committed this epoch meanwhile.
        """
        epoch = self._open[0]
        if epoch.plan is not plan or epoch.tracker is None:
            raise ValueError(f"epoch {plan.epoch} is not the next to commit")
        manifest = Manifest(
            epoch=plan.epoch,
            run=self.run,
            clock_us=plan.clock_us,
            tracker=epoch.tracker,
            books=books,
            windows=tuple(windows),
            lost=(*self.lost, *plan.lost),
            finished=plan.final,
        )
        if not self._log.commit(manifest):
            raise LogMovedError
        self._open.popleft()
        self.commit = manifest
        self.committed_epoch = plan.epoch
        self.books = books
        self.lost = manifest.lost
        return manifest

    # -- inside ----------------------------------------------------------------------------

    def _of(self, plan: EpochPlan) -> _OpenEpoch:
        return next(epoch for epoch in self._open if epoch.plan is plan)

    def _amended(
        self,
        plan: EpochPlan,
        held: Mapping[PartitionId, tuple[int, int]],
        semantics: StreamSemantics,
    ) -> EpochPlan:
        """A plan of before, with what had to be changed so that it can be replayed at all.

        Its offsets may have vanished meanwhile (and that is accepted), or it may say that a
        malformed record ends the job (and the settings say so no longer). Both are written to
        the log before any effect, so every later replay is the same. Once a store holds the
        epoch it is as it was, and cannot be changed.
        """
        amendment = self._log.amendment(plan.epoch)
        if amendment is None and plan.epoch > self._stored_epoch:
            wanted = amend(plan, held, semantics, accept_loss=self._limits.accept_loss)
            if wanted == plan:
                return plan
            if not self._log.write_amendment(wanted):
                raise LogMovedError
            return wanted
        return amendment or plan

    def _clock(self, clock_us: int) -> int:
        """The clock of epochs never goes back, whatever the machine's does.

        Raises:
            CheckpointError: If the machine's clock is far behind the last epoch's: one of the
                two is wrong, and event times could not be held against it.
        """
        last_us = self.commit.clock_us if self.commit is not None else 0
        if self._open:
            last_us = self._open[-1].plan.clock_us
        if last_us - clock_us > _CLOCK_TOLERANCE_US:
            raise CheckpointError(
                str(self._log.folder.path),
                f"its last epoch is {(last_us - clock_us) / 1e6:.0f} s ahead of this machine's "
                "clock",
                advice="set the clock right; if the last run had a wrong clock, wait, or run "
                "under another job name",
            )
        return max(clock_us, last_us)
