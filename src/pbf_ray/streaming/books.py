"""The books: every record delivered is accounted for exactly once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pbf_ray.errors import BooksError

__all__ = ["Books"]


@dataclass
class Books:
    """Cumulative counts of one job, in records actually delivered.

    ``consumed = accepted + dead_letters + late + dropped + duplicates`` holds after every epoch;
    ``pending`` counts the accepted rows that still wait for the watermark, ``replayed`` the
    consumed records that were sent again by ``deadletters replay``.
    """

    consumed: int = 0
    accepted: int = 0
    dead_letters: int = 0
    late: int = 0
    dropped: int = 0
    duplicates: int = 0
    pending: int = 0
    flagged: int = 0
    replayed: int = 0
    anomalies: int = 0
    layers: int = 0
    anomalies_by_type: dict[str, int] = field(default_factory=dict)
    dead_letters_by_reason: dict[str, int] = field(default_factory=dict)

    def add(self, other: Books) -> None:
        """Add the counts of a part of an epoch; ``pending`` is a level, not a count."""
        for item in fields(self):
            if item.name == "pending":
                continue
            value = getattr(other, item.name)
            if isinstance(value, dict):
                counts: dict[str, int] = getattr(self, item.name)
                for name, count in value.items():
                    counts[name] = counts.get(name, 0) + count
            else:
                setattr(self, item.name, getattr(self, item.name) + value)

    def check(self, epoch: int) -> None:
        """Raise unless the books balance.

        Raises:
            BooksError: If a record was lost or counted twice.
        """
        accounted = self.accepted + self.dead_letters + self.late + self.dropped + self.duplicates
        if self.consumed != accounted or not 0 <= self.pending <= self.accepted:
            counts = {name: count for name, count in asdict(self).items() if isinstance(count, int)}
            raise BooksError(counts, epoch=epoch)

    def copy(self) -> Books:
        """An independent copy."""
        return Books.from_plain(self.to_plain())

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Books:
        """Inverse of ``to_plain``."""
        return cls(**plain)
