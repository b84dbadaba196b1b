"""Looking at the broker: what it holds, which partitions are new, how long it has been away."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pbf_ray.errors import BrokerUnavailableError
from pbf_ray.logs import get_logger
from pbf_ray.streaming.pace import Cluster, Pace
from pbf_ray.streaming.plan import PartitionId

__all__ = ["BrokerWatch"]

_log = get_logger(__name__)


class BrokerWatch:
    """The broker, as the pipeline last saw it.

    Args:
        cluster: Answers questions.
        pace: How often to ask, and how long to be patient.

    Attributes:
        held: First offset and last stable offset of every partition.
        away: Whether the last question had no answer.
        away_us: How long it has been away since ``take_away_us`` was called, microseconds.
    """

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self._cluster = cluster
        self._pace = pace
        self._partitions: list[PartitionId] = []
        self._discovered_s = -float("inf")
        self._looked_s = -float("inf")
        self._reported_s = -float("inf")
        self._away_since_s: float | None = None
        self.held: dict[PartitionId, tuple[int, int]] = {}
        self.away_us = 0

    @property
    def away(self) -> bool:
        """Whether the broker did not answer when it was asked last."""
        return self._away_since_s is not None

    @property
    def ends(self) -> dict[PartitionId, int]:
        """Last stable offset of every partition."""
        return {where: end for where, (_, end) in self.held.items()}

    def due(self, now_s: float) -> bool:
        """Whether it is time to look again."""
        return now_s - self._looked_s >= self._pace.epoch_interval_s

    def look(self, now_s: float, *, discover: bool = False) -> bool:
        """Ask what the broker holds.

        Args:
            now_s: Monotonic clock.
            discover: Look for new partitions in any case.

        Returns:
            Whether it answered.

        Raises:
            BrokerUnavailableError: If it has been away for longer than the patience.
        """
        self._looked_s = now_s
        stale = now_s - self._discovered_s >= self._pace.discover_every_s
        try:
            if stale or discover or not self._partitions:
                self._partitions = self._cluster.partitions()
                self._discovered_s = now_s
            self.held = self._cluster.held(self._partitions)
        except BrokerUnavailableError as error:
            self.missed(error, now_s)
            return False
        self.answered()
        return True

    def missed(self, error: BrokerUnavailableError, now_s: float) -> None:
        """Note that the broker did not answer.

        Raises:
            BrokerUnavailableError: If it has been away for longer than the patience.
        """
        if self._away_since_s is None:
            self._away_since_s = now_s
            _log.warning("the broker is away, trying again", problem=error.what)
        away_s = now_s - self._away_since_s
        if away_s > self._pace.broker_patience_s:
            raise BrokerUnavailableError(
                error.address, "it went away while running", waited_s=away_s
            ) from error

    def answered(self) -> None:
        """Note that the broker answered."""
        if self._away_since_s is not None:
            away_s = time.monotonic() - self._away_since_s
            _log.info("the broker answers again", away_s=round(away_s, 1))
            self._away_since_s = None
            self.away_us += round(away_s * 1e6)

    def take_away_us(self) -> int:
        """How long it has been away, microseconds; a plan will have it, so it is counted anew."""
        away_us, self.away_us = self.away_us, 0
        return away_us

    def report(self, positions: Mapping[PartitionId, int]) -> None:
        """Tell the consumer group how far the job is."""
        self._reported_s = time.monotonic()
        self._cluster.report(positions)

    def report_due(self, now_s: float) -> bool:
        """Whether to tell it again: the offsets of a group without members expire."""
        return now_s - self._reported_s > self._pace.report_group_every_s
