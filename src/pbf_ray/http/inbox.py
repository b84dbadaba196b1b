"""The inbox of alerts: open and acknowledged, worst first."""

from __future__ import annotations

from typing import Any, Final, Literal

from pbf_ray.http.alerts import Alert
from pbf_ray.http.cursor import decode_cursor, encode_cursor
from pbf_ray.http.decisions import Decisions
from pbf_ray.http.machines import MachineNames
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.snapshot import Snapshot
from pbf_ray.monitoring.rules import SEVERITIES

__all__ = ["AlertState", "Inbox"]

AlertState = Literal["open", "acknowledged", "all"]
_WORST_FIRST: Final = {severity: place for place, severity in enumerate(SEVERITIES)}


class Inbox:
    """The alerts of a snapshot, with who has seen them.

    Args:
        snapshot: The results.
        decisions: Acknowledgements.
        machines: Which machine a sensor belongs to.
    """

    def __init__(self, snapshot: Snapshot, decisions: Decisions, machines: MachineNames) -> None:
        self._alerts = snapshot.alerts
        self._decisions = decisions
        self._seen = decisions.acknowledged()
        self._machines = machines

    def page(
        self,
        *,
        state: AlertState = "open",
        build: str | None = None,
        machine: str | None = None,
        severity: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """A page of alerts: worst first, then newest first."""
        chosen = [
            alert
            for alert in self._alerts.values()
            if (build is None or alert.build_id == build)
            and (severity is None or alert.severity == severity)
            and (machine is None or machine in self._machines.machines(alert.sensors))
        ]
        unseen = dict.fromkeys(SEVERITIES, 0)
        for alert in chosen:
            if alert.alert_id not in self._seen:
                unseen[alert.severity] += 1
        if state != "all":
            chosen = [a for a in chosen if (a.alert_id in self._seen) == (state == "acknowledged")]
        chosen.sort(key=_order)
        filters = {
            "list": "alerts",
            "state": state,
            "build": build,
            "machine": machine,
            "severity": severity,
        }
        total = len(chosen)
        if cursor is not None:
            place, since, key = decode_cursor(cursor, filters, (int, (float, int), str))
            behind = (place or 0, since if since is not None else 0.0, key or "")
            chosen = [alert for alert in chosen if _order(alert) > behind]
        page = chosen[:limit]
        following = encode_cursor(list(_order(page[-1])), filters) if len(chosen) > limit else None
        return {
            "items": [self.plain(alert) for alert in page],
            "next_cursor": following,
            "total": total,
            "open": unseen,
        }

    def alert(self, alert_id: str) -> Alert:
        """An alert by its id.

        Raises:
            ProblemError: There is none.
        """
        found = self._alerts.get(alert_id)
        if found is None:
            raise ProblemError(
                404,
                "not-found",
                f"there is no alert {alert_id!r}",
                advice="GET /api/v1/alerts?state=all lists them",
            )
        return found

    def acknowledge(self, alert_id: str, *, by: str, comment: str) -> dict[str, Any]:
        """Note that somebody has seen an alert.

        Raises:
            ProblemError: There is no such alert.
            StoreError: The ledger cannot be written.
        """
        alert = self.alert(alert_id)
        seen = self._decisions.acknowledge(alert_id, by=by, comment=comment, count=alert.count)
        return {**self.plain(alert), "acknowledged": seen}

    def plain(self, alert: Alert) -> dict[str, Any]:
        """An alert as JSON-ready values."""
        return {
            "alert_id": alert.alert_id,
            "build_id": alert.build_id,
            "layer": alert.layer,
            "anomaly_type": alert.anomaly_type,
            "severity": alert.severity,
            "count": alert.count,
            "first_timestamp": alert.first_timestamp,
            "last_timestamp": alert.last_timestamp,
            "sensors": list(alert.sensors),
            "machine_ids": self._machines.machines(alert.sensors),
            "text": alert.text,
            "acknowledged": self._seen.get(alert.alert_id),
        }


def _order(alert: Alert) -> tuple[int, float, str]:
    newest = alert.last_timestamp if alert.last_timestamp is not None else 0.0
    return _WORST_FIRST.get(alert.severity, len(SEVERITIES)), -newest, alert.alert_id
