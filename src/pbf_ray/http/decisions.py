"""What people say of results: alerts that were seen, and what becomes of builds and parts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pbf_ray.storage.auditledger import AuditLedger, LedgerEntry

__all__ = ["ACKNOWLEDGE", "DECIDE", "DISPOSITIONS", "Decisions"]

ACKNOWLEDGE: Final = "alert.acknowledge"
DECIDE: Final = "decision.record"
DISPOSITIONS: Final = ("accept", "hold", "scrap", "rework")


@dataclass
class _Known:
    seq: int
    acknowledged: dict[str, dict[str, Any]]
    decided: dict[str, list[dict[str, Any]]]


class Decisions:
    """Acknowledgements and decisions, which stand in the ledger and nowhere else.

    Args:
        ledger: The ledger; other processes may write to it too.
        job_id: The job whose results they are about.
    """

    def __init__(self, ledger: AuditLedger, job_id: str) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._lock = threading.Lock()
        self._known = _Known(0, {}, {})

    def seq(self) -> int:
        """Number of the last entry of the ledger."""
        self._refresh()
        return self._known.seq

    def acknowledged(self) -> Mapping[str, dict[str, Any]]:
        """By alert: ``by``, ``at``, ``comment``, and the ``count`` of records at that time."""
        self._refresh()
        return self._known.acknowledged

    def of_build(self, build_id: str) -> list[dict[str, Any]]:
        """The decisions on a build and its parts, in their order."""
        self._refresh()
        return self._known.decided.get(build_id, [])

    def current(self, build_id: str) -> list[dict[str, Any]]:
        """The last decision on the build (part None), and on each part."""
        last = {decision["part"]: decision for decision in self.of_build(build_id)}
        return sorted(
            last.values(), key=lambda item: (item["part"] is not None, item["part"] or "")
        )

    def disposition(self, build_id: str) -> dict[str, Any] | None:
        """The last decision on the whole build."""
        whole = [item for item in self.of_build(build_id) if item["part"] is None]
        return whole[-1] if whole else None

    def acknowledge(self, alert_id: str, *, by: str, comment: str, count: int) -> dict[str, Any]:
        """Note that somebody has seen an alert; the first one stays.

        Raises:
            StoreError: The ledger cannot be written.
        """
        detail = {"job_id": self._job_id, "comment": comment, "count": count}
        entry = self._ledger.append(by, ACKNOWLEDGE, alert_id, detail, once=True)
        return _acknowledged(entry)

    def decide(
        self, build_id: str, *, by: str, disposition: str, reason: str, part: str | None
    ) -> dict[str, Any]:
        """Record a decision; earlier ones stay, and the last one counts.

        Raises:
            StoreError: The ledger cannot be written.
        """
        detail = {
            "job_id": self._job_id,
            "disposition": disposition,
            "part": part,
            "reason": reason,
        }
        return _decided(self._ledger.append(by, DECIDE, build_id, detail))

    def _refresh(self) -> None:
        with self._lock:
            known = self._known
            if self._ledger.last() == known.seq:
                return
            acknowledged = dict(known.acknowledged)
            decided = {build: list(items) for build, items in known.decided.items()}
            seq = known.seq
            for entry in self._ledger.entries(after=known.seq):
                seq = entry.seq
                if entry.detail.get("job_id") != self._job_id:
                    continue
                if entry.action == ACKNOWLEDGE:
                    acknowledged.setdefault(entry.subject, _acknowledged(entry))
                elif entry.action == DECIDE:
                    decided.setdefault(entry.subject, []).append(_decided(entry))
            self._known = _Known(seq, acknowledged, decided)


def _acknowledged(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "by": entry.by,
        "at": entry.at,
        "comment": entry.detail["comment"],
        "count": entry.detail["count"],
    }


def _decided(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "decision_id": entry.seq,
        "build_id": entry.subject,
        "part": entry.detail["part"],
        "disposition": entry.detail["disposition"],
        "reason": entry.detail["reason"],
        "by": entry.by,
        "at": entry.at,
    }
