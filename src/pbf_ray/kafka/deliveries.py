"""What became of records that were sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pbf_ray.errors import BrokerError

__all__ = ["BatchDelivery", "Delivery", "ProducerMetrics"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one record.

    Attributes:
        state: ``sent`` (acknowledged), ``failed`` (given up, see ``error``) or ``queued``.
        topic: Where it was to go.
        partition: Partition it went to, -1 where none was chosen.
        offset: Its offset, -1 where the broker has told none.
        error: Why it failed; its ``transient`` says whether sending it again may help.
    """

    state: Literal["sent", "failed", "queued"]
    topic: str
    partition: int = -1
    offset: int = -1
    error: BrokerError | None = None


@dataclass(frozen=True, slots=True)
class BatchDelivery:
    """What became of a batch.

    Attributes:
        deliveries: One per record, in the order in which they were given.
    """

    deliveries: tuple[Delivery, ...]

    @property
    def sent(self) -> int:
        """Records that the broker has acknowledged."""
        return self._count("sent")

    @property
    def failed(self) -> int:
        """Records that were given up."""
        return self._count("failed")

    @property
    def queued(self) -> int:
        """Records that were neither when the time was up; they go on."""
        return self._count("queued")

    @property
    def first_error(self) -> BrokerError | None:
        """Why the first of the failed ones failed, None if none did."""
        return next((one.error for one in self.deliveries if one.error is not None), None)

    def _count(self, state: str) -> int:
        return sum(one.state == state for one in self.deliveries)


@dataclass(frozen=True, slots=True)
class ProducerMetrics:
    """The books of a producer: every record that it was given is sent, failed or queued.

    Attributes:
        sent: Records that the broker has acknowledged.
        failed: Records that were given up, or refused at once.
        queued: Records that are neither yet.
        sent_bytes: Key and value bytes of the acknowledged records.
        retries: Sends that were repeated, as librdkafka told last (every few seconds).
        last_sent_s: When the last acknowledgement was taken, seconds since 1970; None before.
    """

    sent: int
    failed: int
    queued: int
    sent_bytes: int
    retries: int
    last_sent_s: float | None

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)
