"""The checkpoint of a job: its identity, runs, planned epochs and commits.

    job.json                  what the job is: created once, every start must match it
    runs/00000003.json        run (incarnation) 3 has started; older runs are fenced
    plans/000000000007.json   what epoch 7 reads: written before any effect
    amendments/000000000007.json  epoch 7 as it had to be changed to be replayed at all
    states/... segments/...   window state, written by the window actors
    manifests/000000000007.json   epoch 7 is committed; nothing else decides that
    published/late_records-000000000007.json  its copies are on their topic, up to epoch 7
    resets/00000004.json      run 4 sets the job back; done when that epoch is committed
    status.json               what the running job says of itself; the only file that changes

All of these are created conditionally and never changed, so two runs of one job cannot both
plan or both commit an epoch: the history is one line.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pbf_ray.errors import (
    CheckpointCorruptError,
    CheckpointMismatchError,
    CheckpointVersionError,
    FencedError,
    PbfRayError,
    TopicRecreatedError,
)
from pbf_ray.streaming.checkpoint_folder import CheckpointFolder
from pbf_ray.streaming.manifest import JobIdentity, Manifest, WindowFiles
from pbf_ray.streaming.plan import EpochPlan

__all__ = ["CheckpointLog"]

FORMAT = 1


@dataclass
class CheckpointLog:
    """The line of plans and commits of one job, as one run of it sees them.

    Args:
        folder: Where it lives.
        keep: How many of the last manifests stay, at least 2: a run that was fenced a moment
            ago may still commit, and prune, what a new one is reading.
    """

    folder: CheckpointFolder
    keep: int = 5
    run: int = 0
    _kept: dict[int, set[str]] = field(default_factory=dict)
    _swept: bool = False

    # -- starting --------------------------------------------------------------------------

    def identity(self) -> JobIdentity | None:
        """What the folder belongs to; None if it is new."""
        if not (self.folder.path / "job.json").exists():
            return None
        return JobIdentity(**self._load("job.json", "job"))

    def start(self, identity: JobIdentity) -> int:
        """Bind the folder to the job and begin a new run, which fences the older ones.

        Returns:
            Number of the run (incarnation), from 1.

        Raises:
            CheckpointMismatchError: If the folder belongs to another job.
            TopicRecreatedError: If a topic is not the one that the checkpoint knows.
        """
        self._save("job.json", "job", asdict(identity))
        found = self.identity()
        if found != identity:
            raise self._mismatch(found, identity)
        run = self._newest("runs")
        while True:
            run += 1
            if self._save(_run_name(run), "run", {"run": run}):
                self.run = run
                return run

    def last_commit(self) -> Manifest | None:
        """The newest manifest; None if nothing was committed yet."""
        names = self.folder.names("manifests")
        if not names:
            return None
        return Manifest.from_plain(self._load(names[-1], "manifest"))

    def planned_after(self, epoch: int) -> list[EpochPlan]:
        """Plans in the log after a committed epoch, in order."""
        plans = []
        while (self.folder.path / _plan_name(epoch + 1)).exists():
            epoch += 1
            plans.append(EpochPlan.from_plain(self._load(_plan_name(epoch), "plan")))
        return plans

    # -- going on --------------------------------------------------------------------------

    def write_plan(self, plan: EpochPlan) -> bool:
        """Put a plan into the log.

        Returns:
            False if the epoch had been planned by an older run in its last moment: the log has
            to be read again.

        Raises:
            FencedError: If a newer run has started.
        """
        self.check_fence()
        return self._save(_plan_name(plan.epoch), "plan", plan.to_plain())

    def amendment(self, epoch: int) -> EpochPlan | None:
        """A planned epoch as it was changed for its replay; None if it was not."""
        name = _amendment_name(epoch)
        if not (self.folder.path / name).exists():
            return None
        return EpochPlan.from_plain(self._load(name, "amendment"))

    def write_amendment(self, plan: EpochPlan) -> bool:
        """Put a changed plan into the log.

        Returns:
            False if an older run has done so in its last moment.

        Raises:
            FencedError: If a newer run has started.
        """
        self.check_fence()
        return self._save(_amendment_name(plan.epoch), "amendment", plan.to_plain())

    def commit(self, manifest: Manifest) -> bool:
        """Make an epoch the truth, then drop what no kept manifest needs.

        Returns:
            False if the epoch had been committed by an older run in its last moment: the log
            has to be read again.

        Raises:
            FencedError: If a newer run has started.
        """
        self.check_fence()
        if not self._save(_manifest_name(manifest.epoch), "manifest", manifest.to_plain()):
            self.check_fence()
            return False
        self._kept[manifest.epoch] = _files(manifest)
        if not self._swept:
            self._sweep()
        self._prune()
        return True

    def check_fence(self) -> None:
        """Raise if a newer run has started.

        Raises:
            FencedError: If so.
        """
        if (self.folder.path / _run_name(self.run + 1)).exists():
            identity = self.identity()
            raise FencedError(
                identity.job_id if identity is not None else "?",
                mine=self.run,
                newer=self._newest("runs"),
                where=str(self.folder.path),
            )

    def begin_reset(self, epoch: int) -> None:
        """Note that this run sets the job back; done when ``epoch`` is committed.

        Raises:
            FencedError: If a newer run has started.
        """
        self.check_fence()
        self._save(f"resets/{self.run:08d}.json", "reset", {"epoch": epoch})

    def reset_epoch(self) -> int:
        """The epoch that completes the newest reset; 0 if there was none."""
        names = self.folder.names("resets")
        return int(self._load(names[-1], "reset")["epoch"]) if names else 0

    def published(self, table: str) -> int:
        """Epoch up to which the copies of a table are on their topic."""
        marks = self._marks(table)
        return _mark_epoch(marks[-1]) if marks else 0

    def write_published(self, table: str, epoch: int) -> None:
        """Note that the copies of a table are on their topic up to an epoch."""
        self._save(f"published/{table}-{epoch:012d}.json", "published", {"epoch": epoch})
        for name in self._marks(table)[:-1]:
            self.folder.remove(name)

    def window_file(self, folder: str, epoch: int, worker: int) -> str:
        """A fresh name for a file that window actor ``worker`` writes."""
        token = secrets.token_hex(4)
        return f"{folder}/{epoch:012d}-r{self.run:08d}-w{worker}-{token}.arrow"

    # -- inside ----------------------------------------------------------------------------

    def _marks(self, table: str) -> list[str]:
        names = self.folder.names("published")
        return [name for name in names if name.startswith(f"published/{table}-")]

    def _sweep(self) -> None:
        """Remove what crashed runs left behind.

        Only after this run's first commit: until then a run that was fenced a moment ago may
        still commit that very epoch, with files that have to be there. This run's own files
        are spared, for the next epoch may be on its way already.
        """
        for name in self.folder.names("manifests"):
            if _number(name) not in self._kept:
                self._kept[_number(name)] = _files(
                    Manifest.from_plain(self._load(name, "manifest"))
                )
        needed = set().union(*self._kept.values())
        for name in [*self.folder.names("states"), *self.folder.names("segments")]:
            if name not in needed and _run_of(name) < self.run:
                self.folder.remove(name)
        for name in [*self.folder.names("plans"), *self.folder.names("amendments")]:
            if _number(name) < min(self._kept):
                self.folder.remove(name)
        self._swept = True

    def _prune(self) -> None:
        while len(self._kept) > max(self.keep, 2):
            oldest = min(self._kept)
            files = self._kept.pop(oldest)
            still_needed = set().union(*self._kept.values())
            for name in sorted(files - still_needed):
                self.folder.remove(name)
            self.folder.remove(_manifest_name(oldest))
            self.folder.remove(_plan_name(oldest))
            self.folder.remove(_amendment_name(oldest))

    def _newest(self, folder: str) -> int:
        names = self.folder.names(folder)
        return _number(names[-1]) if names else 0

    def _mismatch(self, found: JobIdentity | None, wanted: JobIdentity) -> PbfRayError:
        path = str(self.folder.path)
        if found is None or found.job_id != wanted.job_id:
            other = found.job_id if found is not None else "?"
            return CheckpointMismatchError(
                path,
                f"belongs to job {other!r}, not to {wanted.job_id!r}",
                advice="give each job its own checkpoint.path",
            )
        if found.buckets != wanted.buckets:
            return CheckpointMismatchError(
                path,
                f"was written with workers.buckets = {found.buckets}, now it is {wanted.buckets}",
                advice=f"set workers.buckets = {found.buckets}, or use another job name",
            )
        if found.mode != wanted.mode:
            return CheckpointMismatchError(
                path,
                f"was written with stream.mode = {found.mode}, now it is {wanted.mode}",
                advice=f"set stream.mode = {found.mode}, or use another job name",
            )
        for topic in found.sources.keys() & wanted.sources.keys():
            if found.sources[topic] != wanted.sources[topic]:
                return TopicRecreatedError(
                    topic, expected=found.sources[topic], found=wanted.sources[topic]
                )
        return CheckpointMismatchError(
            path,
            f"was written for the topics {sorted(found.sources)}, now they are "
            f"{sorted(wanted.sources)}",
            advice="a job keeps its topics; use another job name for others",
        )

    def _save(self, name: str, kind: str, body: dict[str, Any]) -> bool:
        text = json.dumps(body, separators=(",", ":")).encode()
        head = {
            "pbf_ray_checkpoint": FORMAT,
            "kind": kind,
            "sha256": hashlib.sha256(text).hexdigest(),
        }
        return self.folder.create(name, json.dumps(head).encode() + b"\n" + text + b"\n")

    def _load(self, name: str, kind: str) -> dict[str, Any]:
        path = str(self.folder.path / name)
        content = self.folder.read(name)
        first, _, rest = content.partition(b"\n")
        try:
            head = json.loads(first)
            version = int(head["pbf_ray_checkpoint"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointCorruptError(
                path, "is not a file of a pbf_ray checkpoint", advice="check checkpoint.path"
            ) from error
        if version > FORMAT:
            raise CheckpointVersionError(
                path,
                f"has format {version}, this version of pbf_ray knows up to {FORMAT}",
                advice="use the newer version of pbf_ray that wrote it",
                version=version,
            )
        text = rest.removesuffix(b"\n")
        if head.get("kind") != kind or hashlib.sha256(text).hexdigest() != head.get("sha256"):
            raise CheckpointCorruptError(
                path,
                "checksum differs",
                advice="restore the folder from a copy, or run under another job name",
            )
        body: dict[str, Any] = json.loads(text)
        return body


def _plan_name(epoch: int) -> str:
    return f"plans/{epoch:012d}.json"


def _amendment_name(epoch: int) -> str:
    return f"amendments/{epoch:012d}.json"


def _manifest_name(epoch: int) -> str:
    return f"manifests/{epoch:012d}.json"


def _run_name(run: int) -> str:
    return f"runs/{run:08d}.json"


def _run_of(window_file: str) -> int:
    return int(window_file.rpartition("/")[2].split("-")[1].removeprefix("r"))


def _mark_epoch(name: str) -> int:
    return int(name.rpartition("-")[2].partition(".")[0])


def _number(name: str) -> int:
    return int(name.rpartition("/")[2].partition(".")[0])


def _files(manifest: Manifest) -> set[str]:
    return set().union(*(_names(manifest.windows)))


def _names(windows: Iterable[WindowFiles]) -> list[set[str]]:
    return [set(), *(window.names() for window in windows)]
